"""An application in /app: how it is set up, and what happens if that fails."""

import json
import urllib.error
import urllib.request

import pytest
import websocket

ECHO = """
class Echo:
    def on_message(self, client, message):
        client.send(message)

def setup(board):
    board.server.websocket("/echo", Echo())
    print("set up", board.name, board.settings["server"]["port"], board.https_port)
"""
PASSWORD = "correct horse"
CONFIG = {"admin": {"password": PASSWORD}, "broadcast": {"interval": 0}}


def connect(board, path="/echo", **options):
    return websocket.create_connection(board.ws_url(path), timeout=10, **options)


def echo(board, path="/echo"):
    client = connect(board, path)
    client.send("hello")
    answer = client.recv()
    client.close()
    return answer


def page(board, path=""):
    with urllib.request.urlopen(board.http_url + path, timeout=10) as response:
        return response.read().decode()


@pytest.mark.parametrize("path", ["app/app.py", "app/__init__.py", "app/app/__init__.py"])
def test_an_application_is_a_module_or_a_package(make_board, path):
    board = make_board(files={path: ECHO})
    board.wait_for_log("set up esp32-ws 80 None")
    assert echo(board) == "hello"
    assert json.loads(refusal(board, "/demo"))


def refusal(board, path):
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        connect(board, path)
    assert caught.value.status_code == 404
    return json.dumps(str(caught.value))


def test_the_demo_is_served_without_an_application(make_board):
    board = make_board(config=CONFIG, files={"app/notes.txt": "no application"})
    assert echo(board, "/ws") == "hello"


def test_an_application_imports_its_own_modules_by_either_name(make_board):
    files = {
        "app/app.py": "import sensors\nfrom . import pumps\n" + ECHO + "    print(sensors.NAME)\n",
        "app/sensors.py": "NAME = 'soil'\n",
        "app/pumps.py": "from app import sensors\n",
    }
    make_board(files=files).wait_for_log("soil")


def test_the_firmwares_modules_come_before_those_of_the_application(make_board):
    board = make_board(files={"app/app.py": ECHO, "app/startup.py": "print('hidden')\n"})
    assert echo(board) == "hello"
    assert "hidden" not in board.log


def test_pages_of_an_application_come_before_those_of_the_firmware(make_board):
    files = {"app/app.py": ECHO, "app/www/index.html": "my page", "app/www/a/b.txt": "text"}
    board = make_board(files=files)
    assert page(board) == "my page"
    assert page(board, "a/b.txt") == "text"
    assert "<title>" in page(board, "settings.html")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        page(board, "none.html")


ASYNC = """
import asyncio

async def setup(board):
    board.server.websocket("/echo", Echo())
    for number in range(3):
        await asyncio.sleep_ms(20)
        print("turn", number)
    {end}
"""


def test_setup_may_be_async_and_runs_beside_the_server(make_board):
    program = ECHO.split("def setup")[0] + ASYNC.format(end="await asyncio.sleep(100)")
    board = make_board(files={"app/app.py": program})
    board.wait_for_log("turn 2")
    assert echo(board) == "hello"


PATHS = """
class Chat:
    def on_open(self, client):
        pass


def setup(board):
    board.server.websocket("/rooms/<name>", Chat())
    board.server.websocket("/chat", Chat())
    board.server.events("/events")
    for number in range(7):
        board.server.route("/api/%d" % number)(lambda request: 204)
    board.server.route("/api/0", methods=("PUT",))(lambda request: 204)
    board.server.route("/items/<int:id>")(lambda request, id: 204)
"""


def test_the_log_names_the_paths_of_an_application(make_board):
    board = make_board(config=CONFIG, files={"app/app.py": PATHS})
    board.wait_for_log(
        "application: WebSocket /chat /rooms/<name>; "
        "HTTP /api/0 /api/1 /api/2 /api/3 /api/4 /api/5 and 3 more\n(.*\n)*serving http://"
    )


