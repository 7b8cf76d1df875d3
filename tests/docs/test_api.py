"""What the examples of docs/api.md do: uploads keep to their folder, and leave nothing behind."""

import types

import pytest

from tests.docs.blocks import blocks
from tests.wsserver.web import Web


@pytest.fixture(scope="module")
def board(make_board):
    (code,) = (
        block.code
        for block in blocks("api.md")
        if block.language == "python" and "request.read(" in block.code
    )
    return make_board(files={"main.py": code, "secret.txt": "secret"})


def ask(board, path, method="GET", body=None):
    """(status, body) of a response."""
    return Web(board).ask(f"/{path}", method, body)[::2]


def test_an_upload_can_be_downloaded(board):
    content = bytes(range(256)) * 40
    assert ask(board, "upload/photo.bin", "PUT", content)[0] == 201
    assert ask(board, "download/photo.bin") == (200, content)
    assert ask(board, "numbers")[1].startswith(b"0\n1\n2\n")


@pytest.mark.parametrize("name", ["%2fmain.py", "..%2fmain.py", "%2Fmain.py", ".hidden", ".."])
def test_an_upload_cannot_replace_another_file(board, name):
    before = (board.flash / "main.py").read_bytes()
    assert ask(board, "upload/" + name, "PUT", b"bad")[0] == 400
    assert (board.flash / "main.py").read_bytes() == before


@pytest.mark.parametrize("name", ["secret.txt", "%2fsecret.txt", "..%2fsecret.txt"])
def test_other_files_are_not_published(board, name):
    assert ask(board, "download/" + name)[0] == 404


@pytest.fixture
def upload(tmp_path, monkeypatch):
    """(the example's endpoint, a client of it); files are written to tmp_path."""
    monkeypatch.chdir(tmp_path)
    code = next(block.code for block in blocks("api.md") if "class Upload" in block.code)
    names = {}
    exec(code.split("server = Server()")[0].replace("from wsserver import Server", ""), names)
    client = types.SimpleNamespace(id=7, context=None, send=lambda message: None)
    endpoint = names["Upload"]()
    endpoint.on_open(client)
    return endpoint, client


def test_a_whole_upload_by_websocket_is_kept(upload, tmp_path):
    endpoint, client = upload
    endpoint.on_chunk(client, b"one ", False)
    endpoint.on_chunk(client, b"two", True)
    endpoint.on_close(client, 1000, "")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"one two"]


def test_a_websocket_upload_that_is_cut_off_leaves_no_open_file_and_no_part(upload, tmp_path):
    endpoint, client = upload
    endpoint.on_chunk(client, b"one ", False)
    file = client.context
    endpoint.on_close(client, 1006, "closed by the peer")
    assert file.closed
    assert not list(tmp_path.iterdir())
