"""What stands in for the chip's modules has the chip's names, arguments, numbers and limits.

The names and arguments are compared with the published stubs; numbers and limits are those that
were measured on the chip.
"""

import ast
import socket
import sys
import time
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FILES = (ROOT / "tools/virtualboard/modules").glob("*.py")
# _tls.py stands in for tls, _chipthread.py for _thread; _chipheap.py and _flash.py stand in for
# nothing.
OTHERS = ("_chipheap", "_chipthread", "_flash")
SOURCES = {path.stem.lstrip("_"): path for path in FILES if path.stem not in OTHERS}
FIRMWARE = [ROOT / "boot.py", ROOT / "main.py", *sorted((ROOT / "lib").rglob("*.py"))]

# What the chip takes although the stubs do not say so: streams have optional arguments.
WIDER_THAN_THE_STUBS = {
    "socket.socket.write",  # write(buf, offset, length), as every stream of MicroPython's
    "socket.socket.readline",  # readline(size)
}
# What the chip has although the stubs do not say so.
NOT_IN_THE_STUBS = {
    "socket.socket.ioctl",  # the stream protocol's, which is not seen on the chip
    "tls.SSLContext.verify_mode",
}

modules = pytest.mark.parametrize("module", sorted(SOURCES))


@pytest.fixture(scope="module")
def prompt(make_board):
    """A board with nothing but its prompt."""
    return make_board(files={"boot.py": "", "main.py": ""}, wait=False)


CLEAN = """
import gc
for _name in [name for name in globals() if name[0] != "_" and name != "gc"]:
    del globals()[_name]
gc.collect()
"""


@pytest.fixture
def run(prompt):
    """run(code) -> what the code prints on the board; it starts with no variable, no socket."""
    prompt.exec(CLEAN)
    return prompt.exec


def value_of(run, code, expression):
    return ast.literal_eval(run(f"{code}\nprint(repr({expression}))").strip())


# --- compared with the stubs


def stub_of(module):
    """The published stub of a module, parsed."""
    name, package = f"{module}.pyi", "micropython-esp32-stubs"
    if module in ("os", "ssl"):
        path = {"os": "os/__init__.pyi", "ssl": "ssl.pyi"}[module]
        name, package = f"stdlib/{path}", "micropython-stdlib-stubs"
    return ast.parse(Path(str(distribution(package).locate_file(name))).read_text())


def statements(body):
    """The statements of a body, those below `if` and `try` included."""
    for node in body:
        if isinstance(node, (ast.If, ast.Try)):
            yield from statements([*node.body, *node.orelse, *getattr(node, "finalbody", [])])
            for handler in getattr(node, "handlers", []):
                yield from statements(handler.body)
        else:
            yield node


def definitions(tree):
    """{name: [its definitions]} of a module's or class's body; methods are "class.method"."""
    found = {}
    for node in statements(tree.body):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.AnnAssign):
            found.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for name in ast.walk(target):
                    if isinstance(name, ast.Name):
                        found.setdefault(name.id, []).append(node.value)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                found.setdefault(alias.asname or alias.name, []).append(node)
        if isinstance(node, ast.ClassDef):
            for name, nodes in definitions(node).items():
                found.setdefault(f"{node.name}.{name}", []).extend(nodes)
    return found


def is_public(name):
    return not any(part.startswith("_") for part in name.split("."))


def names_on_the_board(run, module):
    return {
        name for name in value_of(run, f"import {module}", f"dir({module})") if is_public(name)
    }


class Arguments:
    """What a function takes: of one definition, or of all overloads together."""

    def __init__(self, functions, is_method):
        self.least = self.most = None
        self.keywords = set()
        self.any = False
        for function in functions:
            arguments = function.args
            static = any(
                isinstance(decorator, ast.Name) and decorator.id == "staticmethod"
                for decorator in function.decorator_list
            )
            count = len(arguments.posonlyargs) + len(arguments.args) - (is_method and not static)
            least = count - len(arguments.defaults)
            self.least = least if self.least is None else min(self.least, least)
            self.most = count if self.most is None else max(self.most, count)
            self.keywords |= {argument.arg for argument in arguments.kwonlyargs}
            self.any = self.any or arguments.vararg is not None or arguments.kwarg is not None


