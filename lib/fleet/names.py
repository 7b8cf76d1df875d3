"""Names of endpoints and groups as levels of topics: letters, digits, "-" and "_XX"."""


def level(name: str) -> str:
    """Return a level of a topic for a name; each other byte becomes "_" and two hex digits."""
    out = bytearray()
    for byte in name.encode():  # bytes, because MicroPython interns the characters of a str
        if 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 45:
            out.append(byte)
        else:
            out += b"_%02x" % byte
    return str(out, "utf-8") or "_empty"


def endpoint(path: str) -> str:
    """Return the level for the path of an endpoint, without its first "/"."""
    return level(path[1:]) if path != "/" else "_root"
