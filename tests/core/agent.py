"""Runs the sans-I/O core on orders, on CPython (imported) and on MicroPython (as a process) alike.

An order and its answer are dicts of JSON types, bytes in hex, so that the same test can give the
same order to both.
"""

import json
import sys
from binascii import hexlify, unhexlify

if sys.implementation.name == "micropython":
    sys.path.insert(0, sys.argv[1])

from wsserver import frames, handshake, portable
from wsserver.outbox import Stock
from wsserver.protocol import Protocol
from wsserver.route import route_to

try:
    from wsserver import native
except (ImportError, AttributeError, SyntaxError):
    native = None


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
        kind = "text" if client.reader.text else "binary"
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
        inbox = protocol.inbox
        if inbox is None:
            data = memoryview(bytearray(protocol.tail + bytes(data)))
            protocol.tail = b""
            protocol.receive(data, 0, len(data))
            return
        start = protocol.in_end
        count = min(len(data), in_size - start)
        inbox[start : start + count] = data[:count]
        protocol.receive(inbox, protocol.in_start, start + count)
        data = data[count:]


def session(order):
    """Feed chunks to one connection. Answers the events and all that it sent."""
    events = []
    logged = []
    stock = Stock(
        order["max_size"],
        order.get("write_limit", 100000),
        lambda level, text: logged.append(text),
    )
    endpoint = Recorder(events, order.get("chunked", False), order.get("reply", "echo"))
    protocol = Protocol(route_to(endpoint), stock)
    sent = b""
    for chunk in order["chunks"]:
        feed(protocol, memoryview(bytearray(unhexlify(chunk))), stock.in_size)
        if protocol.out:
            sent += bytes(protocol.out[protocol.out_start : protocol.out_end])
            protocol.discard()
    state = protocol.state
    protocol.lost("gone")
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
        state = loops(order).utf8(buf, 0, len(buf), state, 0)
        states.append(state)
        if state < 0:
            break
    return {"states": states}


def masked_utf8(order):
    buf = bytearray(unhexlify(order["data"]))
    start = order["start"]
    state = loops(order).utf8(buf, start, order["cut"], 0, start)
    return {"state": loops(order).utf8(buf, order["cut"], len(buf), state, start)}


def take(order):
    buf = bytearray(unhexlify(order["data"]))
    found = loops(order).take(buf, order["pos"], len(buf), order["limit"])
    return {"found": found, "data": to_hex(buf)}


class Box:
    """What `send` wants of a client."""

    def __init__(self, pos, limit):
        self.out = memoryview(bytearray(limit + 10))
        self.out_end = pos
        self.out_limit = limit
        self.others = 0

    def send_other(self, message):
        self.others += 1
        return self.others == 1


def send(order):
    box = Box(order["pos"], order["limit"])
    message = unhexlify(order["message"])
    kind = order["type"]
    message = (
        str(message, "utf-8")
        if kind == "str"
        else {"bytes": bytes, "other": bytearray}[kind](message)
    )
    said = loops(order).send(box, message)
    return {"said": said, "others": box.others, "end": box.out_end, "out": to_hex(box.out)}


def text(order):
    data = unhexlify(order["data"])
    made = loops(order).text(memoryview(data))
    known = {str(data, "utf-8"): "found"}
    return {
        "is": type(made) is str and made == str(data, "utf-8") and known.get(made) == "found",
        "length": len(made),
        "data": to_hex((made + "").encode()),
        "after": to_hex(data),
    }


def encode(order):
    data = unhexlify(order["data"])
    return {"frame": to_hex(frames.encode(str(data, "utf-8") if order["text"] else data))}


def upgrade(order):
    try:
        request = handshake.parse_request(unhexlify(order["head"]))
        handshake.check_upgrade(request, order.get("origins") or (None, "self"))
        chosen = handshake.choose_subprotocol(request, order.get("subprotocols", ()))
        return {
            "response": to_hex(handshake.accept_response(request, chosen)),
            "query": request.query,
        }
    except handshake.HTTPError as error:
        return {"response": to_hex(error.response())}


_ORDERS = {
    "session": session,
    "unmask": unmask,
    "utf8": utf8,
    "masked_utf8": masked_utf8,
    "take": take,
    "send": send,
    "text": text,
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
