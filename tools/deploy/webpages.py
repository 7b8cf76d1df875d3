"""Pack www/ for a board: few files, compressed.

Each file is one connection, and a board has ten sockets. So each page contains its style sheets
and scripts. In www/ they are separate files; an unpacked copy works, too.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
import struct
import zlib

FOLDERS = ("/www/", "/app/www/")  # the firmware's pages, and an application's
WINDOW_BITS = 12  # 4 KB; with the usual 32 KB the page would be 6 % smaller
_PARTS = re.compile(
    r'<link rel="stylesheet" href="(?P<style>[\w./-]+)">'
    r'|<script src="(?P<script>[\w./-]+)"></script>'
)
_POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy"\s+content=")([^"]*)(")')


def pack(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return {path on the board: content} with the files in FOLDERS packed.

    Style sheets and scripts move into the pages that name them, and each page's
    Content-Security-Policy gets their hashes. A file that gzip makes shorter becomes NAME.gz, with
    the same bytes for the same content. Other files stay unchanged.
    """
    within: set[str] = set()
    packed: dict[str, bytes] = {}
    for path, content in files.items():
        if path.startswith(FOLDERS) and path.endswith(".html"):
            content = _take_in(path, content, files, within)
        packed[path] = content
    return dict(
        _compressed(path, content) if path.startswith(FOLDERS) else (path, content)
        for path, content in packed.items()
        if path not in within
    )


def _take_in(path: str, content: bytes, files: dict[str, bytes], within: set[str]) -> bytes:
    """Return the page with its files in it, and add their paths to `within`."""
    hashes: dict[str, list[str]] = {"style": [], "script": []}

    def replace(match: re.Match[str]) -> str:
        kind = "style" if match["style"] else "script"
        name = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[kind]))
        if name not in files:
            return match[0]
        within.add(name)
        text = "\n" + files[name].decode()
        hashes[kind].append(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())
        return f"<{kind}>{text}</{kind}>"

    page = _PARTS.sub(replace, content.decode())
    page = _POLICY.sub(lambda match: match[1] + _policy(match[2], hashes) + match[3], page)
    return page.encode()


def _policy(policy: str, hashes: dict[str, list[str]]) -> str:
    """Return the policy with hashes instead of 'self' for the files that are in the page."""
    for kind, found in hashes.items():
        if found:
            sources = " ".join(f"'sha256-{value}'" for value in found)
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
