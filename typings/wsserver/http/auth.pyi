class Token:
    """A secret that a request must have."""

    def __init__(self, secret: str) -> None: ...

class Basic(Token):
    """HTTP's basic authentication."""

    def __init__(self, user: str, password: str) -> None: ...