def differences(module, own, stub):
    """What is wrong with the arguments of a module's functions and methods, as sentences."""
    for name, (node, *_) in own.items():
        if not isinstance(node, ast.FunctionDef) or not is_public(name):
            continue
        published = [other for other in stub.get(name, []) if isinstance(other, ast.FunctionDef)]
        full_name = f"{module}.{name}"
        if not published or full_name in WIDER_THAN_THE_STUBS:
            continue
        mine = Arguments([node], "." in name)
        theirs = Arguments(published, "." in name)
        if not theirs.any and mine.least > theirs.least:
            yield f"{full_name} wants {mine.least} arguments, on the chip {theirs.least}"
        if not (mine.any or theirs.any) and mine.most != theirs.most:
            yield f"{full_name} takes {mine.most} arguments, on the chip {theirs.most}"
        unknown = mine.keywords - theirs.keywords
        if unknown and not theirs.any:
            yield f"{full_name} takes keywords that the chip does not know: {unknown}"


# The 64-bit interpreter brings an ssl module of its own: a frozen one, as the chip's.
OF_THE_INTERPRETER = {"ssl": {"tls"}}


@modules
def test_a_stand_in_has_no_public_name_that_the_chip_lacks(run, module):
    published = definitions(stub_of(module))
    more = names_on_the_board(run, module) - set(published)
    assert more - OF_THE_INTERPRETER.get(module, set()) == set()


@modules
def test_a_class_of_a_stand_in_has_no_public_member_that_the_chip_lacks(module):
    published = definitions(stub_of(module))
    own = definitions(ast.parse(SOURCES[module].read_text()))
    members = {f"{module}.{name}" for name in own if "." in name and is_public(name)}
    assert members - {f"{module}.{name}" for name in published} - NOT_IN_THE_STUBS == set()


@modules
def test_functions_and_methods_of_a_stand_in_take_what_the_chips_take(module):
    own = definitions(ast.parse(SOURCES[module].read_text()))
    assert list(differences(module, own, definitions(stub_of(module)))) == []


def test_a_difference_in_arguments_would_be_found():
    stub = definitions(ast.parse("class A:\n def f(self, a, b=1, /): ...\ndef g(*, c=1): ..."))
    for code in (
        "class A:\n def f(self): 0",
        "class A:\n def f(self, a, b, c): 0",
        "def g(*, d): 0",
    ):
        assert list(differences("m", definitions(ast.parse(code)), stub)) != []
    same = definitions(ast.parse("class A:\n def f(self, x, y=2): 0\ndef g(*, c): 0"))
    assert list(differences("m", same, stub)) == []


@modules
def test_a_stand_ins_constants_have_the_chips_values(run, module):
    numbers = {
        name: nodes[0].value
        for name, nodes in definitions(stub_of(module)).items()
        if isinstance(nodes[0], ast.Constant) and type(nodes[0].value) is int
    }
    names = names_on_the_board(run, module) & set(numbers)
    # getattr: the compiler of the Unix port puts its own numbers in for errno.NAME.
    mine = value_of(
        run, f"import {module}", f"{{n: getattr({module}, n) for n in {names or '()'}}}"
    )
    assert mine == {name: numbers[name] for name in names}


def names_used(module):
    """(name, file) for each module.name that the firmware uses."""
    for file in FIRMWARE:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id == module:
                    yield node.attr
            elif isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
                yield from (alias.name for alias in node.names)


@modules
def test_a_stand_in_has_every_name_that_the_firmware_uses(run, module):
    used = set(names_used(module)) - ({"EPERM"} if module == "errno" else set())
    assert used - names_on_the_board(run, module) == set()


MISSING = {
    "socket": "AF_UNIX MSG_PEEK SO_KEEPALIVE SO_LINGER SO_ERROR inet_pton inet_ntop sockaddr",
    "socket.socket": "getsockopt getpeername getsockname shutdown recv_into",
    "os": "getenv putenv unsetenv system",
}


@pytest.mark.parametrize("owner", sorted(MISSING))
def test_what_the_chip_lacks_is_missing_here_too(run, owner):
    expression = f"[name for name in {MISSING[owner].split()} if hasattr({owner}, name)]"
    assert value_of(run, f"import {owner.split('.')[0]}", expression) == []


# --- sockets

TRY = """
import errno, select, socket, time
def attempt(function, *args):
    try:
        return function(*args)
    except OSError as error:
        return "error %d" % error.errno
"""

SERVE = (
    TRY
    + """
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(socket.getaddrinfo("0.0.0.0", 80)[0][-1])
listener.listen(5)
"""
)


