"""Passwords that the board makes for itself: one is generated when first asked for, and then kept.

They are kept apart from config.json, which is the user's: /secrets.json. No published default
protects anybody.
"""

import errno
import json
import os
import sys

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_LENGTH = 10  # 31 ** 10: 49 bits


def get(name: str, path: str = "/secrets.json", log=print) -> str:
    """The secret of this name. A file that cannot be written is said so, and is no error."""
    secrets, problem = _read(path)
    if problem:
        log("%s: %s; making new passwords" % (path, problem))
    secret = secrets.get(name)
    if not isinstance(secret, str) or not 8 <= len(secret.encode()) <= 63:  # as Wi-Fi wants it
        secrets[name] = _make()
        try:
            _write(path, secrets)
        except OSError as error:
            log(
                "%s: cannot be written (%s): the password is another after the next start"
                % (path, error)
            )
    return secrets[name]


def _make():
    text = ""
    while len(text) < _LENGTH:
        value = os.urandom(1)[0] & 31
        if value < len(_ALPHABET):  # else one more: all are to be equally likely
            text += _ALPHABET[value]
    return text


def _read(path):
    """(secrets, what is wrong with the file): none, and nothing, where there is no file yet."""
    try:
        with open(path) as file:
            secrets = json.load(file)
        if isinstance(secrets, dict):
            return secrets, None
    except OSError as error:
        return {}, None if error.errno == errno.ENOENT else "cannot be read (%s)" % error
    except (ValueError, MemoryError):
        pass
    return {}, "is not what this board wrote"


def _write(path, secrets):
    import safefile

    del sys.modules["safefile"]  # not needed again
    content = json.dumps(secrets).encode()
    safefile.write(path, lambda: (content,))
