"""Text with surrogates, as MicroPython's json makes it: what is sent is always valid UTF-8."""

import pytest

from tools.wsclient import BINARY, CLOSE, PONG, TEXT, frame

APP = """
import json

from wsserver import Server


class Speaks:
    '''Sends what json.loads makes of a message, by the method that the query names.'''

    def on_message(self, client, message):
        text = json.loads(message)
        try:
            if client.query == "close":
                client.close(3000, text)
            elif client.query == "broadcast":
                server.broadcast(text, "/speaks")
            elif client.query == "ping":
                client.ping(text)
            else:
                client.send(text)
        except Exception as error:
            client.send("%s: %s" % (type(error).__name__, error))


class Decodes:
    '''Sends bytes that are no UTF-8 as a str, which MicroPython accepts.'''

    def on_message(self, client, message):
        try:
            client.send(str(message, "utf-8"))
        except Exception as error:
            client.send("%s: %s" % (type(error).__name__, error))


server = Server(max_size=20000, log=lambda level, text: print(text))
server.websocket("/speaks", Speaks())
server.websocket("/decodes", Decodes())
server.listen(80)
server.run()
"""


@pytest.fixture(scope="module")
def board(make_board):
    return make_board(files={"main.py": APP}, heap="512k")


@pytest.fixture
def ask(raw, board):
    """ask(query, json): send the JSON text, and return the next frame."""

    def ask(query, text):
        return raw(board).open("/speaks?" + query).send(frame(TEXT, text.encode())).frame()

    return ask


EMOJI = r"\ud83d\ude00"
LENGTHS = [0, 1, 115, 118, 119, 120, 121, 122, 123, 124, 125, 126, 200, 1000, 10000]


@pytest.mark.parametrize("query", ["send", "broadcast"])
@pytest.mark.parametrize("length", LENGTHS)
def test_the_halves_of_a_pair_are_joined(ask, query, length):
    opcode, payload = ask(query, '"' + "x" * length + EMOJI + 'é"')
    assert (opcode, payload.decode()) == (TEXT, "x" * length + "😀é")


@pytest.mark.parametrize("query", ["send", "broadcast"])
@pytest.mark.parametrize(
    "text",
    [
        r"\ud83d",
        r"\ude00",
        r"\ude00\ud83d",
        r"\ud83d\ud83d\ude00",
        r"\ud83d\ude00\ude00",
        r"\ud83d \ude00",
        "x" * 200 + r"\udfff",
        r"\udbff" + "x" * 200,
    ],
)
def test_half_a_pair_is_refused_with_a_value_error(ask, query, text):
    opcode, payload = ask(query, f'"{text}"')
    assert opcode == TEXT
    assert payload.decode().startswith("ValueError: ")
    assert "surrogate" in payload.decode()


def test_every_plane_is_joined(ask):
    text = "".join(chr(0x10000 * plane + 0xFFFD) for plane in range(1, 17))
    escaped = "".join(rf"\u{word:04x}" for word in memoryview(text.encode("utf-16-le")).cast("H"))
    assert ask("send", f'"{escaped}"')[1].decode() == text


@pytest.mark.parametrize("text", ["한국어 텍스트", "\ud7ff\ue000", "ñ", "漢" * 300, "😀" * 31])
def test_text_that_needs_no_repair_is_sent_as_it_is(ask, text):
    assert ask("send", f'"{text}"') == (TEXT, text.encode())


def test_a_close_reason_is_joined(ask):
    opcode, payload = ask("close", f'"bye {EMOJI}"')
    assert (opcode, payload[2:].decode()) == (CLOSE, "bye 😀")


def test_half_a_pair_in_a_close_reason_is_refused(ask):
    assert ask("close", r'"bye \ud83d"')[1].startswith(b"ValueError: ")


def test_a_pair_counts_four_bytes_of_a_close_reason(ask):
    opcode, payload = ask("close", '"' + EMOJI * 30 + '"')
    assert (opcode, payload[2:].decode()) == (CLOSE, "😀" * 30)


def test_the_payload_of_a_ping_may_be_a_text_with_a_pair(ask):
    assert ask("ping", f'"{EMOJI}"')[1] == "😀".encode()


@pytest.mark.parametrize(
    "data",
    [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf"],
)
@pytest.mark.parametrize("length", [0, 200])
def test_text_that_is_not_utf8_is_refused(raw, board, data, length):
    peer = raw(board).open("/decodes")
    opcode, payload = peer.send(frame(BINARY, b"x" * length + data)).frame()
    assert opcode == TEXT
    assert payload.startswith((b"ValueError: ", b"UnicodeError: "))


def test_after_a_refused_text_the_connection_goes_on(raw, board):
    peer = raw(board).open("/speaks?send")
    assert peer.send(frame(TEXT, b'"\\ud83d"')).frame()[1].startswith(b"ValueError")
    assert peer.send(frame(TEXT, b'"still here"')).frame() == (TEXT, b"still here")
    assert peer.send(frame(9, b"?")).frame() == (PONG, b"?")
