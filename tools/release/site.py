"""`make site`: a page that installs the firmware from a browser, over Web Serial.

esp-web-tools writes the image. It is fetched from npm when the site is built, and its checksum is
compared. The page sets up the Wi-Fi itself, over the raw REPL: esp-web-tools could do that only
with Improv, whose packets contain 0x03, the character that interrupts MicroPython's programs.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tools import HOME, ROOT, output
from tools.board import download, table
from tools.board.table import Board
from tools.deploy import imaging
from tools.failure import Failure, warn

from . import changelog

FOLDER = HOME / "build" / "install"
PAGE = Path(__file__).parent / "site"
_LIST = "boards.json"
_PACKAGE = "esp-web-tools@10.4.0"
# SHA-512 of the package, as npm's registry gives it.
_INTEGRITY = (
    "de9c24785166e458fb510a3c4893582b9457aed342a6ae97f50a08e9b313e060"
    "595a0ac9aa39f462f33d8a11bbe01b4ca121585df983b647a1bb17b9d0f4cc3d"
)
_INSIDE = "package/dist/web/"  # the bundle, without dependencies


@dataclass(frozen=True)
class Options:
    """What the site offers.

    firmware: a folder with MicroPython's images, or None to download them. chips: CHIP= of the
    boards, () for all. to: the folder, which is replaced.
    """

    firmware: Path | None = None
    chips: tuple[str, ...] = ()
    to: Path = FOLDER
    root: Path = ROOT


def make(options: Options) -> Path:
    """Build the site and return its folder.

    Raises Failure if esp-web-tools cannot be fetched, if there is no image at all, or if the
    folder has other files. A folder from before stays as it is then.
    """
    boards = [table.find(chip, table.load()) for chip in options.chips] or table.load()
    if options.to.exists() and not _is_ours(options.to):
        raise Failure(
            f"{options.to} has other files, which would be lost: name a folder that does not "
            "exist yet, or that of an older site"
        )
    tools = fetch(HOME / "build" / "npm")
    options.to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="site-", dir=options.to.parent) as scratch:
        fresh = Path(scratch, "site")
        shutil.copytree(PAGE, fresh)
        shutil.copytree(tools, fresh / "esp-web-tools")
        count = _fill(fresh, boards, options)
        if options.to.exists():
            options.to.rename(Path(scratch, "old"))
        fresh.rename(options.to)
    print(f"{options.to} has the install page for {count} boards; publish it over https://")
    shown = output.quoted(options.to)
    print(f"try it: python3 -m http.server --directory {shown}, then http://localhost:8000/")
    return options.to


def _is_ours(folder: Path) -> bool:
    """Return whether a folder is empty or has an older site."""
    return folder.is_dir() and ((folder / _LIST).is_file() or not any(folder.iterdir()))


def _fill(folder: Path, boards: list[Board], options: Options) -> int:
    """Write the images, their manifests and the list of them, and return how many they are."""
    version = changelog.version(options.root)
    entries = [entry for board in boards if (entry := _offer(folder, board, options, version))]
    if not entries:
        raise Failure("there is no image of MicroPython for any board: the site would be empty")
    content = json.dumps({"version": version, "boards": entries}, indent=1)
    (folder / _LIST).write_text(content, encoding="utf-8")
    return len(entries)


def _offer(
    folder: Path, board: Board, options: Options, version: str
) -> dict[str, str | bool] | None:
    """Write a board's image and manifest; return its entry for the page, or None without image."""
    try:
        given = options.firmware
        stock = download.kept(board, given) if given else download.newest(board)
    except Failure as failure:
        warn(f"no image for {board.key}: {failure}")
        return None
    made = imaging.assemble(board, stock, imaging.Options(board.key, root=options.root))
    image = folder / f"{board.key}.bin"
    image.write_bytes(made.data)
    imaging.verify(image, made)
    manifest = folder / f"manifest-{board.key}.json"
    manifest.write_text(json.dumps(_manifest(board, version), indent=1), encoding="utf-8")
    return {
        "key": board.key,
        "name": board.name,
        "notes": board.notes,
        "wifi": board.wifi,
        "image": image.name,
        "manifest": manifest.name,
        "sha256": hashlib.sha256(made.data).hexdigest(),
    }


def _manifest(board: Board, version: str) -> dict:
    """Return esp-web-tools' description of what to write where."""
    family = "ESP32" if board.chip == "esp32" else board.chip.upper().replace("ESP32", "ESP32-")
    parts = [{"path": f"{board.key}.bin", "offset": board.offset}]
    return {
        "name": "WebSocket server",
        "version": version,
        "new_install_prompt_erase": False,
        "new_install_improv_wait_time": 0,  # MicroPython does not speak Improv
        "builds": [{"chipFamily": family, "parts": parts}],
    }


def fetch(folder: Path) -> Path:
    """Return a folder with esp-web-tools' bundle, fetched with npm if it is not there yet.

    Raises Failure without npm or a network, or if the package is not the expected one.
    """
    target = folder / _PACKAGE
    if target.is_dir():
        return target
    npm = shutil.which("npm")  # its full name, since Windows finds a npm.cmd by no other
    if not npm:
        raise Failure("make site needs npm, which fetches esp-web-tools: apt install npm")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [npm, "pack", "--silent", _PACKAGE]
        done = subprocess.run(
            command, cwd=scratch, encoding="utf-8", errors="replace", capture_output=True
        )
        packed = list(Path(scratch).glob("*.tgz"))
        if done.returncode or len(packed) != 1:
            reason = (done.stderr.strip().splitlines() or ["npm failed"])[0]
            raise Failure(f"npm cannot fetch {_PACKAGE} ({reason}): try again with a network")
        if hashlib.sha512(packed[0].read_bytes()).hexdigest() != _INTEGRITY:
            raise Failure(f"npm has fetched another {_PACKAGE} than expected: it was not used")
        fresh = Path(scratch, "bundle")
        fresh.mkdir()
        with tarfile.open(packed[0]) as archive:
            for member in archive.getmembers():
                name = member.name.removeprefix(_INSIDE)
                if member.isfile() and member.name.startswith(_INSIDE) and "/" not in name:
                    content = archive.extractfile(member)
                    assert content
                    (fresh / name).write_bytes(content.read())
            licence = archive.extractfile("package/LICENSE")
            assert licence
            (fresh / "LICENSE").write_bytes(licence.read())
        fresh.replace(target)
    return target
