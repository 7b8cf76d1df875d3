"""What a browser gets, as it is kept on a board: few files, and those compressed.

Each file that a browser asks for is a connection of its own to a board that has ten sockets, and
with TLS room for two; so a page carries its style sheets and scripts in itself. In www/ they are
files of their own, to be read and edited as such; a page that is copied as it is works, too.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
import struct
import zlib

FOLDER = "/www/"
WINDOW_BITS = 12  # 4 KB; with the usual 32 KB the page would be 6 % smaller
_PARTS = re.compile(
    r'<link rel="stylesheet" href="(?P<style>[\w./-]+)">'
    r'|<script src="(?P<script>[\w./-]+)"></script>'
)
_POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy"\s+content=")([^"]*)(")')


def pack(files: dict[str, bytes]) -> dict[str, bytes]:
    """{path on the board: content} with the files in /www as they are to be on flash.

    A page takes in the style sheets and scripts that it names as files beside it, which are then
    left out, and its Content-Security-Policy names them by their hashes. What gzip makes shorter
    becomes NAME.gz, the same for the same content. Everything else stays as it is.
    """
    within: set[str] = set()
    packed: dict[str, bytes] = {}
    for path, content in files.items():
        if path.startswith(FOLDER) and path.endswith(".html"):
            content = _take_in(path, content, files, within)
        packed[path] = content
    return dict(
        _compressed(path, content) if path.startswith(FOLDER) else (path, content)
        for path, content in packed.items()
        if path not in within
    )


def _take_in(path: str, content: bytes, files: dict[str, bytes], within: set[str]) -> bytes:
    """The page with what it names in it; adds to `within` what that was."""
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
    """The policy with the hashes instead of 'self' for what is in the page itself."""
    for kind, found in hashes.items():
        if found:
            sources = " ".join(f"'sha256-{value}'" for value in found)
            policy = policy.replace(f"{kind}-src 'self'", f"{kind}-src {sources}")
    return policy


def _compressed(path: str, content: bytes) -> tuple[str, bytes]:
    # As gzip would write it (RFC 1952), but for how far back it refers, which its header says in a
    # field of its own: a board takes that much memory to decompress it for who does not.
    coder = zlib.compressobj(9, zlib.DEFLATED, -WINDOW_BITS)
    extra = b"WB" + struct.pack("<HB", 1, WINDOW_BITS)
    data = b"\x1f\x8b\x08\x04" + bytes(4) + b"\x02\xff" + struct.pack("<H", len(extra)) + extra
    data += coder.compress(content) + coder.flush()
    data += struct.pack("<II", zlib.crc32(content), len(content))
    return (f"{path}.gz", data) if len(data) < len(content) else (path, content)
