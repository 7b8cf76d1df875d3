"""The chat: presence, and messages to all clients or to one. docs/protocol.md has every message.

Its clients are those of /demo and the pages at /panel.
"""

import json

from micropython import const

_PATHS = const(("/demo", "/panel"))
_MAX_NAMED = const(10)  # ids in an error
_MAX_MESSAGE = const(1000)  # characters
_MAX_NAME = const(32)


class Chat:
    """The clients of the chat. A client's `context` is its name.

    It is also the endpoint of the page's chat widget (Panel.custom).
    """

    def __init__(self, server):
        self._server = server
        self._limit = server.write_limit - 10  # bytes in a message, without its header

    def on_open(self, client):
        """Give a client its name, and tell the others."""
        client.context = "client %d" % client.id
        self.send_clients()

    def on_close(self, client):
        """Tell the others that a client has left."""
        try:
            self.send_clients()
        except MemoryError:
            pass  # the list is sent again with the next change

    def on_command(self, client, value):
        """Execute {"message": text}, {"message": text, "to": id} or {"name": name} of a page."""
        if not isinstance(value, dict):
            raise ValueError("must be an object")
        if "name" in value:
            self.rename(client, check_name(value["name"]))
        else:
            self.say(client, check_message(value.get("message")), check_id(value.get("to")))

    def rename(self, client, name: str) -> None:
        """Change a client's name."""
        client.context = name
        self.send_clients()

    def say(self, client, text: str, to) -> None:
        """Send a message to all clients, or to the one with the id `to`.

        Raises ValueError with a text for the sender if that is impossible.
        """
        message = {"type": "message", "from": client.id, "name": client.context, "message": text}
        if to is None:
            self._broadcast(self.encode(message))
            return
        message["to"] = to
        here = self._clients()
        for other in here:
            if other.id == to:
                if not other.send(self.encode(message)):
                    raise ValueError("client %d cannot take more messages" % to)
                return
        ids = ", ".join([str(other.id) for other in here[:_MAX_NAMED]])
        raise ValueError("no client has the id %d; connected: %s" % (to, ids))

    def encode(self, message: dict) -> str:
        """Return a message as JSON. Raises ValueError if it does not fit a send buffer."""
        text = json.dumps(message)
        if len(memoryview(text)) > self._limit:  # bytes of UTF-8, without copying them
            raise ValueError("too long to forward")
        return text

    def send_clients(self) -> None:
        """Send the list of clients to all of them."""
        here = self._clients()
        head = '{"type": "clients", "count": %d' % len(here)
        self._broadcast(listing(head, here, _describe, self._limit))

    def _clients(self):
        here = list(self._server.clients)
        here.extend(self._server.remote_clients)
        return [one for one in here if one.path in _PATHS and one.is_open]

    def _broadcast(self, text):
        for path in _PATHS:
            self._server.broadcast(text, path)


endpoint = Chat  # the chat widget of a panel calls this


def _describe(client):
    return '{"id": %d, "name": %s}' % (client.id, json.dumps(client.context))


def listing(head: str, clients: list, describe, limit: int) -> str:
    """Return the JSON that begins with `head`, with "clients": [describe(client), ...] added.

    The list is cut to keep the JSON within `limit` bytes.
    """
    left = limit - len(head) - 20
    items = []
    for client in clients:
        item = describe(client)
        left -= len(item.encode()) + 2
        if left < 0:
            break
        items.append(item)
    return '%s, "clients": [%s]}' % (head, ", ".join(items))


# --- checks of what clients send; each returns the value


def check_message(value):
    """Check the text of a message. Raises ValueError."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_MESSAGE:
        raise ValueError("message: must be a string of 1 to %d characters" % _MAX_MESSAGE)
    return value


def check_name(value):
    """Check a name, and return it without the spaces around it. Raises ValueError."""
    name = value.strip() if isinstance(value, str) else ""
    good = 0 < len(name) <= _MAX_NAME
    before = 0
    for byte in name.encode():  # of UTF-8: U+0000 to 1F and U+007F to 9F are control characters
        if byte < 32 or byte == 127 or before == 0xC2 and byte < 0xA0:
            good = False
        before = byte
    if not good:
        text = "name: must be a string of 1 to %d characters without control characters"
        raise ValueError(text % _MAX_NAME)
    return name


def check_id(value, error: str = "to: must be the id of a client, an integer"):
    """Check an integer, by default the id of a receiver, or None. Raises ValueError(error)."""
    if isinstance(value, bool) or not isinstance(value, (int, type(None))):
        raise ValueError(error)
    return value
