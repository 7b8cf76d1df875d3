"""Passwords that the board generates on first use and stores in /secrets.json.

They are separate from config.json, which belongs to the user. A default password printed in the
documentation would protect nothing.
"""

import errno
import json
import os

from micropython import const

_ALPHABET = const(b"abcdefghjkmnpqrstuvwxyz23456789")  # without look-alikes such as l and 1
_LENGTH = const(10)  # 31 ** 10: 49 bits


def get(name: str, path: str = "/secrets.json", log=print) -> str:
    """Return the secret of this name. Generate and store it if it is missing or unusable.

    A file that cannot be written is logged; the secret is then valid until the next start.
    """
    secrets, problem = _read(path)
    if problem:
        log("%s: %s; generating new passwords" % (path, problem))
    secret = secrets.get(name)
    if not isinstance(secret, str) or not 8 <= len(secret.encode()) <= 63:  # the limits of WPA2
        text = bytearray()  # an index into a str would intern the character
        while len(text) < _LENGTH:
            value = os.urandom(1)[0] & 31
            if value < len(_ALPHABET):  # rejection sampling: all characters are equally likely
                text.append(_ALPHABET[value])
        secrets[name] = str(text, "utf-8")
        try:
            _write(path, secrets)
        except OSError as error:
            text = "%s: cannot be written (%s): the password changes at the next start"
            log(text % (path, describe(error)))
    return secrets[name]


def describe(error):
    """Return the name of an OSError's errno, or its number if it has none."""
    number = error.errno
    # 28 is ENOSPC, which MicroPython does not name.
    return "no space" if number == 28 else errno.errorcode.get(number, number)


def _read(path):
    """Return (secrets, problem). A missing file is no problem."""
    try:
        with open(path) as file:
            secrets = json.load(file)
        if isinstance(secrets, dict):
            return secrets, None
    except OSError as error:
        return {}, None if error.errno == errno.ENOENT else "cannot be read (%s)" % describe(error)
    except (ValueError, MemoryError):
        pass
    return {}, "is not a JSON object"


def _write(path, secrets):
    from .atomic import write  # needed at the first start only

    content = json.dumps(secrets).encode()
    write(path, lambda: (content,))
