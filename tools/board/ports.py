"""Serial ports: which ones exist, and why one cannot be used."""

from __future__ import annotations

import errno
import sys

import serial
from serial.tools import list_ports

from tools.failure import Failure

_PERMISSION = {
    "linux": "run `sudo usermod -aG dialout $USER`, log out and in again",
    "darwin": "see the owner: ls -l {port}",
}

_KINDS = "give a device such as /dev/ttyUSB0 or COM3, or socket://host:5555 or rfc2217://host:4000"


def boards() -> list[str]:
    """Return the serial ports that are USB devices: boards, or their USB chips."""
    return sorted(port.device for port in list_ports.comports() if port.vid is not None)


def choose(port: str) -> str:
    """Return the port, or the only one that exists if it is empty.

    Raises Failure if there is none, or if there is a choice.
    """
    if port:
        return port
    found = boards()
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(found)
        raise Failure(
            f"several boards are plugged in: PORT= names one of {listed}; `make boards` tells "
            "what they are"
        )
    raise Failure(f"{no_board()}. PORT= names a port that is not found by itself")


def url(port: str) -> str:
    """Return the URL to open for a port.

    esptool's RFC 2217 server does not confirm every change of a control line, so pyserial must
    not wait for it.
    """
    if not port.startswith("rfc2217:") or "ign_set_control" in port:
        return port
    return f"{port}{'&' if '?' in port else '?'}ign_set_control"


def problem(port: str) -> Failure | None:
    """Return why a port cannot be opened, or None if it can."""
    try:
        serial.serial_for_url(url(port), exclusive=True).close()
    except ValueError as error:
        return Failure(f"PORT={port} is not a port ({error}): {_KINDS}")
    except OSError as error:  # pyserial's errors are OSErrors
        return Failure(_reason(port, error))
    return None


def explain(port: str, silent: str) -> Failure:
    """Return why a port could not be used. silent: the message if the port itself is fine."""
    return problem(port) or Failure(f"{port}: {silent}")


def _reason(port: str, error: OSError) -> str:
    number = error.errno
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "FileNotFoundError" in str(error):
        return f"there is no port {port}: {_there_are(boards())}"
    if number in (errno.EBUSY, errno.EAGAIN) or "PermissionError" in str(error):  # on Windows
        return f"{port} is busy: close the other program that uses it (a monitor, an editor)"
    if number in (errno.EACCES, errno.EPERM):
        remedy = _PERMISSION.get(sys.platform, "check its permissions").format(port=port)
        return f"no permission to use {port}: {remedy}"
    reason = str(error.strerror or error).removeprefix(f"Could not open port {url(port)}: ")
    if "://" in port:
        reason += ": check that the other machine is on and serves the port (docs/install.md)"
    else:
        reason += ": unplug the board and plug it in again"
    return f"{port} cannot be opened: {reason}"


def no_board() -> str:
    """Return the message for a computer without any board."""
    return "no board is plugged in (some USB cables only charge; some boards need a driver)"


def _there_are(found: list[str]) -> str:
    if not found:
        return no_board()
    return "there are " + ", ".join(found)
