"""Pack www/ for a board: few files, compressed.

Each file is one connection, and a board has ten sockets. So each page contains its style sheets
and scripts. In www/ they are separate files; an unpacked copy works, too.

Scripts are ES modules. All modules of a page become one, in which every name is known: so their
names must be unique, and they import each other only by `import {name, ...} from "./file.js";`.
A module that the page loads on demand, by `import("./file.js")`, becomes a file of its own, with
all that it imports in it.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
import struct
import zlib

import rcssmin
import rjsmin

from tools.failure import Failure

FOLDERS = ("/www/", "/app/www/")  # the firmware's pages, and an application's
WINDOW_BITS = 12  # 4 KB; with the usual 32 KB the page would be 6 % smaller
_PARTS = re.compile(
    r'<link rel="stylesheet" href="(?P<style>[\w./-]+)">'
    r'|<script (?P<module>type="module" )?src="(?P<script>[\w./-]+)"></script>'
)
_IMPORT = re.compile(r'^import \{([\w$, ]+)\} from "(\./[\w./-]+)";\n', re.MULTILINE)
_ON_DEMAND = re.compile(r'\bimport\("(\./[\w./-]+)"\)')
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) ([\w$]+))", re.MULTILINE)
_NAME = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) ([\w$]+)", re.MULTILINE)
_POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy"\s+content=")([^"]*)(")')


def pack(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return {path on the board: content} with the files in FOLDERS packed.

    Style sheets and scripts move into the pages that name them, and each page's
    Content-Security-Policy gets their hashes. A file that gzip makes shorter becomes NAME.gz, with
    the same bytes for the same content. Other files stay unchanged.
    """
    within: set[str] = set()
    on_demand: dict[str, bytes] = {}
    packed: dict[str, bytes] = {}
    for path, content in files.items():
        if path.startswith(FOLDERS) and path.endswith(".html"):
            content = _take_in(path, content, files, within, on_demand)
        packed[path] = content
    packed.update(on_demand)
    return dict(
        _compressed(path, content) if path.startswith(FOLDERS) else (path, content)
        for path, content in packed.items()
        if path in on_demand or path not in within
    )


def _take_in(
    path: str,
    content: bytes,
    files: dict[str, bytes],
    within: set[str],
    on_demand: dict[str, bytes],
) -> bytes:
    """Return the page with its files in it, and add their paths to `within`.

    Add the modules that it loads on demand to `on_demand`, as {path: content}.
    """
    hashes: dict[str, list[str]] = {"style": [], "script": []}
    loads = False

    def replace(match: re.Match[str]) -> str:
        nonlocal loads
        kind = "style" if match["style"] else "script"
        name = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[kind]))
        if name not in files:
            return match[0]
        within.add(name)
        text = _bundle(name, files, within) if match["module"] else files[name].decode()
        for relative in _ON_DEMAND.findall(text) if match["module"] else ():
            loads = True
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))
            module = _bundle(target, files, within, exporting=True)
            on_demand[target] = rjsmin.jsmin(module).encode()
        text = "\n" + (rcssmin.cssmin(text) if match["style"] else rjsmin.jsmin(text))
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind].append(f"sha256-{digest}")
        return f"<{kind}{' type=module' * bool(match['module'])}>{text}</{kind}>"

    page = _PARTS.sub(replace, content.decode())
    if loads:
        hashes["script"].append("self")
    page = _POLICY.sub(lambda match: match[1] + _policy(match[2], hashes) + match[3], page)
    return page.encode()


def _bundle(start: str, files: dict[str, bytes], within: set[str], exporting: bool = False) -> str:
    """Return a module and all that it imports as one module, and add their paths to `within`.

    exporting: it still exports its own names.
    Of a module that only exports constants, such as the texts of all pages, those that are not
    imported are left out. Raises Failure if a file is missing or a name is not unique.
    """
    order: list[str] = []
    used: dict[str, set[str]] = {}

    def visit(path: str) -> None:
        if path not in files:
            raise Failure(f"{path} is imported, but there is no such file")
        if path in order:
            return
        used.setdefault(path, set())
        for names, other in _IMPORT.findall(files[path].decode()):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), other))
            used.setdefault(target, set()).update(name.strip() for name in names.split(","))
            visit(target)
        if path not in order:
            order.append(path)

    visit(start)
    within.update(order)
    owner: dict[str, str] = {}
    parts = []
    for path in order:
        text = _IMPORT.sub("", files[path].decode())
        text = _without_unused(text, used[path])
        missing = used[path] - set(_EXPORT.findall(text))
        if missing:
            raise Failure(f"{path} does not export {', '.join(sorted(missing))}")
        for name in _NAME.findall(text):
            if owner.setdefault(name, path) != path:
                raise Failure(f"{name} is defined in {owner[name]} and in {path}")
        if not exporting or path != start:
            text = _EXPORT.sub("", text)
        parts.append(text.replace("</script", "<\\/script"))
    return "\n".join(parts)


def _without_unused(text: str, used: set[str]) -> str:
    """Return a module that only exports constants without those that are not used."""
    pieces = re.split(r"^(?=export const )", text, flags=re.MULTILINE)
    names = _NAME.findall(text)
    if len(names) != len(pieces) - 1:
        return text
    return "".join(
        piece for name, piece in zip(["", *names], pieces, strict=True) if not name or name in used
    )


def _policy(policy: str, hashes: dict[str, list[str]]) -> str:
    """Return the policy with hashes instead of 'self' for the files that are in the page."""
    for kind, found in hashes.items():
        if found:
            sources = " ".join(f"'{value}'" for value in found)
            policy = policy.replace(f"{kind}-src 'self'", f"{kind}-src {sources}")
    return policy


def _compressed(path: str, content: bytes) -> tuple[str, bytes]:
    # The gzip format (RFC 1952) with a small window, whose size is in an extra field: a board
    # needs that much memory to decompress the file for a client that cannot.
    coder = zlib.compressobj(9, zlib.DEFLATED, -WINDOW_BITS)
    extra = b"WB" + struct.pack("<HB", 1, WINDOW_BITS)
    data = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x02\xff" + struct.pack("<H", len(extra)) + extra
    data += coder.compress(content) + coder.flush()
    data += struct.pack("<II", zlib.crc32(content), len(content))
    return (f"{path}.gz", data) if len(data) < len(content) else (path, content)
