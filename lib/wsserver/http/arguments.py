"""Check secrets and rate limits. Loaded while these checks run."""


def check_secret(name: str, value: str) -> None:
    """Check a secret, a user name or a password; `name` is the argument's name.

    Raises TypeError or ValueError. The message never contains a secret that is a str.
    """
    if not isinstance(value, str):
        raise TypeError("%s must be a str, not %r" % (name, value))
    if not value and name != "user":
        raise ValueError("%s must not be empty: every request would be accepted" % name)
    if name == "user" and ":" in value:
        raise ValueError("user must not contain a colon: %r" % value)  # RFC 7617, section 2


def check_rates(**rates) -> None:
    """Check rate limits, which are numbers or None.

    Raises TypeError or ValueError, which names the argument.
    """
    for name, value in rates.items():
        if value is None:
            continue
        if not isinstance(value, (int, float)):
            raise TypeError("%s must be a number or None, not %r" % (name, value))
        if value <= 0:
            raise ValueError("%s must be over 0, not %r" % (name, value))
