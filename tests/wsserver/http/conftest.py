"""A board that runs program.py."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.wsserver.web import Web

HERE = Path(__file__).parent
BIG = b"".join(b"%09d\n" % line for line in range(2000))
FILES = {
    "main.py": (HERE / "program.py").read_text(),
    "stream.py": (HERE / "stream.py").read_text(),
    "big.txt": BIG.decode(),
    "site/index.html": "<!doctype html><title>Site</title>",
    "site/big.txt": BIG.decode(),
    "site/packed.txt.gz": gzip.compress(BIG, mtime=0),
}


@pytest.fixture(scope="session")
def make_web(make_board):
    """make_web(max_size=..., ...) -> a Web whose server has these options."""

    def make(heap="256k", certs=None, **options):
        files = {**FILES, "program.json": json.dumps(options)}
        return Web(make_board(files=files, heap=heap, certs=certs))

    return make


@pytest.fixture(scope="session")
def web(make_web):
    """The board that most tests share."""
    return make_web(open_timeout=1, max_clients=6, ping_interval=None)


@pytest.fixture
def release(web):
    """release(): have the handlers of /held-async and /held-blocking answer."""
    go = web.board.flash / "go"
    yield go.touch
    go.unlink(missing_ok=True)
