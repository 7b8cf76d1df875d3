"""access.maintenance_tls: the settings page and updates over TLS only, while TLS serves."""

# ruff: noqa: F811 - fixtures are imported, and named as arguments

import http.client
import json
import ssl

import pytest
import websocket

from tests.admin.test_update import (  # noqa: F401
    CONFIG,
    PASSWORD,
    change,
    lib_as_on,
    new_board,
    password,
    project,
    run,
    state,
)
from tools.certs import cli
from tools.deploy.deployment import Options, deploy
from tools.failure import Failure
from tools.ports import free_port

# Leaves no memory for a TLS session.
FULL = """
import esp32

def setup(board):
    esp32.idf_heap_info = lambda kind: [(99000, 9000, 9000, 9000)]
    print("memory is full")
"""


@pytest.fixture
def secure_board(new_board, certs):
    """secure_board(files=..., **sections) -> a board that serves TLS at its settings' port."""
    boards = []

    def start(certs=certs, files=None, tls=None, mapped=None, **sections):
        port = free_port()
        config = {**CONFIG, "tls": {"port": mapped or port, **(tls or {})}, **sections}
        board = new_board(config=config, certs=certs, https_port=port, files=files)
        boards.append(board.start())
        board.wait_ready()
        return board

    yield start
    for board in boards:
        board.stop()


