"""Fetch a 32-bit MicroPython: Debian's i386 package and its libraries, below the checkout.

Debian's signatures are checked by apt, with lists and a cache of their own. Nothing is installed,
and no root is needed. The mirror is the one that the machine's own apt uses.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from tools import HOME

from .interpreter import NoInterpreterError

FOLDER = HOME / ".micropython32"
SUITE = "trixie"
VERSION = "1.25.0+ds-1"
# The libraries follow the suite: a point release may replace them.
PACKAGES = (
    f"micropython={VERSION}",
    "libc6",
    "libffi8",
    "libmbedtls21",
    "libmbedcrypto16",
    "libmbedx509-7",
)
SOURCES = Path("/etc/apt")
# The first one that has trixie's keys is used. Older keyrings lack them.
KEYRINGS = (
    "/usr/share/keyrings/debian-archive-trixie-automatic.gpg",
    "/etc/apt/trusted.gpg.d/debian-archive-trixie-automatic.asc",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)
ADVICE = (
    "WORD=32 needs a 32-bit MicroPython, and {reason}. Either run this once on Debian (or a "
    "system that has apt, dpkg-deb, Debian's archive keyring and a Debian mirror in its apt "
    f"sources) with network, and copy {FOLDER.name}/ from there; or build MicroPython's Unix port "
    "with `make MICROPY_FORCE_32BIT=1` and give MICROPYTHON=/path/to/micropython; or leave "
    "WORD=32 out, for the 64-bit virtual board."
)


def fetch(folder: Path = FOLDER, sources: Path = SOURCES) -> list[str]:
    """Return the command that starts the 32-bit interpreter; fetch it if it is not there yet.

    Processes that run at the same time fetch it once.
    Raises NoInterpreterError, with advice, if it cannot be had here.
    """
    root = folder / VERSION
    if not root.exists():
        reason = missing()
        if reason:
            raise NoInterpreterError(ADVICE.format(reason=reason))
        folder.mkdir(exist_ok=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for cut_off in folder.glob("fetching-*"):  # of a process that was killed
                shutil.rmtree(cut_off, ignore_errors=True)
            if not root.exists():
                _fetch_into(root, sources)
    return command(root)


def command(root: Path) -> list[str]:
    """Return the command for what was unpacked at `root`: the package's own loader starts it."""
    lib = root / "usr/lib"
    loader = [str(lib / "ld-linux.so.2"), "--library-path", str(lib / "i386-linux-gnu")]
    return [*loader, str(root / "usr/bin/micropython")]


def missing() -> str:
    """Return what this system lacks to fetch and run it, or an empty string."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64", "i686", "i386"):
        return f"{sys.platform} on {platform.machine()} does not run Debian's i386 package"
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            return f"this system has no {program}"
    return ""


def mirrors(folder: Path) -> list[str]:
    """Return the addresses of Debian's archive in an apt configuration, in its order.

    Only archives of Debian itself count, not those of its security updates or of others.
    """
    found: list[str] = []
    lists = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.is_file():
            found += one_line_uris(path.read_text(errors="replace"))
    for path in sorted((folder / "sources.list.d").glob("*.sources")):
        found += deb822_uris(path.read_text(errors="replace"))
    return [uri for uri in dict.fromkeys(found) if is_debian(uri)]


def one_line_uris(text: str) -> Iterable[str]:
    """Yield the addresses in a file of the old format: `deb [options] URI suite component...`."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+\S", line.partition("#")[0])
        if match:
            yield match[1]


