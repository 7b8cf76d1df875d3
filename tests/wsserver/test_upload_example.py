"""The upload example of docs/api.md leaves no open file and no partial file behind."""

import types
from pathlib import Path

import pytest

API = Path(__file__).resolve().parents[2] / "docs" / "api.md"


@pytest.fixture
def upload(tmp_path, monkeypatch):
    """(the example's endpoint, a client of it); files are written to tmp_path."""
    monkeypatch.chdir(tmp_path)
    code = next(part for part in API.read_text().split("```python\n") if "class Upload" in part)
    names = {}
    exec(code.split("server = Server()")[0].replace("from wsserver import Server", ""), names)
    client = types.SimpleNamespace(id=7, context=None, send=lambda message: None)
    endpoint = names["Upload"]()
    endpoint.on_open(client)
    return endpoint, client


def test_a_whole_upload_is_kept(upload, tmp_path):
    endpoint, client = upload
    endpoint.on_chunk(client, b"one ", False)
    endpoint.on_chunk(client, b"two", True)
    endpoint.on_close(client, 1000, "")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"one two"]


def test_an_upload_that_is_cut_off_leaves_no_open_file_and_no_part(upload, tmp_path):
    endpoint, client = upload
    endpoint.on_chunk(client, b"one ", False)
    file = client.context
    endpoint.on_close(client, 1006, "closed by the peer")
    assert file.closed
    assert not list(tmp_path.iterdir())