def get(board, path, secret=None):
    """Return (status, body) of a request without TLS."""
    connection = http.client.HTTPConnection("127.0.0.1", board.http_port, timeout=10)
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    connection.request("GET", path, headers=headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def deployed(board, certs, project, host, **options):
    deploy(
        Options(
            host=host, ca=certs / "ca.pem", root=project, wait=5, **lib_as_on(board), **options
        )
    )


def test_without_tls_the_board_names_its_https_address_and_asks_no_password(secure_board, trust):
    board = secure_board()
    assert board.serves_https(10)
    address = f"https://127.0.0.1:{board.https_port}/settings.html"
    for path in ("/settings", "/update"):
        for _ in range(6):  # wrong passwords are neither looked at nor counted
            status, body = get(board, path, "wrong horse")
            assert status == 403
            assert f"maintenance requires https (access.maintenance_tls): {address}" in body
    assert get(board, "/")[0] == 200
    url = f"wss://localhost:{board.https_port}"
    for path, protocol in (("/settings", "settings"), ("/update", None)):
        client = websocket.create_connection(
            url + path,
            timeout=10,
            sslopt={"context": trust},
            header=[f"Authorization: Bearer {PASSWORD}"],
            subprotocols=[protocol] if protocol else None,
        )
        assert json.loads(client.recv())
        client.close()


def test_the_question_of_the_page_is_answered_and_not_logged(secure_board):
    """Only a wrong password is a refusal, whose line must not be hidden."""
    board = secure_board()
    assert board.serves_https(10)
    position = board.log_position
    for secret in (None, PASSWORD):
        status, body = get(board, "/settings?ask", secret)
        assert status == 200
        assert f"https://127.0.0.1:{board.https_port}/settings.html" in body
    assert "refused" not in board.log[position:]
    get(board, "/settings")
    board.wait_for_log("refused 127.0.0.1 GET /settings: 403", since=position)
    board = secure_board(access={"maintenance_tls": False})
    position = board.log_position
    for secret in (None, PASSWORD):
        status, body = get(board, "/settings?ask", secret)
        assert status == 200
        assert "https" not in body
    assert "refused" not in board.log[position:]
    assert get(board, "/settings?ask", "wrong horse")[0] == 401
    board.wait_for_log("refused 127.0.0.1 GET /settings: 401", since=position)
    with pytest.raises(websocket.WebSocketBadStatusException, match="401"):
        websocket.create_connection(board.ws_url("/settings?ask"), timeout=10)


def test_deploying_changes_to_wss_and_verifies_the_board(secure_board, certs, project, capsys):
    board = secure_board()
    change(project)
    deployed(board, certs, project, f"127.0.0.1:{board.http_port}")
    output = capsys.readouterr().out
    assert output.startswith(f"wss://127.0.0.1:{board.https_port}/update: MicroPython")
    assert "ready: the new version serves" in output


def test_a_port_without_scheme_may_be_that_of_tls(secure_board, certs, project, capsys):
    board = secure_board()
    assert board.serves_https(10)
    deployed(board, certs, project, f"127.0.0.1:{board.https_port}")
    assert capsys.readouterr().out.startswith(f"wss://127.0.0.1:{board.https_port}/update: ")


@pytest.mark.parametrize("scheme", ["", "ws://"])
def test_a_mapped_port_of_tls_must_be_given(secure_board, certs, project, scheme):
    """The board knows its own port only, which a proxy or NAT may have replaced."""
    board = secure_board(mapped=free_port())
    assert board.serves_https(10)
    host = f"{scheme}127.0.0.1:{board.http_port}"
    with pytest.raises(Failure, match="nothing answers: .* HOST=wss://127.0.0.1:PORT"):
        deployed(board, certs, project, host)


def test_deploying_presents_the_certificate_of_a_client(secure_board, project, tmp_path, capsys):
    folder = tmp_path / "mutual"
    for arguments in ([], ["--client", "tom"]):
        assert cli.main(["--folder", str(folder), *arguments]) == 0
    tls = {"client_ca": "/certs/clients.crt.der"}
    board = secure_board(certs=folder, tls=tls)
    deployed(board, folder, project, f"127.0.0.1:{board.http_port}")
    assert "0 files copied" in capsys.readouterr().out


def test_deploying_over_ws_or_without_an_authority_is_explained(secure_board, certs, project):
    board = secure_board()
    host = f"127.0.0.1:{board.http_port}"
    secure = f"wss://127.0.0.1:{board.https_port}"
    with pytest.raises(Failure, match=f"requires TLS for updates .*: HOST={secure}$"):
        deployed(board, certs, project, f"ws://{host}")
    with pytest.raises(Failure, match="there is no .*none to verify it"):
        deploy(Options(host=host, ca=project / "none", root=project))
    assert "wrong" not in board.log
    assert state(board) == []


def test_a_version_that_begins_to_require_tls_is_confirmed_over_it(
    secure_board, certs, project, capsys
):
    board = secure_board(access={"maintenance_tls": False})
    new = project / "new.json"
    new.write_text(json.dumps({**CONFIG, "tls": {"port": board.https_port}}))
    deployed(board, certs, project, f"127.0.0.1:{board.http_port}", config=new)
    output = capsys.readouterr().out
    assert output.startswith("ws://")
    assert "ready: the new version serves" in output
    assert get(board, "/update")[0] == 403


def test_without_the_setting_maintenance_needs_no_tls(secure_board):
    board = secure_board(access={"maintenance_tls": False})
    assert board.serves_https(10)
    assert get(board, "/settings", PASSWORD)[0] == 426


@pytest.mark.parametrize("broken", [False, True], ids=["no certificate", "broken certificate"])
def test_if_tls_cannot_start_maintenance_works_without_it(secure_board, broken):
    files = {"certs/server.crt.der": "none", "certs/server.key.der": "none"} if broken else None
    board = secure_board(certs=None, files=files)
    line = board.wait_for_log("maintenance: over http, because TLS does not serve.*")[0]
    assert "passwords are sent unencrypted" in line
    for path in ("/settings", "/update"):
        assert get(board, path, PASSWORD)[0] == 426


def test_if_no_tls_session_fits_any_more_maintenance_works_without_it(secure_board):
    board = secure_board(files={"app/app.py": FULL})
    board.wait_for_log("memory is full")
    assert get(board, "/settings", PASSWORD)[0] == 426
    board.wait_for_log("maintenance over http: no place or memory for TLS")


def test_a_wss_client_that_holds_the_only_place_does_not_lock_the_owner_out(secure_board):
    board = secure_board(tls={"max_clients": 1})
    assert get(board, "/settings", PASSWORD)[0] == 403
    address = f"wss://127.0.0.1:{board.https_port}/ws"
    client = websocket.create_connection(address, sslopt={"cert_reqs": ssl.CERT_NONE})
    for _ in range(20):  # without the password they must not fill the log
        assert get(board, "/settings")[0] == 401
    assert "maintenance over http" not in board.log
    assert get(board, "/settings", PASSWORD)[0] == 426
    board.wait_for_log("maintenance over http: no place or memory for TLS")
    for path in ("/settings", "/update", "/settings"):
        assert get(board, path, PASSWORD)[0] == 426
    assert board.log.count("maintenance over http") == 1
    client.close()
    board.wait_for_log("client 1 disconnected")
    assert get(board, "/settings", PASSWORD)[0] == 403
