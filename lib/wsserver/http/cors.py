"""OPTIONS, and cross-origin resource sharing (https://fetch.spec.whatwg.org/#http-cors-protocol)."""

from wsserver.core.frames import const

from .responses import response_head

_ALLOW = const("Allow: GET, HEAD, OPTIONS")
_MAX_HEADERS = const(200)  # bytes of Access-Control-Request-Headers


def allow_origin(request, origins) -> tuple:
    """Return the header lines that let pages of `origins` read a response."""
    origin = request.headers.get("origin")
    if "*" in origins:
        origin = "*"
    elif origin is None or origin not in origins:
        return ("Vary: Origin",)
    return ("Access-Control-Allow-Origin: " + origin, "Vary: Origin")


def preflight(request, origins, allow: str = _ALLOW) -> bytearray:
    """Return the response to OPTIONS, which can be a preflight request. allow: a header line."""
    headers = (allow, "Connection: close")
    allowed = allow_origin(request, origins) if origins else ()
    asked = request.headers.get("access-control-request-headers", "")
    if len(allowed) == 2 and len(asked) <= _MAX_HEADERS:
        headers += (
            "Access-Control-Allow-Methods" + allow[5:],
            "Access-Control-Allow-Headers: " + asked,
            "Access-Control-Allow-Private-Network: true",
            "Access-Control-Max-Age: 600",
        )
    return response_head(204, headers + allowed)