def deb822_uris(text: str) -> Iterable[str]:
    """Yield the addresses in a file of the newer format: stanzas of `Field: values`."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n[ \t]*\n", "\n".join(lines)):
        pairs = re.findall(r"(?m)^([\w-]+):((?:.*\n?)(?:[ \t]+.*\n?)*)", stanza)
        fields = {name.lower(): value.split() for name, value in pairs}
        if fields.get("enabled") != ["no"] and "deb" in fields.get("types", []):
            yield from fields.get("uris", [])


def is_debian(uri: str) -> bool:
    """Return whether an address is a mirror of Debian's archive, whose path ends in /debian."""
    parts = urlsplit(uri)
    if parts.scheme.startswith("mirror+"):  # a list of mirrors
        return Path(parts.path).name in ("debian", "debian.list")
    return parts.scheme in ("http", "https") and parts.path.rstrip("/").endswith("/debian")


def keyring(candidates: Iterable[str] = KEYRINGS) -> str:
    """Return the path of the keyring that apt is to check signatures with.

    Raises NoInterpreterError if there is none.
    """
    for path in candidates:
        if Path(path).exists():
            return path
    reason = "this system has no keyring of Debian's archive (package debian-archive-keyring)"
    raise NoInterpreterError(ADVICE.format(reason=reason))


def _fetch_into(root: Path, sources: Path) -> None:
    """Download and unpack everything beside `root`, try it, and put it there at once."""
    found = mirrors(sources)
    if not found:
        reason = f"no mirror of Debian's archive is in the apt sources of this system ({sources})"
        raise NoInterpreterError(ADVICE.format(reason=reason))
    keys = keyring()
    with tempfile.TemporaryDirectory(dir=root.parent, prefix="fetching-") as name:
        work = Path(name)
        print(f"fetching MicroPython {VERSION} for 32 bits", file=sys.stderr, flush=True)
        problems = []
        for uri in found:
            try:
                _download(work, uri, keys)
                break
            except _AptError as error:
                problems.append(str(error))
        else:
            reason = f"apt could not fetch it ({'; '.join(problems)})"
            raise NoInterpreterError(ADVICE.format(reason=reason))
        for package in sorted((work / "debs").glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(package), str(work / "root")], check=True)
        _try(command(work / "root"))
        (work / "root").replace(root)


class _AptError(Exception):
    """Tell what apt-get reported."""


def _download(work: Path, uri: str, keys: str) -> None:
    """Have apt fetch the packages from one mirror to work/debs. Raises _AptError if it fails."""
    shutil.rmtree(work / "apt", ignore_errors=True)
    for name in ("apt/lists/partial", "apt/cache/archives/partial", "debs"):
        (work / name).mkdir(parents=True, exist_ok=True)
    (work / "apt/sources.list").write_text(
        f"deb [arch=i386 signed-by={keys}] {uri} {SUITE} main\n"
    )
    options = apt_options(work / "apt")
    _apt("update", "--error-on=any", options=options, folder=work)
    _apt("download", *PACKAGES, options=options, folder=work / "debs")


def apt_options(folder: Path) -> list[str]:
    """Return the options that make apt-get use `folder`, and nothing of the machine's state.

    They are given on its command line: the machine's own settings cannot replace them there. Its
    settings for proxies remain.
    """
    settings = {
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": folder / "cache",
        "Dir::Cache::archives": "archives",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Architecture": "i386",
        "APT::Architectures::": "i386",
        "APT::Get::AllowUnauthenticated": "false",
        "APT::Default-Release": "",
        "Acquire::AllowInsecureRepositories": "false",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
    }
    if os.getuid() == 0:  # apt's own user may not write to a checkout
        settings["APT::Sandbox::User"] = "root"
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def _apt(verb: str, *arguments: str, options: list[str], folder: Path) -> None:
    done = subprocess.run(
        ["apt-get", "-q", *options, verb, *arguments],
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if line.startswith(("E:", "Err:"))]
        raise _AptError("; ".join(errors) or f"apt-get {verb} failed")


def _try(interpreter: list[str]) -> None:
    """Raises NoInterpreterError if the interpreter does not run on this machine."""
    try:
        subprocess.run([*interpreter, "-c", "import tls"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"Debian's i386 package does not run on this system ({error})"
        raise NoInterpreterError(ADVICE.format(reason=reason)) from None
