"""Passwords that the board makes for itself: one is generated when first asked for, and then kept.

They are kept apart from config.json, which is the user's: /secrets.json. No published default
protects anybody.
"""

import json
import os

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_LENGTH = 10  # 31 ** 10: 49 bits


def get(name: str, path: str = "/secrets.json", log=print) -> str:
    """The secret of this name. A file that cannot be written is said so, and is no error."""
    secrets = _read(path)
    if not isinstance(secrets.get(name), str) or len(secrets[name]) < 8:
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
    try:
        with open(path) as file:
            secrets = json.load(file)
        return secrets if isinstance(secrets, dict) else {}
    except (OSError, ValueError):
        return {}


def _write(path, secrets):
    """Write aside, read back, rename: when power goes, the old file or the new one is there."""
    with open(path + ".new", "w") as file:
        json.dump(secrets, file)
    if _read(path + ".new") != secrets:
        raise OSError(5)  # EIO: the flash did not keep it
    os.rename(path + ".new", path)
