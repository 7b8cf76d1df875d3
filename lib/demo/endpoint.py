"""The endpoint /demo: presence, chat, LED and statistics. docs/protocol.md has every message."""

import gc
import json
from os import uname
from time import ticks_ms

from micropython import const

from wsserver import lazy

from . import commands, stats
from .chat import Chat

_STALE = const(5000)  # ms after which a command with a time is not executed any more
_CLOCK = const(2**30 - 1)  # the board's clock in messages, in ms, wraps after this
_OUT_OF_MEMORY = const(
    '{"type": "error", "error": "out of memory: the command was not executed"%s}'
)


class Endpoint:
    """Execute the commands of clients. A client's `context` is its name.

    path: where the server has this endpoint. settings: the section "demo", which also keeps the
    LED's state, because this object is dropped with the last client. started: time() at startup.
    """

    def __init__(self, server, path: str, settings: dict, started: int):
        self._server = server
        self._path = path
        self._chat = Chat(server)
        lazy.load("demo.led")  # stays when demo.lamp is unloaded
        self._led = lazy.call("demo.lamp", "find", settings, server.log)
        self._stats = stats.Stats(server, server.write_limit - 10, started)

    def on_open(self, client):
        client.context = "client %d" % client.id
        system = uname()
        welcome = {
            "type": "welcome",
            "id": client.id,
            "name": client.context,
            "led": self._led and self._led.state(),
            "board": system.machine,
            "version": "MicroPython " + system.release,
            "time": ticks_ms() & _CLOCK,
        }
        client.send(json.dumps(welcome))
        self._chat.send_clients()

    def on_close(self, client, code, reason):
        self._stats.unsubscribe(client)
        self._chat.on_close(client)

    def on_message(self, client, message):
        name = None
        size = len(memoryview(message))
        try:
            name, value, option = commands.parse(message)
            message = None  # this memory may be needed below
            self.execute(client, name, value, option)
            if name in ("echo", "stats"):  # the page sends these all the time
                self._stats.ignore(size)
            return
        except ValueError as error:
            answer = {"type": "error", "error": str(error)}
        except MemoryError:
            answer = None
        if answer is None:
            message = value = None
            gc.collect()
            client.send(_OUT_OF_MEMORY % (', "command": "%s"' % name if name else ""))
            return
        if name:
            answer["command"] = name
        client.send(json.dumps(answer))

    def execute(self, client, name, value, option):
        """Execute a command that commands.parse has returned. Raises ValueError."""
        if name == "echo":
            client.send(self._chat.encode({"type": "echo", "echo": value}))
        elif name == "stats":
            self._stats.subscribe(client, value)
        elif name == "name":
            self._chat.rename(client, value)
        elif name == "message":
            self._chat.say(client, value, option)
        else:
            self._switch(client, value, option)

    def _switch(self, client, value, option):
        if not self._led:
            raise ValueError("this board has no LED: set demo.led_pin in its settings")
        is_plain = option is True
        if not is_plain and option is not None:
            age = (ticks_ms() - option) & _CLOCK
            if _STALE < age <= _CLOCK >> 1:  # else the time is slightly ahead
                raise ValueError(
                    "led: this command is stale, it was sent %d s ago" % (age // 1000)
                )
        self._led.switch(value)
        state = self._led.state()
        if is_plain:
            client.send("LED is ON" if state["on"] else "LED is OFF")
        state["type"] = "led"
        state["by"] = client.id
        self._server.broadcast(json.dumps(state), self._path)


endpoint = Endpoint  # LazyEndpoint calls this
