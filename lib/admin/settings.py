"""/settings: show and change the settings. The messages are JSON, described in docs/joining.md.

`describe` is loaded only while it makes a message, `commands` while it executes one. The rules for
all fields are loaded while the file is read: then as little as possible is in memory besides.
"""

import json

from micropython import const

from wsserver import lazy
from wsserver.log import describe

PATH = "/config.json"
# {name: module of the Tool} for {"do": name}, maintenance that keeps a state. These modules stay
# loaded until the last client that has used one of them leaves.
_TOOLS = {"log": "admin.livelog", "files": "admin.files"}
_MAX_BRACKETS = const(400)  # of a command: its parser's stack is allocated in one piece
_FARTHEST = const(0x3FFFFFFF)  # position in a file: the largest small integer of a chip
_INVALID = const("the command has a value of a wrong type, or a text that is not valid")
_NO_MEMORY = const("out of memory: close other pages of the board, and try again")


def _check_start(start):
    """Check from where a file or a list is wanted. Raises ValueError."""
    if type(start) is not int or not 0 <= start <= _FARTHEST:
        raise ValueError("from: must be an integer, 0 or more")


class SettingsEndpoint:
    """Send and save the settings. Passwords are never sent, only whether they are set."""

    def __init__(self, server, access):
        self._server = server
        self._access = access
        self._tools = {}  # client -> {name: its Tool}

    def on_open(self, client) -> None:
        """Send a summary. The page then asks for each section."""
        client.send(lazy.call("admin.describe", "summary", *_read()))

    # Long: a second function would keep the message in memory while the command runs.
    def on_message(self, client, message) -> None:
        """Execute a command, or store bytes that one has announced."""
        tools = self._tools.setdefault(client, {})
        try:
            if not isinstance(message, str):
                self._take(tools, message)
                return
            try:
                if message.count("{") + message.count("[") > _MAX_BRACKETS:
                    raise ValueError
                command = json.loads(message)
            except ValueError:
                command = None
            message = None  # this memory may be needed below
            name = command.get("do") if isinstance(command, dict) else None
            if name is not None:
                _check_start(command.get("from", 0))
            if isinstance(name, str) and name in _TOOLS:
                if name not in tools:
                    tools[name] = lazy.load(_TOOLS[name]).Tool(self._server, client)
                tools[name].execute(command)
            elif isinstance(command, dict) and "show" in command:
                client.send(lazy.call("admin.describe", "section", *_read(), command["show"]))
            else:
                lazy.call("admin.commands", "execute", self._server, client, command)
            return
        except ValueError as error:
            text = str(error)
        except OSError as error:
            text = "the flash cannot be used: %s" % describe(error)
        except MemoryError:
            text = _NO_MEMORY
        except (TypeError, KeyError, AttributeError):
            text = _INVALID
        try:
            client.send(json.dumps({"type": "error", "error": text}))
        except ValueError:  # the text has a surrogate of the command, which UTF-8 cannot express
            client.send(json.dumps({"type": "error", "error": _INVALID}))

    def _take(self, tools, content):
        tool = tools.get("files")
        if not tool:
            raise ValueError("unexpected content")
        try:
            tool.take(content)
        except MemoryError:
            tool.close()  # the file is not complete
            raise

    def on_close(self, client, code: int, reason: str) -> None:
        """End the client's tools, and unload their code with the last one."""
        for tool in self._tools.pop(client, {}).values():
            tool.close()
        if not any(self._tools.values()):
            lazy.unload(*_TOOLS.values())
        self._access.leave(self._server, client)


endpoint = SettingsEndpoint  # LazyEndpoint calls this


def _read():
    """Return (settings, problems) of the file.

    The rules take 9 KB. They are loaded after the file is read, and unloaded before a message is
    made of it.
    """
    problems = []
    try:
        found = lazy.call("config.configfile", "read_raw", PATH)
    except MemoryError:
        found = (None, None)
    settings = lazy.call("config.loader", "complete", *found, PATH, problems.append)
    return settings, [text[len(PATH) + 2 :] for text in problems]
