"""`make config`: ask for the Wi-Fi's name and password and write config.json."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import sys
from pathlib import Path

from tools.failure import Failure, spelled
from tools.settings import parse, rules

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no characters that look alike
_LENGTH = 12  # 31 ** 12: 59 bits


def configure(path: Path) -> None:
    """Ask and write the file. Other settings in it are kept, and only its owner may read it.

    Raises Failure if there is no terminal, or if the file cannot be read or written.
    """
    settings = _read(path)
    wifi = settings.setdefault("wifi", {})
    default = wifi.get("ssid", "ESP32-WS-Server")
    wifi["ssid"] = _ask(
        "ssid", f"Name of the board's Wi-Fi [{default}]: ", lambda text: text or default
    )
    generated = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    wifi["password"] = _ask(
        "password",
        "Its password, 8 to 63 characters [generate one]: ",
        lambda text: text or generated,
    )
    if wifi["password"] == generated:
        print(f"password: {generated}")
    _write(path, settings)
    print(f"{path} is written; git ignores it. It goes onto the board with the next step:")
    print(spelled(f"make deploy (CONFIG={path.name} replaces the settings that a board has)"))


def _ask(field, question, meaning):
    """Ask until the board would accept the answer."""
    while True:
        try:
            # A terminal does not show the password.
            ask = getpass.getpass if field == "password" and sys.stdin.isatty() else input
            value = meaning(ask(question))
        except EOFError:
            raise Failure("there is no answer: run it in a terminal") from None
        _, problems = rules().validate({"wifi": {field: value}})
        if not problems:
            return value
        print(problems[0].partition("; using")[0])


def _read(path: Path) -> dict:
    try:
        settings = parse(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Failure(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Failure(f"{path} is not JSON ({error}): correct it or remove it") from None
    if not isinstance(settings, dict) or not isinstance(settings.get("wifi", {}), dict):
        raise Failure(f"{path} does not hold settings: correct it or remove it")
    return settings


def _write(path: Path, settings: dict) -> None:
    """Write a new file and rename it: the old one is kept until the new one is complete."""
    fresh = path.with_name(path.name + ".new")
    try:
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(settings, file, indent=2)
            file.write("\n")
        fresh.replace(path)
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}") from None
