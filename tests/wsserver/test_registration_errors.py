"""Registrations that cannot work raise an error that names the argument and the value."""

import json

import pytest

from tests.wsserver.programs import run_script
from tools.ports import free_port

# What the snippets below may use.
PREPARED = """
import json
import wsserver
from wsserver import Server
from wsserver.http.auth import Basic, Token
from wsserver.http.ratelimit import Limits


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Coroutine:
    async def on_message(self, client, message):
        client.send(message)


class Inherits(Coroutine):
    pass


class Misspelled(Echo):
    def on_mesage(self, client, message):
        pass


class Assigned(Echo):
    def __init__(self):
        self.on_connect = print


class Constant:
    on_message = "hello"


class Both(Echo):
    def on_chunk(self, client, chunk, final):
        pass


class Silent:
    pass


def function(client, message):
    pass


async def coroutine():
    pass


def attempt(source):
    names = dict(globals())
    server = names["server"] = Server(log=lambda level, text: None)
    server.after(100, server.stop)  # if run() serves
    try:
        exec(source, names)
    except Exception as error:
        return [type(error).__name__, str(error)]
    finally:
        server.stop()
    return ["nothing", ""]


with open("cases.json") as file:
    print(json.dumps([attempt(source) for source in json.load(file)]))
"""

