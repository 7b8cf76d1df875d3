"""What the page talks to at /demo: who is there, what they say, the LED, how the board is doing.

docs/protocol.md has every message. Loaded on demand: see `wsserver.lazy`.
"""

import json
from os import uname

import led
import orders
import stats

_MOST_NAMED = 10  # ids in an error


class Chat:
    """The endpoint. A client's `context` is its name.

    path: where the server has it. settings: the section "demo"; the LED's state is kept there,
    since this code is dropped when nobody is connected. started: time() at the start.
    """

    def __init__(self, server, path: str, settings: dict, started: int):
        self._server = server
        self._path = path
        self._limit = server.write_limit - 10  # bytes in a message, without its header
        self._lamp = led.find(settings, server.log)
        self._stats = stats.Stats(server, self._limit, started)

    def on_open(self, client):
        client.context = "client %d" % client.id
        system = uname()
        welcome = {
            "type": "welcome",
            "id": client.id,
            "name": client.context,
            "led": self._lamp and self._lamp.state(),
            "board": system.machine,
            "version": "MicroPython " + system.release,
        }
        client.send(json.dumps(welcome))
        self._tell_who()

    def on_close(self, client, code, reason):
        self._stats.end(client)
        self._tell_who()

    def on_message(self, client, message):
        try:
            name, value, more = orders.read(message)
            getattr(self, "_" + name)(client, value, more)
        except ValueError as error:
            client.send(json.dumps({"type": "error", "error": str(error)}))

    # --- one method for each order that `orders.read` can return

    def _echo(self, client, value, _):
        client.send(self._text({"type": "echo", "echo": value}))

    def _report(self, client, value, _):
        self._stats.subscribe(client, value)

    def _name(self, client, name, _):
        client.context = name
        self._tell_who()

    def _led(self, client, value, is_plain):
        if not self._lamp:
            raise ValueError("this board has no LED: demo.led_pin in its settings names one")
        self._lamp.switch(value)
        state = self._lamp.state()
        if is_plain:
            client.send("LED is ON" if state["on"] else "LED is OFF")
        state["type"] = "led"
        state["by"] = client.id
        self._server.broadcast(json.dumps(state), self._path)

    def _message(self, client, text, to):
        said = {"type": "message", "from": client.id, "name": client.context, "message": text}
        if to is None:
            self._server.broadcast(self._text(said), self._path)
            return
        said["to"] = to
        here = self._here()
        for other in here:
            if other.id == to:
                if not other.send(self._text(said)):
                    raise ValueError("client %d does not take any more" % to)
                return
        ids = ", ".join([str(other.id) for other in here[:_MOST_NAMED]])
        raise ValueError("nobody has the id %d; connected are %s" % (to, ids))

    # --- telling

    def _text(self, message):
        text = json.dumps(message)
        if len(text.encode()) > self._limit:
            raise ValueError("this is too long to be sent on")
        return text

    def _here(self):
        clients = self._server.clients
        return [one for one in clients if one.path == self._path and one.is_open]

    def _tell_who(self):
        here = self._here()
        head = '{"type": "clients", "count": %d' % len(here)
        text = stats.listing(head, here, _describe, self._limit)
        self._server.broadcast(text, self._path)


def _describe(client):
    return '{"id": %d, "name": %s}' % (client.id, json.dumps(client.context))


endpoint = Chat
