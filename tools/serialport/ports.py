"""Which serial ports there are, and why one cannot be used."""

from __future__ import annotations

import errno
import sys

import serial
from serial.tools import list_ports

from tools.failure import Failure

_PERMISSION = {
    "linux": "run `sudo usermod -aG dialout $USER`, log out and in again",
    "darwin": "look who owns it: ls -l {port}",
}

_KINDS = "give a device such as /dev/ttyUSB0 or COM3, or socket://host:5555 or rfc2217://host:4000"


def boards() -> list[str]:
    """The serial ports that are USB devices: what a board is, or the chip that it hangs on."""
    return sorted(port.device for port in list_ports.comports() if port.vid is not None)


def choose(port: str) -> str:
    """The port itself, or, if it is empty, the only one that there is. Failure: which to name."""
    if port:
        return port
    found = boards()
    if len(found) == 1:
        return found[0]
    raise Failure(f"name the board's port with PORT=: {_there_are(found)}")


def url(port: str) -> str:
    """What to open for a port. esptool's own RFC 2217 server does not confirm every change of a
    control line, and pyserial must not wait for that.
    """
    if not port.startswith("rfc2217:") or "ign_set_control" in port:
        return port
    return f"{port}{'&' if '?' in port else '?'}ign_set_control"


def problem(port: str) -> Failure | None:
    """Why a port cannot be opened; None: it can."""
    try:
        serial.serial_for_url(url(port), exclusive=True).close()
    except ValueError as error:
        return Failure(f"PORT={port} is no port ({error}): {_KINDS}")
    except OSError as error:  # pyserial's own are among these
        return Failure(_reason(port, error))
    return None


def explain(port: str, silent: str) -> Failure:
    """Why a port could not be used. silent: what to say when nothing is wrong with the port."""
    return problem(port) or Failure(f"{port}: {silent}")


def _reason(port: str, error: OSError) -> str:
    number = error.errno
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or "FileNotFoundError" in str(error):
        return f"there is no port {port}: {_there_are(boards())}"
    if number in (errno.EBUSY, errno.EAGAIN) or "PermissionError" in str(error):  # so on Windows
        return f"{port} is busy: close the other program that uses it (a monitor, an editor)"
    if number in (errno.EACCES, errno.EPERM):
        remedy = _PERMISSION.get(sys.platform, "see who may use it").format(port=port)
        return f"no permission to use {port}: {remedy}"
    what = str(error.strerror or error).removeprefix(f"Could not open port {url(port)}: ")
    if "://" in port:
        what += ": look whether that machine is on, and serves the port (docs/install.md)"
    else:
        what += ": unplug the board, plug it in again"
    return f"{port} cannot be opened: {what}"


def no_board() -> str:
    """What to say when there is no port at all."""
    return "no board is plugged in (some USB cables only charge; some boards need a driver)"


def _there_are(found: list[str]) -> str:
    if not found:
        return no_board()
    return "there are " + ", ".join(found)