# What is registered: words that the message must contain.
WRONG = {
    "server.websocket('/ws', Misspelled())": (
        *("Misspelled has an unknown method on_mesage", "known are on_request, on_open, on_mess"),
    ),
    "server.route('/a', stream=True)(function)": ("must be async", "stream=True", "function()"),
    "server.websocket('/ws', Assigned())": ("on_connect",),
    "server.websocket('/ws', Constant())": ("on_message", "hello"),
    "server.websocket('/ws', Both())": ("on_message", "on_chunk"),
    "server.websocket('/ws', Echo)": ("endpoint", "Echo"),
    "server.websocket('/ws', function)": ("endpoint", "function"),
    "server.websocket('/ws', None)": ("endpoint", "None"),
    "server.websocket('/ws', 'echo')": ("endpoint", "echo"),
    "server.websocket('/ws', {'on_message': print})": ("endpoint", "on_message"),
    "server.websocket(Echo(), '/ws')": ("path", "Echo"),
    "server.websocket('ws', Echo())": ("path", "'ws'"),
    "server.websocket('', Echo())": ("path", "''"),
    "server.websocket(b'/ws', Echo())": ("path", "b'/ws'"),
    "server.websocket('/ws?room=1', Echo())": ("path", "/ws?room=1"),
    "server.websocket('/ws#top', Echo())": ("path", "/ws#top"),
    "server.websocket('/ws/<id', Echo())": ("path", "'/ws/<id'"),
    "server.websocket('/my ws', Echo())": ("path", "/my ws"),
    r"server.websocket('/ws\n', Echo())": ("path", r"/ws\n"),
    r"server.route('/a\x7f')(function)": ("path", r"/a\x7f"),
    "server.websocket('/a?/<id>', Echo())": ("path", "/a?"),
    "server.route('/my a/<id>')(function)": ("path", "/my a"),
    "server.websocket('ws://board/ws', Echo())": ("path", "ws://board/ws"),
    "server.websocket('/ws', Echo()); server.websocket('/ws', Echo())": ("path", "/ws"),
    "server.websocket('/ws', Echo(), access='secret')": ("access", "'secret'"),
    "server.websocket('/ws', Echo(), access=Token)": ("access", "Token"),
    "server.websocket('/ws', Echo(), access=True)": ("access", "True"),
    "server.websocket('/ws', Echo(), 'chat')": ("subprotocols", "'chat'"),
    "server.websocket('/ws', Echo(), 5)": ("subprotocols", "5"),
    "server.websocket('/ws', Echo(), (b'chat',))": ("subprotocols", "b'chat'"),
    "server.websocket('/ws', Echo(), ('two words',))": ("subprotocols", "two words"),
    "server.websocket('/ws', Echo(), origins='*')": ("origins", "'*'"),
    "server.websocket('/ws', Echo(), origins=True)": ("origins", "True"),
    "server.websocket('/ws', Echo(), origins=(5,))": ("origins", "5"),
    "server.websocket('/ws', Echo(), overflow='wait')": ("overflow", "'wait'"),
    "server.files('/', '/none')": ("directory", "/none"),
    "server.files('/', 'cases.json')": ("directory", "cases.json"),
    "server.files('/', None)": ("directory", "None"),
    "server.files('static', '.')": ("prefix", "'static'"),
    "server.files(None, '.')": ("prefix", "None"),
    "server.files('/?', '.')": ("prefix", "/?"),
    "server.files('/', '.'); server.files('/', '.')": ("prefix", "/"),
    "server.files('/', '.', https='443')": ("https", "'443'"),
    "server.files('/', '.', https=True)": ("https", "True"),
    "server.listen('80')": ("port", "'80'"),
    "server.listen(99999)": ("port", "99999"),
    "server.listen(0)": ("port", "0"),
    "server.listen(-1)": ("port", "-1"),
    "server.listen(80.0)": ("port", "80.0"),
    "server.listen(None)": ("port", "None"),
    "server.listen(PORT, tls=True)": ("tls", "True"),
    "server.listen(PORT, tls='/certs/server.crt.der')": ("tls", "/certs/server.crt.der"),
    "server.listen(PORT, host=5)": ("host", "5"),
    "server.run()": ("listen",),
    "Limits(messages='5')": ("messages", "'5'"),
    "Limits(connections=0)": ("connections", "0"),
    "Limits(handshakes=-1)": ("handshakes", "-1"),
    "Limits(bytes=[])": ("bytes", "[]"),
    "Limits({'messages': 5})": ("connections", "{'messages': 5}"),
    "Token(123)": ("secret", "123"),
    "Token(b'secret')": ("secret", "b'secret'"),
    "Token(None)": ("secret", "None"),
    "Token('')": ("secret",),
    "Basic('admin', 123)": ("password", "123"),
    "Basic('admin', '')": ("password",),
    "Basic(5, 'secret')": ("user", "5"),
    "Basic('a:b', 'secret')": ("user", "a:b"),
    "Server(max_clients='5')": ("max_clients", "'5'"),
    "Server(max_clients=None)": ("max_clients", "None"),
    "Server(max_clients=2.5)": ("max_clients", "2.5"),
    "Server(max_clients=0)": ("max_clients must be at least 1, not 0",),
    "Server(max_size=0)": ("max_size must be at least 1, not 0",),
    "Server(max_size='4k')": ("max_size", "'4k'"),
    "Server(max_head='2048')": ("max_head", "'2048'"),
    "Server(max_tls='2')": ("max_tls", "'2'"),
    "Server(read_size='1')": ("read_size", "'1'"),
    "Server(read_size=1)": ("read_size must be at least 64, not 1",),
    "Server(write_limit=10)": ("write_limit must be at least 512, not 10",),
    "Server(ping_interval=0)": ("ping_interval must be over 0 and at most 86400 s, not 0",),
    "Server(close_timeout=-1)": ("close_timeout must be over 0 and at most 86400 s, not -1",),
    "Server(write_limit=b'1')": ("write_limit", "b'1'"),
    "Server(ping_interval='20')": ("ping_interval", "'20'"),
    "Server(ping_timeout=[])": ("ping_timeout", "[]"),
    "Server(open_timeout='1')": ("open_timeout", "'1'"),
    "Server(close_timeout=0)": ("close_timeout", "0"),
    "Server(async_timeout=0)": ("async_timeout", "0"),
    "Server(purge='oldest')": ("purge must be None or 'lru'", "'oldest'"),
    "Server(log='debug')": ("log", "'debug'"),
    "Server(log=None)": ("log", "None"),
    "Server(log=10)": ("log", "10"),
    "server.every('1000', print)": ("ms", "'1000'"),
    "server.every(0.5, print)": ("ms", "0.5"),
    "server.every(0, print)": ("ms", "0"),
    "server.every(-1, print)": ("ms", "-1"),
    "server.every(1000, print('now'))": ("function", "None"),
    "server.every(print, 1000)": ("ms", "function"),
    "server.after(None, print)": ("ms", "None"),
    "server.after(1 << 30, print)": ("ms",),
    "server.after(1000, 'print')": ("function", "'print'"),
    "server.call_soon(None)": ("function", "None"),
    "server.call_soon('print')": ("function", "'print'"),
    "server.on_wait('print')": ("function", "'print'"),
    "server.every(1000, coroutine())": ("the coroutine coroutine()", "pass coroutine, not corou"),
    "server.every(1000, function(1, 2))": ("function", "None", "pass f, not f()"),
    "server.after(1000, 5)": ("function", "5", "pass f, not f()"),
    "server.call_soon(coroutine())": ("pass coroutine, not coroutine()",),
    "server.add_reader(None, print())": ("function", "None", "pass f, not f()"),
    "server.on_wait(coroutine())": ("pass coroutine, not coroutine()",),
    "server.route('/a')(coroutine())": ("route", "pass coroutine, not coroutine()"),
    "server.route('/a')(print())": ("route", "None", "pass f, not f()"),
    "server.events('/e', on_open=coroutine())": ("on_open", "pass coroutine, not coroutine()"),
    "server.route(function)": ("path", "the function function()", '@server.route("/path")'),
    "server.routes['/a'] = ('the firmware',); server.route('/a')(print)": ("/a", "the firmware"),
    "server.routes['/a'] = ('the firmware',); server.websocket('/a', Echo())": (
        *("/a", "the firmware"),
    ),
    "from wsserver import lazy; lazy.route(server, '/a', 'none'); server.route('/a')": (
        *("/a", "none"),
    ),
    "server.broadcast(coroutine())": ("broadcast", "coroutine", "`await`"),
    "server.broadcast({'a': 1})": ("broadcast", "dict", "json.dumps()"),
    "server.broadcast(function)": ("broadcast", "function", "call it"),
    # Attributes, which are checked where they begin to matter.
    "server.limits = {'messages': 5}; server.listen(PORT); server.run()": ("limits", "messages"),
    "server.hosts = 'board'; server.listen(PORT); server.run()": ("hosts", "'board'"),
    "server.hosts = 5; server.listen(PORT); server.run()": ("hosts", "5"),
    "server.origins = 'http://a'; server.listen(PORT); server.run()": ("origins", "http://a"),
    "server.origins = None; server.listen(PORT); server.run()": ("origins", "None"),
    "server.hosts = [b'board']; server.listen(PORT); server.run()": ("hosts", "b'board'"),
    "server.origins = [5]; server.listen(PORT); server.run()": ("origins", "5"),
    "server.proxies = (10,); server.listen(PORT); server.run()": ("proxies", "10"),
    "server.proxies = '10.0.0.1'; server.listen(PORT); server.run()": ("proxies", "10.0.0.1"),
    "server.portal = True; server.listen(PORT); server.run()": ("portal", "True"),
    "server.max_clients = '5'; server.listen(PORT); server.run()": ("max_clients", "'5'"),
    "server.log = 'debug'; server.listen(PORT); server.run()": ("log", "'debug'"),
    "server.ping_interval = '5'; server.listen(PORT); server.run()": ("ping_interval", "'5'"),
}