# --- an application that fails

RAISES = "def setup(board):\n    reading = {}\n    return reading['soil']\n"
HANGS = "def setup(board):\n    while True:\n        pass\n"
SAFE = r"safe mode: 3 starts failed, so the application is not started(.*\n)*serving http://"


def crash_log(board):
    return (board.flash / "crash.log").read_text()


def test_an_error_in_setup_is_logged_and_leads_to_safe_mode(make_board):
    board = make_board(config=CONFIG, files={"app/app.py": RAISES}, wait=False)
    board.wait_for_log(SAFE, 20)
    assert 'File "app/app.py", line 3, in setup\nKeyError: soil' in crash_log(board)
    assert board.log.count("Traceback") == 1
    for start in (2, 3):
        assert f"\nstart {start} failed in the same way: KeyError: soil\n" in board.log
    board.wait_for_log(r"serving http:.*\nsafe mode: correct the application and install it again")
    assert "make deploy" not in board.log
    assert "<title>" in page(board, "settings.html")
    headers = [f"Authorization: Bearer {PASSWORD}"]
    client = connect(board, "/update", header=headers)
    assert json.loads(client.recv())["state"] == ""
    client.close()


def test_an_error_of_an_async_setup_restarts_the_board(make_board):
    program = ECHO.split("def setup")[0] + ASYNC.format(end="1 / 0")
    board = make_board(config=CONFIG, files={"app/app.py": program}, wait=False)
    board.wait_for_log(SAFE, 20)
    assert "in setup\nZeroDivisionError" in crash_log(board)


def test_a_setup_that_never_returns_leads_to_safe_mode(make_board):
    config = {**CONFIG, "watchdog": {"timeout": 1}}
    board = make_board(config=config, files={"app/app.py": HANGS}, wait=False)
    board.wait_for_log(SAFE, 30)
    assert crash_log(board).count("the watchdog restarted the board: its loop hung") == 3
    assert "<title>" in page(board, "settings.html")


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("x = 1\n", "ValueError: app/app.py has no function setup(board)"),
        ("def setpu(board):\n    pass\n", "app/app.py has no function setup(board), but setpu"),
        ("def setup(\n", "SyntaxError: invalid syntax"),
        (
            "def setup(board):\n    board.server.websocket('/update', Endpoint())\n"
            "class Endpoint:\n    pass\n",
            "ValueError: path '/update' is used by the firmware: choose another one",
        ),
    ],
)
def test_an_application_that_cannot_be_set_up_is_reported(make_board, program, problem):
    board = make_board(config=CONFIG, files={"app/app.py": program}, wait=False)
    board.wait_for_log(SAFE, 20)
    assert problem in crash_log(board)


# The function that a beginner has written: a line of the log that explains the error.
MISTAKES = {
    "board.server.websockets('/x', None)": "Server has no websockets: did you mean websocket?",
    "board.sever.clients": "Board has no sever: did you mean server?",
    "board.panel.vallue('x', 1)": "Panel has no vallue: did you mean value?",
    "board.server.frobnicate()": "Server has no frobnicate. It has websocket, route, events,",
    "board.server.events('/e', on_opn=1)": "on_opn: did you mean on_open?",
    "from wsserver import Sever": "wsserver has no Sever: did you mean Server?",
    "server.clients": "the server is board.server in setup(board)",
    "import socket; socket.getaddrinfo('no.such.host', 80)": (
        "the host name could not be resolved: is there a network? (-202)"
    ),
    "raise OSError(28)": "ENOSPC (no space on the flash)",
    "board.server.listen(80)": (
        "EADDRINUSE (port in use): the server that setup(board) gets listens already"
    ),
    "board.server.run()": "by a callback of the server, or by setup(): remove the call",
    "board.server.websocket('/x', object)": "the class object: pass object()",
    "board.panel.value('Soil', print())": "get must be a function, not None: pass f, not f()",
    "board.panel.button('Soil', print())": "function must be a function, not None: pass f, not f",
    "board.panel.switch('Soil', set=print())": "set must be a function, not None: pass f, not f",
}


