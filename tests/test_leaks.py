"""What must not get out of a board: files that are no pages, passwords, how near a guess was."""

import base64

import pytest
import websocket

from tests.wsserver.conftest import Raw
from tools.certs import cli as certs
from tools.deploy import files as flashfiles
from tools.failure import Failure

ADMIN = "correct horse battery"
STATION = "staple of the neighbours"


@pytest.fixture(scope="module")
def board(make_board, tmp_path_factory):
    """The firmware, with all that is secret on its flash."""
    folder = tmp_path_factory.mktemp("leaks") / "certs"
    assert certs.main(["--folder", str(folder)]) == 0
    config = {"broadcast": {"interval": 0}, "admin": {"password": ADMIN}}
    config["access"] = {"maintenance_tls": False}
    config["wifi"] = {"station_ssid": "gone", "station_password": STATION}
    return make_board(config=config, certs=folder, heap="160k")


FILES = ["config.json", "secrets.json", "boot.py", "main.py", "crash.log", "deployed.json"]
FILES += ["certs/server.key.der", "certs/server.crt.der"]
MODULES = ["lib/demo/application", "lib/startup"]
WAYS = ["/%s", "/../%s", "/x/../../%s", "/%%2e%%2e/%s", "/..%%2f%s", "//%s", "/www/../%s", "/./%s"]


@pytest.mark.parametrize("way", WAYS)
def test_no_file_but_those_in_www_is_served_by_whatever_path(board, way, lib_form):
    for name in [*FILES, *(module + lib_form.suffix for module in MODULES)]:
        (board.flash / name).parent.mkdir(exist_ok=True)
        assert (board.flash / name).exists() or name in ("crash.log", "deployed.json")
        connection = Raw(board)
        connection.send(b"GET %s HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n" % (way % name).encode())
        assert connection.until(b"\r\n").startswith(b"HTTP/1.1 404"), way % name
        connection.close()


def test_no_password_is_in_the_log_whether_right_or_wrong(board):
    for password in (ADMIN, "wrong " + ADMIN):
        text = base64.urlsafe_b64encode(password.encode()).decode().rstrip("=")
        url = board.ws_url("/settings")
        try:
            offers = ["settings", "bearer." + text]
            client = websocket.create_connection(url, timeout=10, subprotocols=offers)
            client.recv()
            client.send("no JSON: " + ADMIN)
            client.recv()
            client.close()
        except websocket.WebSocketBadStatusException:
            pass
    connection = Raw(board)
    request = "GET /settings?token=%s HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n"
    connection.send((request % ADMIN.replace(" ", "%20")).encode()).until(b"\r\n")
    connection.close()
    for secret in (ADMIN, STATION, ADMIN.replace(" ", "%20"), text):
        assert secret not in board.log


HOW_LONG = """
from time import ticks_diff, ticks_us
from wsserver.http.auth import Token
from wsserver.http.request import HTTPError, Request
secret = "s" * 1500
token = Token(secret)
def how_long(given):
    request = Request("GET", "/", {"authorization": "Bearer " + given})
    best = 1000000
    for _ in range(60):
        start = ticks_us()
        try:
            token.check(request, "1.2.3.4")
        except HTTPError:
            token._failures.clear()
        best = min(best, ticks_diff(ticks_us(), start))
    return best
print(how_long("x" + secret[1:]), how_long(secret[:-1] + "x"), how_long("x" * 1500))
"""


def test_how_long_the_answer_takes_does_not_tell_how_much_of_a_guess_was_right(make_board):
    board = make_board(files={"main.py": "print('idle')", "boot.py": ""}, wait=False)
    board.wait_for_log("idle")
    for _ in range(3):  # once may be the machine's other work
        times = [int(word) for word in board.exec(HOW_LONG, 60).split()]
        if max(times) < 1.3 * min(times):
            return
    raise AssertionError(f"first byte wrong, last byte wrong, all wrong: {times} us")


def test_a_link_in_www_that_leads_out_of_it_never_lands_on_a_board(tmp_path):
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("page")
    (tmp_path / "www" / "start.html").symlink_to("index.html")
    (tmp_path / "config.json").write_text("{}")
    assert set(flashfiles.firmware(tmp_path)) == {"/www/index.html", "/www/start.html"}
    (tmp_path / "www" / "x.json").symlink_to("../config.json")
    with pytest.raises(Failure, match=r"www/x\.json is a link that leads out of www/"):
        flashfiles.firmware(tmp_path)
    (tmp_path / "www" / "x.json").unlink()
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "server.key.der").write_text("key")
    (tmp_path / "www" / "keys").symlink_to("../certs", target_is_directory=True)
    assert "/www/keys/server.key.der" not in flashfiles.firmware(tmp_path)
