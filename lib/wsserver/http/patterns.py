"""Paths with parameters: "/api/items/<int:id>". Loaded when the first one is registered."""

from .request import HTTPError, consists_of, unquote

_TYPES = ("", "int", "path")


class Matcher:
    """A path with parameters, compared with the paths of requests.

    path: as it was registered.
    """

    def __init__(self, path: str, segments: list):
        self.path = path
        self._segments = segments  # a str, or a tuple (name, type) for a parameter

    def match(self, path: str):
        """Return the parameters of a request's path as a dict, or None if it does not match.

        Raises HTTPError 400 if a parameter has an invalid percent-encoding.
        """
        expected = self._segments
        last = len(expected) - 1
        found = path.split("/", last)
        if len(found) != len(expected):
            return None
        params: Anything = {}
        for index in range(len(expected)):
            segment = expected[index]
            text = found[index]
            if not isinstance(segment, tuple):
                if segment != text:
                    return None
                continue
            name, kind = segment
            if not text or kind != "path" and "/" in text:
                return None
            if kind == "int":
                if not (text[1:] if text[0] == "-" else text).isdigit():
                    return None
                params[name] = int(text)
            else:
                params[name] = text
        for segment in expected:
            if isinstance(segment, tuple) and segment[1] != "int":
                params[segment[0]] = unquote(params[segment[0]])
        return params


def compile(path: str) -> Matcher:
    """Return the Matcher of a path whose segments may be `<name>`, `<int:name>` or `<path:name>`.

    `<name>` is one segment that is not empty, `<int:name>` an integer, and `<path:name>`, at the
    end only, everything that is left. Raises ValueError, which names the path.
    """
    segments: Anything = []
    names = []
    parts = path.split("/")
    for index in range(len(parts)):
        part = parts[index]
        if "<" not in part and ">" not in part:
            segments.append(part)
            continue
        kind, colon, name = part[1:-1].partition(":")
        if not colon:
            kind, name = "", kind
        valid = part[0] == "<" and part[-1] == ">" and (kind or not colon) and kind in _TYPES
        if not valid or not consists_of(name.encode(), b"_") or name[0].isdigit():
            raise ValueError("path has an invalid parameter %r: %r" % (part, path))
        if name in names:
            raise ValueError("path has the parameter %r twice: %r" % (name, path))
        if kind == "path" and index < len(parts) - 1:
            raise ValueError("path must end with its parameter %r: %r" % (part, path))
        names.append(name)
        segments.append((name, kind))
    return Matcher(path, segments)


def find(patterns: list, request):
    """Return what belongs to the first (Matcher, ...) that matches a request, or None.

    request.params becomes the parameters. Raises HTTPError 400.
    """
    for matcher, found in patterns:
        params = matcher.match(request.path)
        if params is not None:
            request.params = params
            return found
    return None


def resolve(server, path: str) -> tuple:
    """Return (Route, parameters) of the WebSocket path with parameters that matches; None if none.

    For other packages, which have a path, but no request.
    """
    for matcher, route in server.patterns or ():
        try:
            params = matcher.match(path)
        except HTTPError:  # an invalid percent-encoding
            continue
        if params is not None:
            return route, params
    return None, None