@pytest.mark.parametrize("call", MISTAKES)
def test_a_beginners_mistake_is_explained_below_its_traceback(make_board, call):
    program = f"def setup(board):\n    {call}\n"
    board = make_board(config=CONFIG, files={"app/app.py": program}, wait=False)
    board.wait_for_log(SAFE, 20)
    for log in (board.log, crash_log(board)):
        assert MISTAKES[call] in log
        assert 'File "app/app.py", line 2, in setup' in log
    assert board.log.count("Traceback") == 1


def test_a_setup_with_other_parameters_is_explained(make_board):
    files = {"app/app.py": "def setup():\n    pass\n"}
    board = make_board(config=CONFIG, files=files, wait=False)
    board.wait_for_log(r"TypeError.*\nit is called as setup\(board\)", 20)


def test_an_error_of_an_async_setup_is_explained(make_board):
    program = ECHO.split("def setup")[0] + ASYNC.format(end="board.sever")
    board = make_board(config=CONFIG, files={"app/app.py": program}, wait=False)
    board.wait_for_log("Board has no sever: did you mean server", 20)


@pytest.mark.parametrize("path", ["/settings", "/update", "/join"])
@pytest.mark.parametrize("call", ["route({!r})(print)", "websocket({!r}, Echo())"])
def test_a_path_of_the_firmware_is_refused_with_the_line(make_board, path, call):
    program = ECHO.split("def setup")[0] + "def setup(board):\n    board.server."
    board = make_board(files={"app/app.py": program + call.format(path)}, wait=False)
    board.wait_for_log(f"ValueError: path '{path}' is used by the firmware", 20)
    assert 'File "app/app.py", line 7, in setup' in board.log


def test_an_async_setup_cannot_take_the_paths_of_the_firmware_later(make_board):
    end = "board.server.websocket('/settings', Echo())"
    program = ECHO.split("def setup")[0] + ASYNC.format(end=end)
    board = make_board(config=CONFIG, files={"app/app.py": program}, wait=False)
    board.wait_for_log("ValueError: path '/settings' is used by admin.register", 20)


def test_a_restart_in_safe_mode_tries_the_application_again(make_board):
    board = make_board(config=CONFIG, files={"app/app.py": RAISES}, wait=False)
    board.wait_for_log(SAFE, 20)
    (board.flash / "app" / "app.py").write_text(ECHO)
    position = board.log_position
    board.power_cycle()
    board.wait_for_log("serving http://[^/]+/\r?\n", since=position)  # it has no /ws
    assert echo(board) == "hello"


def test_a_restart_in_safe_mode_prints_the_traceback_once_more(make_board):
    board = make_board(config=CONFIG, files={"app/app.py": RAISES}, wait=False)
    board.wait_for_log(SAFE, 20)
    position = board.log_position
    board.power_cycle()
    board.wait_for_log(SAFE, 20, since=position)
    assert board.log[position:].count("in setup\nKeyError: soil") == 1


def test_starts_that_fail_in_other_ways_print_each_traceback(make_board):
    program = "import os\ndef setup(board):\n    raise ValueError(len(os.listdir('/app')))\n"
    program += "open('/app/%d' % len(os.listdir('/app')), 'w').close()\n"
    board = make_board(config=CONFIG, files={"app/app.py": program}, wait=False)
    board.wait_for_log(SAFE, 20)
    assert board.log.count("Traceback") == 3
    assert "failed in the same way" not in board.log


def test_the_prompt_is_reachable_although_setup_never_returns(make_board):
    board = make_board(files={"app/app.py": "print('hanging')\n" + HANGS}, wait=False)
    board.wait_for_log("hanging")
    assert board.exec("print(1 + 1)") == "2\n"
