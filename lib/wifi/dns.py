"""DNS responses that resolve every name to one IPv4 address (RFC 1035)."""

# The end of a response: a pointer to the name in the question, type A, class IN, a TTL of 5 s, and
# the length of the address that follows.
_RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\5\0\4"


def answer(query: bytes, address: str):
    """Return the response to a query, or None if the packet is not a query."""
    # Only standard queries with one question; additional records (EDNS) may follow.
    if len(query) < 17 or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return None
    end = 12
    while 0 < query[end] < 64 and end + query[end] < len(query) - 5:
        end += query[end] + 1
    if query[end]:
        return None
    end += 5
    record = b""
    if query[end - 4 : end] in (b"\0\1\0\1", b"\0\xff\0\1"):  # type A or ANY, class IN
        record = _RECORD + bytes(int(part) for part in address.split("."))
    # Response, authoritative, recursion available, no error; one question, at most one answer.
    head = bytes((query[2] | 0x84, 0x80, 0, 1, 0, bool(record), 0, 0, 0, 0))
    return query[:2] + head + query[12:end] + record