RIGHT = [
    "server.websocket('/', Echo())",
    "server.websocket('/ws/v1.2~a-b_c', Echo(), ['chat', 'v2.chat'], [None, 'self', 'http://a'])",
    "server.websocket('/ws', Silent())",
    "server.websocket('/a', Coroutine()); server.websocket('/b', Inherits())",
    "server.every(1000, coroutine); server.after(1000, coroutine)",
    "server.websocket('/a', Echo()); server.websocket('/b', Echo())",
    "server.websocket('/ws', Echo(), access=Token('secret'))",
    "server.files('/', '.'); server.files('/other/', '.')",
    "server.files('/', '/')",
    "server.files('/', '.', https=443)",
    "server.listen(PORT, tls=None)",
    "server.every(1, print); server.after(0xFFFFFFF, lambda: None)",
    "server.call_soon(print, 1, 2)",
    "Limits(1, None, 0.5, 100000)",
    "Basic('', 'secret')",
    "Server(ping_interval=0.5, ping_timeout=None, open_timeout=None, close_timeout=None)",
]


@pytest.fixture(scope="module")
def outcomes(lib, tmp_path_factory):
    """What each snippet ended with: (name of the exception, its text)."""
    folder = tmp_path_factory.mktemp("registrations")
    sources = [*WRONG, *RIGHT]
    port = str(free_port())
    cases = [source.replace("PORT", port) for source in sources]
    (folder / "cases.json").write_text(json.dumps(cases))
    last = run_script(lib, PREPARED, folder).splitlines()[-1]
    return dict(zip(sources, json.loads(last), strict=True))


@pytest.mark.parametrize("source", WRONG)
def test_a_wrong_registration_raises_an_error_that_names_it(outcomes, source):
    error, text = outcomes[source]
    assert error in ("TypeError", "ValueError")
    for word in WRONG[source]:
        assert word in text


@pytest.mark.parametrize("source", RIGHT)
def test_a_right_registration_is_accepted(outcomes, source):
    assert outcomes[source] == ["nothing", ""]


def test_checks_of_registrations_do_not_stay_in_memory(lib, tmp_path):
    program = """
import sys
from wsserver import Server


class Echo:
    def on_message(self, client, message):
        pass


server = Server()
server.websocket("/ws", Echo())
server.files("/", ".")
server.every(1000, print)
server.listen(PORT)
server.after(1, server.stop)
server.run()
print(sorted(name for name in sys.modules if "check" in name))
"""
    output = run_script(lib, program.replace("PORT", str(free_port())), tmp_path)
    assert output == "[]\n"


def test_texts_of_errors_do_not_stay_in_memory(lib, tmp_path):
    output = run_script(
        lib,
        """
import errno
import sys
from wsserver import Server
from wsserver.log import describe, traceback

server = Server()
before = set(sys.modules)
text = describe(OSError(errno.ECONNRESET)) + traceback(ValueError("wrong"))
for wrong in (lambda: server.every(0, print), lambda: server.broadcast(1), lambda: server.run()):
    try:
        wrong()
    except (TypeError, ValueError) as error:
        text += "|%s" % error
print(text)
print(sorted(set(sys.modules) - before))
""",
        tmp_path,
    )
    assert "ECONNRESET (connection reset by the peer)" in output
    assert "ValueError: wrong" in output
    assert "broadcast() takes str or bytes, not int" in output
    assert output.splitlines()[-1] == "[]"
