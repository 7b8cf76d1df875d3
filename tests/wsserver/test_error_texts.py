"""Errors of sockets are named in texts, not only numbered."""

import errno

import pytest

from tests.wsserver.programs import run_script
from tools.wsclient import TEXT, frame


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (f"OSError({errno.ECONNRESET})", "ECONNRESET (connection reset by the peer)"),
        (f"OSError({errno.EPIPE})", "EPIPE (connection closed by the peer)"),
        (f"OSError({errno.EADDRINUSE})", "EADDRINUSE (port in use)"),
        (f"OSError({errno.ENOTCONN})", "ENOTCONN"),
        ("OSError(-30592, 'MBEDTLS_ERR')", "MBEDTLS_ERR"),
        ("OSError('max_tls is 2')", "max_tls is 2"),
        ("OSError()", "OSError"),
        ("MemoryError()", "MemoryError"),
        ("ValueError('no')", "no"),
        ("ValueError(104)", "104"),
        ("OSError(-202)", "the host name could not be resolved: is there a network? (-202)"),
        ("OSError(-2)", "the host name could not be resolved (-2)"),
        ("OSError(23)", "ENFILE (no socket is free)"),
        ("OSError(28)", "ENOSPC (no space on the flash)"),
        ("OSError(39)", "ENOTEMPTY"),
        ("OSError(84)", "the file system is damaged (84)"),
        ("OSError(-30592)", "TLS: the peer refused the handshake (-30592)"),
        ("OSError(-30000)", "error -0x7530 of TLS or ESP-IDF"),
        ("OSError(12345)", "12345"),
        ("OSError(-202, 'EAI_FAIL')", "EAI_FAIL"),
        ("OSError(-29184, 'MBEDTLS_ERR')", "TLS: the peer does not use TLS (-29184)"),
        ("ValueError(28)", "28"),
    ],
)
def test_an_error_is_described_by_name_and_meaning(lib, tmp_path, error, text):
    source = f"from wsserver.log import describe\nprint(describe({error}))\n"
    assert text in run_script(lib, source, tmp_path)


APP = """
from wsserver import Server


class Tells:
    def on_message(self, client, message):
        client.send(message)

    def on_close(self, client, code, reason):
        print("closed %d: %s" % (code, reason))


server = Server(log=lambda level, text: print(text))
server.websocket("/ws", Tells())
server.listen(80)
try:
    server.listen(80)
except OSError:
    pass
server.run()
"""


def test_the_reason_of_a_lost_connection_has_the_name_of_the_error(raw, make_board):
    board = make_board(files={"main.py": APP})
    peer = raw(board).open()
    assert peer.send(frame(TEXT, b"x")).frame() == (TEXT, b"x")
    peer.reset()
    board.wait_for_log(
        r"closed 1006: connection lost: ECONNRESET \(connection reset by the peer\)"
    )
