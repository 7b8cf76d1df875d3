"""Runs the sans-I/O core on orders, on CPython (imported) and on MicroPython (as a process) alike.

An order and its answer are dicts of JSON types, bytes in hex, so that the same test can give the
same order to both.
"""

import json
import sys
from array import array
from binascii import hexlify, unhexlify

if sys.implementation.name == "micropython":
    sys.path.insert(0, sys.argv[1])

import wsserver.callbacks
import wsserver.core.errors  # noqa: F401 - loaded once, instead of for each error
from wsserver.core import frames, portable
from wsserver.core.buffers import BufferPool
from wsserver.core.protocol import Protocol
from wsserver.http import request as http_request
from wsserver.http import responses, unusual  # noqa: F401 - CPython's lazy cannot
from wsserver.http.request import HTTPError, parse_request
from wsserver.http.responses import error_response
from wsserver.http.routes import make_route

try:
    from wsserver.core import native
except (ImportError, AttributeError, SyntaxError):
    native = None


if sys.implementation.name != "micropython":
    import tools.hardening.fuzz.core  # noqa: F401 - makes `responses` work on CPython


def to_hex(data):
    return str(hexlify(data), "ascii")


class Recorder:
    """An endpoint that writes down what happens, and echoes."""

    def __init__(self, events, chunks, reply):
        self.events = events
        self.reply = reply
        if chunks:
            self.on_chunk = self.note_chunk
        else:
            self.on_message = self.note_message

    def note_message(self, client, message):
        is_text = isinstance(message, str)
        self.events.append(
            ["text" if is_text else "binary", to_hex(message.encode() if is_text else message)]
        )
        if self.reply == "echo":
            client.send(message)
        elif self.reply == "close":
            client.close(3000, "enough")
        elif self.reply == "raise":
            raise RuntimeError("on purpose")

    def note_chunk(self, client, chunk, final):
        # Where chunks are cut is up to the network: the message is what counts.
        kind = "text" if client._decoder.is_text else "binary"
        if not self.events or self.events[-1][0] != "open " + kind:
            self.events.append(["open " + kind, ""])
        self.events[-1][1] += to_hex(bytes(chunk))
        if final:
            self.events[-1][0] = kind

    def on_pong(self, client, data):
        self.events.append(["pong", to_hex(data)])

    def on_close(self, client, code, reason):
        self.events.append(["close", code, reason])


def feed(protocol, data, in_size):
    """Hand `data` to a connection as a server does."""
    while len(data):
        inbox = protocol._inbox
        if inbox is None:
            data = memoryview(bytearray(protocol._tail + bytes(data)))
            protocol._tail = b""
            protocol._receive(data, 0, len(data))
            return
        start = protocol._in_end
        count = min(len(data), in_size - start)
        inbox[start : start + count] = data[:count]
        protocol._receive(inbox, protocol._in_start, start + count)
        data = data[count:]


def session(order):
    """Feed chunks to one connection. Answers the events and all that it sent."""
    events = []
    logged = []
    pool = BufferPool(
        order["max_size"],
        order.get("write_limit", 100000),
        lambda level, text: logged.append(text),
    )
    endpoint = Recorder(events, order.get("chunked", False), order.get("reply", "echo"))
    protocol = Protocol(make_route(endpoint), pool)
    sent = b""
    for chunk in order["chunks"]:
        feed(protocol, memoryview(bytearray(unhexlify(chunk))), pool.inbox_size)
        if protocol._out:
            sent += bytes(protocol._out[protocol._out_start : protocol._out_end])
            protocol._discard()
    state = protocol._state
    protocol._on_lost("gone")
    return {"events": events, "sent": to_hex(sent), "state": state, "logged": logged}


def loops(order):
    """The inner loops that the order names: native or portable."""
    return native if order["code"] == "native" else portable


def unmask(order):
    buf = bytearray(unhexlify(order["data"]))
    seen = loops(order).unmask(
        buf, order["pos"], order["end"], unhexlify(order["key"]), order["at"]
    )
    return {"data": to_hex(buf), "seen": seen}


def utf8(order):
    states = []
    state = 0
    for part in order["parts"]:
        buf = bytearray(unhexlify(part))
        state = loops(order).validate_utf8(buf, 0, len(buf), state, 0)
        states.append(state)
        if state < 0:
            break
    return {"states": states}


def masked_utf8(order):
    buf = bytearray(unhexlify(order["data"]))
    start = order["start"]
    state = loops(order).validate_utf8(buf, start, order["cut"], 0, start)
    return {"state": loops(order).validate_utf8(buf, order["cut"], len(buf), state, start)}


