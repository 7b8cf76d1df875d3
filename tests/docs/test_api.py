"""What the examples of docs/api.md do for a client: the upload example keeps to its folder."""

import urllib.error
import urllib.request

import pytest

from tests.docs.blocks import blocks


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
    wanted = urllib.request.Request(board.http_url + path, body, method=method)
    try:
        with urllib.request.urlopen(wanted, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


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
