"""Range requests (RFC 9110, section 14). Loaded while one is handled."""

from .request import HTTPError


def select(request, lines: list, size: int) -> tuple:
    """Return (status, first byte, number of bytes) of the part of a file that is requested.

    lines: the response's header lines, to which those of the range are added. Several ranges, and
    those of another version of the file (If-Range), are ignored, as RFC 9110 allows. Raises
    HTTPError 416.
    """
    unit, _, ranges = request.headers["range"].partition("=")
    condition = request.headers.get("if-range")
    if request.method != "GET" or unit.strip().lower() != "bytes" or "," in ranges:
        return 200, 0, size
    if condition and "ETag: " + condition not in lines:
        return 200, 0, size
    first, dash, last = ranges.strip().partition("-")
    if not dash or not (first or last) or not (first + last).isdigit():
        return 200, 0, size
    if not first:  # the last so many bytes
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return 200, 0, size
    if start >= size or start >= stop:
        raise HTTPError(416, "the file has %d bytes" % size, "Content-Range: bytes */%d" % size)
    lines.append("Content-Range: bytes %d-%d/%d" % (start, stop - 1, size))
    return 206, start, stop - start
