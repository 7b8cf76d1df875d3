"""`make config`: asks for the Wi-Fi's name and password and writes config.json."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import secrets
import sys
from pathlib import Path

from tools.deploy.own import rules
from tools.failure import Failure, run
from tools.flashfiles import CONFIG, ROOT

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_LENGTH = 12  # 31 ** 12: 59 bits


def config(path: Path) -> None:
    """Ask, and write the file, which only its owner may read. Settings that it had are kept.

    Failure: there is nobody to answer, or the file cannot be read or written.
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
        "Its password, 8 to 63 characters [make one up]: ",
        lambda text: text or generated,
    )
    if wifi["password"] == generated:
        print(f"password: {generated}")
    _write(path, settings)
    print(f"{path} is written; git ignores it. Next: make deploy (CONFIG={path.name} to replace)")


def _ask(field, question, meaning):
    """Ask until the board would take the answer."""
    while True:
        try:
            # A password is not shown, where there is a screen to show it on.
            ask = getpass.getpass if field == "password" and sys.stdin.isatty() else input
            value = meaning(ask(question))
        except EOFError:
            raise Failure("there is nobody to answer: run it in a terminal") from None
        _, problems = rules().validate({"wifi": {field: value}})
        if not problems:
            return value
        print(problems[0].partition("; using")[0])


def _read(path: Path) -> dict:
    try:
        settings = json.loads(path.read_text(encoding="utf-8-sig"))
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
    """Write aside and rename: what was there is kept until the new one is whole."""
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tools.config", description=__doc__)
    parser.add_argument("--file", type=Path, default=ROOT / CONFIG)
    _options = parser.parse_args()
    sys.exit(run("make config", lambda: config(_options.file)))