class Endpoint:
    """What `deliver` wants of a client, and its callback: writes down what it gets, and behaves as
    the order's "then" says: with message number `then[1]` it does `then[0]`.
    """

    _plain = True
    _inbox = b"an inbox"

    def __init__(self, then):
        self.then = then
        self.seen = []

    def _free_inbox(self):
        self._inbox = None
        self.seen.append("free")

    def on_message(self, client, message):
        is_text = type(message) is str
        data = message.encode() if is_text else message
        again = str(data, "utf-8") if is_text else bytes(bytearray(data))
        whole = type(message) in (str, bytes) and {again: 1}.get(message) and message + message
        alike = whole == again + again and hash(message) == hash(again)
        self.seen.append(["text" if is_text else "binary", to_hex(data), len(message), alike])
        if self.then and self.then[1] == len([one for one in self.seen if one != "free"]):
            if self.then[0] == "raise":
                raise RuntimeError("on purpose")
            self._plain = False


def deliver(order):
    buf = memoryview(bytearray(unhexlify(order["data"])))
    endpoint = Endpoint(order.get("then"))
    progress = array("i", (0, 0))
    arguments = (order["limit"], buf, endpoint, endpoint.on_message, progress)
    try:
        found = loops(order).deliver(order["pos"], len(buf), *arguments)
    except RuntimeError as error:
        found = str(error)
    return {"found": found, "seen": endpoint.seen, "next": progress[0], "count": progress[1]}


class Box:
    """What `send` wants of a client."""

    def __init__(self, pos, limit, space):
        self._out = memoryview(bytearray(max(limit, space) + 10))
        self._out_end = pos
        self._out_limit = limit
        self.space = space
        self.others = self.calls = 0

    def _send_other(self, message):
        self.others += 1
        return self.others == 1

    def _make_space(self, size):
        """The space that there is at the beginning, as far as `space`."""
        self.calls += 1
        if size > self.space:
            return False
        self._out_end = 0
        self._out_limit = self.space
        return True


class Names:
    """Gives each attribute's name: a str that the interpreter has among its names."""

    def __getattr__(self, name):
        return name


def send(order):
    box = Box(order["pos"], order["limit"], order.get("space", 0))
    message = unhexlify(order["message"])
    kind = order["type"]
    if kind in ("str", "name"):
        message = str(message, "utf-8")
    if kind == "name":
        message = getattr(Names(), message)
    elif kind == "other":
        message = bytearray(message)
    said = loops(order).send(box, message)
    return {
        "said": said,
        "others": box.others,
        "calls": box.calls,
        "end": box._out_end,
        "out": to_hex(box._out),
    }


def make(order):
    buf = memoryview(unhexlify(order["data"]))
    code = loops(order)
    text = code.make(1, buf, order["start"], order["length"], order["bits"])
    data = code.make(2, buf, order["start"], order["length"], 0)
    alike = type(data) is bytes and hash(data) == hash(bytes(bytearray(data)))
    return {"text": text, "bytes": to_hex(data), "alike": alike}


def headers(order):
    head = unhexlify(order["head"])
    found = {}
    common = loops(order).parse_headers(head, order["pos"], len(head), found)
    return {"common": common, "headers": found if common else {}}


def encode(order):
    data = unhexlify(order["data"])
    return {"frame": to_hex(frames.encode(str(data, "utf-8") if order["text"] else data))}


def upgrade(order):
    try:
        request = parse_request(unhexlify(order["head"]))
        http_request.check_origin(request, order.get("origins"))
        http_request.check_upgrade(request)
        chosen = http_request.choose_subprotocol(request, order.get("subprotocols", ()))
        return {
            "response": to_hex(http_request.accept_response(request, chosen)),
            "query": request.query,
        }
    except HTTPError as error:
        return {"response": to_hex(error_response(error))}


_ORDERS = {
    "session": session,
    "unmask": unmask,
    "utf8": utf8,
    "masked_utf8": masked_utf8,
    "deliver": deliver,
    "send": send,
    "make": make,
    "headers": headers,
    "encode": encode,
    "upgrade": upgrade,
}


def obey(order):
    """Carry out one order and return the answer."""
    return _ORDERS[order["do"]](order)


def main():
    print("ready", native is not None)
    while True:
        line = sys.stdin.readline()
        if not line:
            return
        print(json.dumps(obey(json.loads(line))))


if __name__ == "__main__":
    main()