@pytest.fixture
def peer(prompt, run):
    """peer(**buffer) -> a connection to port 80; `conn` is its end on the board, non-blocking."""
    made = []

    def connect(receive_buffer=None):
        run(SERVE)
        sock = socket.socket()
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(10)
        sock.connect((prompt.address, prompt.http_port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        run("conn, address = listener.accept()\nconn.setblocking(False)")
        made.append(sock)
        return sock

    yield connect
    for sock in made:
        sock.close()


def test_there_are_ten_sockets_and_no_more(run):
    made = value_of(
        run,
        TRY + "made = [attempt(socket.socket) for _ in range(12)]",
        "[one if isinstance(one, str) else '' for one in made]",
    )
    assert made == [""] * 10 + ["error 23"] * 2


def test_a_closed_socket_frees_a_place_for_another(run):
    code = "import socket\nfor _ in range(30):\n    socket.socket().close()"
    assert value_of(run, code, "len([socket.socket() for _ in range(10)])") == 10


def test_forgotten_sockets_free_places_for_others(run):
    code = TRY + "made = [isinstance(attempt(socket.socket), str) for _ in range(50)]"
    assert value_of(run, code, "any(made)") is False


def test_a_socket_that_was_closed_twice_counts_once(run):
    code = TRY + (
        "one = socket.socket()\nother = socket.socket()\none.close()\nthird = socket.socket()\n"
        "one.close()\nrest = [attempt(socket.socket) for _ in range(9)]"
    )
    assert value_of(run, code, "len([one for one in rest if isinstance(one, str)])") == 1


def test_a_closed_socket_never_touches_the_one_that_gets_its_number(run):
    code = TRY + (
        "one = socket.socket()\none.close()\nother = socket.socket()\n"
        "calls = [(one.read, 1), (one.write, b'x'), (one.recv, 1), (one.send, b'x'),"
        " (one.readinto, bytearray(1)), (one.bind, ('0.0.0.0', 80)), (one.listen, 1)]"
    )
    assert set(value_of(run, code, "[attempt(*call) for call in calls]")) == {"error 9"}


def test_a_connection_beyond_the_tenth_socket_sees_its_end_at_once(prompt, run):
    run(SERVE + "others = [socket.socket() for _ in range(9)]")
    with socket.create_connection((prompt.address, prompt.http_port), 10) as sock:
        assert run("print(attempt(listener.accept))").strip() == "error 23"
        assert sock.recv(1) == b""


def test_a_port_that_is_taken_raises_the_chips_eaddrinuse(run):
    code = SERVE + "second = socket.socket()"
    assert value_of(run, code, "attempt(second.bind, ('0.0.0.0', 80))") == "error 112"


def test_an_errno_imported_by_name_is_the_chips(run):
    assert value_of(run, "from errno import EADDRINUSE, ENOTCONN", "[EADDRINUSE, ENOTCONN]") == [
        112,
        128,
    ]


@pytest.mark.parametrize("name", ["machine.Timer", "machine.ADC", "esp32.NVS"])
def test_what_is_not_faked_cannot_be_imported(run, name):
    module, part = name.split(".")
    with pytest.raises(RuntimeError, match="ImportError"):
        run(f"from {module} import {part}")


def test_a_refused_connect_raises_the_chips_error_104(run):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        code = TRY + "sock = socket.socket()"
        connect = f"attempt(sock.connect, ('127.0.0.1', {unused.getsockname()[1]}))"
        assert value_of(run, code, connect) == "error 104"


def test_addresses_are_tuples_of_text_and_port(run, peer):
    peer()
    assert value_of(run, "", "address")[0] == "127.0.0.1"
    assert value_of(run, "", "socket.getaddrinfo('0.0.0.0', 80)[0][-1]") == ("0.0.0.0", 80)
    code = (
        "one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\none.bind(('0.0.0.0', 5998))\n"
        "one.sendto(b'hi', ('127.0.0.1', 5998))"
    )
    assert value_of(run, code, "one.recvfrom(9)") == (b"hi", ("127.0.0.1", 5998))


def test_of_many_datagrams_only_the_first_few_are_kept_and_none_raises_eagain(run):
    code = TRY + (
        "one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\none.bind(('0.0.0.0', 53))\n"
        "for _ in range(50):\n    one.sendto(b'x' * 40, ('127.0.0.1', 53))\n"
        "one.setblocking(False)\nkept = 0\n"
        "while attempt(one.recvfrom, 512) != 'error 11':\n    kept += 1\n"
    )
    assert 4 <= value_of(run, code, "kept") <= 8  # lwIP's mailbox holds six


def test_two_sockets_of_a_board_reach_each_other_on_port_80(run):
    code = (
        SERVE + "client = socket.socket()\nclient.connect(('127.0.0.1', 80))\nclient.write(b'x')"
    )
    assert value_of(run, code, "listener.accept()[0].recv(5)") == b"x"


def test_a_call_that_would_block_gives_none_or_eagain(run, peer):
    peer()
    results = "[conn.read(1), conn.readinto(bytearray(1)), attempt(conn.recv, 1)]"
    assert value_of(run, "", results) == [None, None, "error 11"]
    run("listener.setblocking(False)")
    assert value_of(run, "", "attempt(listener.accept)") == "error 11"


def test_a_write_that_does_not_fit_is_partial_and_then_none(run, peer):
    sock = peer(receive_buffer=4096)
    fill = (  # in one go, since the network may free memory again at any time
        "parts, data = [], bytes(20000)\n"
        "for _ in range(1000):\n"
        "    parts.append(conn.write(data))\n"
        "    if parts[-1] is None: break\n"
        "parts.append(attempt(conn.send, b'x'))"
    )
    parts = value_of(run, fill, "parts")
    assert parts[-2:] == [None, "error 11"]
    assert 0 < parts[0] < 20000
    sent = sum(parts[:-2])
    assert sent < 64000, "the send buffer is not the chip's"
    received = 0
    while received < sent:
        received += len(sock.recv(65536))
    assert received == sent


def test_a_stream_write_takes_an_offset_and_a_length(run, peer):
    sock = peer()
    assert value_of(run, "", "conn.write(b'abcdef', 2, 3)") == 3
    assert sock.recv(10) == b"cde"


def test_the_end_of_a_connection_reads_as_nothing_and_then_breaks_writes(run, peer):
    peer().close()
    assert value_of(run, "", "[conn.readinto(bytearray(1)), conn.read(1)]") == [0, b""]
    run("for _ in range(100):\n    last = attempt(conn.write, b'x')\n"
        "    if isinstance(last, str): break\n    time.sleep_ms(10)")  # fmt: skip
    assert value_of(run, "", "last") == "error 104"


ECHO = """
conn.setblocking(True)
conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while True:
    data = conn.recv(4096)
    if not data:
        break
    conn.sendall(data)
"""


def test_echoing_more_than_the_window_does_not_stall(prompt, run, peer):
    sock = peer()
    # Pasted at the prompt, which does not wait for its end as `run` does.
    prompt.serial_write(b"\x05" + ECHO.encode() + b"\x04")
    times = []
    for _ in range(50):
        began = time.monotonic()
        sock.sendall(bytes(8000))
        left = 8000
        while left:
            left -= len(sock.recv(65536))
        times.append(time.monotonic() - began)
    # The tenth of them: the machine may be busy.
    assert sorted(times)[5] < 0.03, "it takes 40 ms of delayed ACK each time"


@pytest.mark.skipif(sys.platform != "linux", reason="CPU time is read from /proc")
def test_waiting_in_poll_costs_no_time_of_the_cpu(run, prompt, peer):
    def ticks():
        fields = Path(f"/proc/{prompt.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    peer()
    before = ticks()
    run("poller = select.poll()\npoller.register(conn, select.POLLIN)\npoller.poll(1000)")
    assert ticks() - before < 30  # hundredths of a second


def test_poll_hands_back_the_objects_that_were_registered(run, peer):
    peer().send(b"x")
    code = (
        "poller = select.poll()\npoller.register(conn, select.POLLIN)\nready = poller.poll(5000)"
    )
    assert value_of(run, code, "ready[0][0] is conn and ready[0][1] == select.POLLIN") is True


# --- machine, time, os


def test_the_reset_cause_is_told_apart(prompt):
    def cause():
        return prompt.exec("import machine; print(machine.reset_cause())").strip()

    def after(action):
        start = prompt.log_position
        action()
        prompt.wait_for_log(r'Type "help\(\)"[^\n]*\n>>> $', since=start)
        return cause()

    assert after(prompt.power_cycle) == "1"
    assert after(lambda: prompt.serial_write(b"import machine; machine.reset()\r")) == "2"
    assert after(lambda: prompt.serial_write(b"\x04")) == "5"
    assert after(lambda: prompt.serial_write(b"import machine; machine.soft_reset()\r")) == "5"


def test_a_pin_is_checked_as_on_the_chip(run):
    code = """
from machine import Pin
def kind(*args):
    try:
        return Pin(*args).value()
    except ValueError as error:
        return str(error)
"""
    results = value_of(run, code, "[kind(2, Pin.OUT), kind(40), kind(20), kind(34, Pin.OUT)]")
    assert results == [0, "invalid pin", "invalid pin", "pin can only be input"]


def test_a_pin_does_not_forget_its_level_when_a_new_object_is_made_for_it(run):
    code = "from machine import Pin\nPin(4, Pin.OUT).on()\nPin(5, Pin.OUT, value=1).toggle()"
    assert value_of(run, code, "[Pin(4).value(), Pin(5).value()]") == [1, 0]


def test_an_addressable_led_is_sent_green_first_at_its_pace(run):
    code = """
import machine, neopixel
pixels = neopixel.NeoPixel(machine.Pin(18), 2)
pixels[1] = (10, 20, 30)
pixels.write()
"""
    results = "[len(pixels), pixels[1], pixels.timing, list(machine._sent[18])]"
    sent = [0, 0, 0, 20, 10, 30]
    assert value_of(run, code, results) == [2, (10, 20, 30), (400, 850, 800, 450), sent]


@pytest.mark.parametrize(
    "arguments", ["18, 0, (1, 2, 3, 4), b''", "pin, 1, (1, 2, 3, 4), b''", "pin, 0, (1, 2), b''"]
)
def test_a_bitstream_is_checked_as_on_the_chip(run, arguments):
    with pytest.raises(RuntimeError, match="ValueError"):
        run(f"import machine\npin = machine.Pin(18)\nmachine.bitstream({arguments})")


def test_the_watchdog_takes_what_the_chips_takes(run):
    code = """
from machine import WDT
def attempt(**arguments):
    try:
        WDT(**arguments)
    except (ValueError, TypeError) as error:
        return "%s: %s" % (type(error).__name__, error)
"""
    calls = "[attempt(timeout=0), attempt(timeout=1.5), attempt(id=1), attempt(timeout=86400000)]"
    short, part, other, day = value_of(run, code, calls)
    assert short == "ValueError: WDT timeout too short"
    assert part.startswith("TypeError") and other.startswith("ValueError") and day is None


def test_the_watchdog_restarts_a_board_that_does_not_feed_it(make_board):
    code = (
        "import machine, time\ncause = machine.reset_cause()\nprint('cause', cause)\n"
        "if cause == 1:\n    dog = machine.WDT(timeout=1000)\n    for _ in range(4):\n"
        "        time.sleep(0.4)\n        dog.feed()\n    print('fed')\n    machine.soft_reset()\n"
        "if cause == machine.SOFT_RESET:\n    time.sleep(5)\n"
    )
    board = make_board(files={"boot.py": "", "main.py": code}, wait=False)
    # A soft reset does not stop it; the reset does.
    board.wait_for_log(r"cause 1\nfed\n(.*\n)*cause 5\n(.*\n)*cause 3\n(.*\n)*>>> $")


def test_the_clock_starts_in_2000_which_is_its_epoch(run):
    assert value_of(run, "import time", "time.gmtime(0)") == (2000, 1, 1, 0, 0, 0, 5, 1)
    assert 0 <= value_of(run, "", "time.time()") < 3600
    assert value_of(run, "", "time.mktime((2026, 2, 3, 4, 5, 6, 0, 0))") == 823406706


def test_files_are_listed_with_their_sizes(run):
    code = "import os\nwith open('/sized.txt', 'w') as file: file.write('12345')"
    assert ("sized.txt", 0x8000, 0, 5) in value_of(run, code, "list(os.ilistdir('/'))")


def test_renaming_replaces_a_file(run):
    code = (
        "import os\nfor name in 'ab':\n    with open(name, 'w') as file: file.write(name)\n\n"
        "os.rename('a', '/b')"
    )
    assert value_of(run, code, "[open('b').read(), 'a' in os.listdir()]") == ["a", False]


def test_the_flash_is_all_there_is(run):
    names = set(value_of(run, "import os", "os.listdir('/')"))
    assert {"boot.py", "main.py", "lib"} <= names
    assert names & {"tmp", "etc", "home", "usr"} == set()
    assert value_of(run, "import sys", "sys.path") == ["", ".frozen", "/lib"]


def test_the_system_calls_itself_esp32(run):
    assert value_of(run, "import os", "os.uname().sysname") == "esp32"


# --- Wi-Fi

WIFI = """
import network, time
def attempt(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except (OSError, ValueError, TypeError) as error:
        return "%s: %s" % (type(error).__name__, error)
ap = network.WLAN(network.WLAN.IF_AP)
sta = network.WLAN(network.WLAN.IF_STA)
def join(*args):
    sta.active(True)
    sta.config(reconnects=0)
    sta.connect(*args)
    for _ in range(500):
        if sta.status() != network.STAT_CONNECTING: break
        time.sleep_ms(10)
    return sta.status()
"""


@pytest.fixture
def wifi(prompt, run):
    """Like `run`, with both interfaces off and nothing in the air."""
    prompt.air(networks={}, stations=[])
    run(WIFI + "ap.active(False)\nsta.active(False)")
    return run


def test_an_access_point_is_configured_only_after_it_is_active(wifi):
    assert value_of(wifi, "", "attempt(ap.config, ssid='x')") == "OSError: Wifi Invalid Mode"
    wifi(
        "ap.active(True)\nap.config(ssid='x', password='12345678', authmode=network.AUTH_WPA2_PSK)"
    )
    assert value_of(
        wifi, "", "[ap.config('ssid'), ap.config('essid'), ap.config('security')]"
    ) == [
        "x",
        "x",
        3,
    ]


@pytest.mark.parametrize(
    "settings",
    [
        "ssid=''",
        "ssid='x' * 33",
        "authmode=network.AUTH_WPA2_PSK, password='1234567'",
        "channel=15",
        "max_clients=0",
        "nonsense=1",
        "reconnects=1",
    ],
)
def test_an_access_point_refuses_what_the_driver_refuses(wifi, settings):
    result = value_of(wifi, "ap.active(True)", f"attempt(ap.config, {settings})")
    assert "Error: " in result


def test_both_names_give_the_same_interface(wifi):
    assert value_of(wifi, "", "network.WLAN(network.AP_IF) is ap and ap is not sta") is True
    assert "ValueError" in value_of(wifi, "", "attempt(network.WLAN, 7)")


def test_stations_that_come_and_go_are_seen(wifi, prompt):
    wifi("ap.active(True)")
    assert value_of(wifi, "", "ap.status('stations')") == []
    prompt.air(stations=["24:6f:28:aa:bb:cc"])
    assert value_of(wifi, "", "ap.status('stations')") == [
        (b"\x24\x6f\x28\xaa\xbb\xcc", "192.168.4.2")
    ]
    prompt.air(stations=[])
    assert value_of(wifi, "", "ap.status('stations')") == []


def test_a_station_joins_a_network_that_is_there(wifi, prompt):
    prompt.air(networks={"Home": {"password": "secret123"}})
    assert value_of(wifi, "", "join('Home', 'secret123')") == 1010
    assert value_of(wifi, "", "[sta.isconnected(), sta.ifconfig()[0] != '0.0.0.0']") == [
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("arguments", "status"), [("'Elsewhere', 'x'", 201), ("'Home', 'wrong'", 202)]
)
def test_a_station_that_cannot_join_is_told_why(wifi, prompt, arguments, status):
    prompt.air(networks={"Home": {"password": "secret123"}})
    assert value_of(wifi, "", f"join({arguments})") == status


def test_a_station_loses_a_network_that_goes_away_and_comes_back_with_it(wifi, prompt):
    prompt.air(networks={"Home": {"password": "secret123"}})
    wifi("join('Home', 'secret123')\nsta.config(reconnects=-1)")
    prompt.air(networks={})
    assert value_of(wifi, "", "sta.isconnected()") is False
    prompt.air(networks={"Home": {"password": "secret123"}})
    assert value_of(wifi, "", "sta.isconnected()") is True


def test_a_station_that_is_not_active_cannot_connect(wifi):
    assert value_of(wifi, "", "attempt(sta.connect, 'x', 'y')") == "OSError: Wifi Not Started"


def test_the_host_name_and_the_country_are_kept(wifi):
    code = "network.hostname('my-board')\nnetwork.country('DE')"
    assert value_of(wifi, code, "[network.hostname(), network.country()]") == ["my-board", "DE"]
    assert "ValueError" in value_of(wifi, "", "attempt(network.country, 'DEU')")


def test_idf_heap_info_gives_four_numbers_a_region(run):
    regions = value_of(run, "import esp32", "esp32.idf_heap_info(esp32.HEAP_DATA)")
    assert regions and all(len(region) == 4 for region in regions)
