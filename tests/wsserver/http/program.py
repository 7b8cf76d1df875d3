"""main.py of the boards on which routes are tested. Runs on MicroPython."""

import gc
import io
import json

from wsserver import Response, Server, redirect
from wsserver.http.auth import Basic, Token

with open("/program.json") as file:
    options = json.load(file)


def log(level, text):
    print("[%d] %s" % (level, text))


server = Server(log=log, **options)


class Echo:
    def on_message(self, client, message):
        client.send(message)


server.websocket("/ws", Echo())


@server.route("/text")
def text(request):
    return "text ü"


@server.route("/bytes")
def data(request):
    return b"\x00\xff"


@server.route("/json")
def json_(request):
    return {"list": [1, None, "ü"]}


@server.route("/list")
def list_(request):
    return [1, 2]


@server.route("/none")
def none(request):
    return None


@server.route("/status/<int:status>")
def status(request, status):
    return status


@server.route("/tuple")
def tuple_(request):
    return "made", 201


@server.route("/response")
def response(request):
    made = Response("<p>", 202, {"X-One": "1", "X-Two": ["a", "b"]}, "text/html")
    made.set_cookie("session", "abc")
    return made


@server.route("/redirect")
def redirect_(request):
    return redirect("/text", 303) if request.query else redirect("/text")


@server.route("/items/<int:id>/<name>", methods=("GET", "PUT", "DELETE"))
def item(request, id, name):
    return {"method": request.method, "id": id, "name": name, "body": str(request.body, "utf-8")}


@server.route("/items/<int:id>/<name>", methods=("PATCH",))
def patch(request, id, name):
    return "patched"


@server.route("/describe", methods=("GET", "POST"))
def describe(request):
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "args": request.args,
        "cookies": request.cookies,
        "header": request.headers.get("x-test"),
        "ip": request.address[0],
        "secure": request.secure,
        "params": request.params,
    }


@server.route("/form", methods=("POST",))
def form(request):
    return request.form


@server.route("/multipart", methods=("POST",))
def multipart(request):
    form = request.form
    for name in form:
        if isinstance(form[name], bytes):
            form[name] = str(form[name], "utf-8")
    return form


@server.route("/parsed", methods=("POST",))
def parsed(request):
    return {"json": request.json()}


@server.route("/body", methods=("POST",))
def body(request):
    return request.body


@server.route("/small", methods=("POST",), max_body=10)
def small(request):
    return "%d" % len(request.body)


@server.route("/token", access=Token("secret"))
def token(request):
    return "in"


@server.route("/basic", access=Basic("admin", "secret"))
def basic(request):
    return "in"


@server.route("/shared", methods=("GET", "POST"), origins=("http://friend",))
def shared(request):
    return "shared"


@server.route("/raises", methods=("GET", "POST"))
def raises(request):
    raise RuntimeError("on purpose")


@server.route("/typed")
def typed(request):
    return Response("a,b", headers={"content-Type": "text/csv"})


@server.route("/reset")
def reset(request):
    return "none", 205


@server.route("/wrong/<int:which>")
def wrong(request, which):
    return (
        lambda: 42.5,
        lambda: Response,
        lambda: ("a", "b"),
        lambda: 99,
        lambda: "\ud800",
        lambda: Response("x", headers={"A": "b\r\nC: d"}),
        lambda: Response("x", headers={"A": 1}),
        lambda: redirect("/a\r\nB: c"),
        lambda: ("a", 200, {}),
        lambda: Response("x", headers={"Content-length": "5"}),
        lambda: Response("x", headers={"Transfer-Encoding": "chunked"}),
        lambda: Response("x", headers={"Connection": "keep-alive"}),
        lambda: Response("x", headers=["b"]),
        lambda: Response("x", headers={"B": "\ud800"}),
        lambda: Response("x", headers={"B": "x" * 5000}),
        lambda: cookie(5, "b"),
        lambda: cookie("a", 5),
        lambda: cookie("a", "b", 5),
        lambda: cookie("", "b"),
        lambda: cookie("a=b", "c"),
    )[which]()


def cookie(*args):
    response = Response("x")
    response.set_cookie(*args)
    return response


class Thing:
    pass


@server.route("/no-json/<int:which>")
def no_json(request, which):
    return (
        lambda: {"a": {1, 2}},
        lambda: {"a": [1, object()]},
        lambda: [(1, Thing())],
        lambda: Response({"a": {"b": Thing}}),
        lambda: {"a": range(3)},
        lambda: {"a": float("nan")},
        lambda: [float("-inf")],
        lambda: {(1, "a"): 2},
        lambda: {Thing(): 2},
    )[which]()


@server.route("/all-json")
def all_json(request):
    return {"a": [None, True, 2.5, (1, "b"), {}], 3: -1e30, "c": b"d", "e": 1 << 70}


@server.route("/slow")
def slow(request):
    import time

    time.sleep_ms(250)
    return "slow"


@server.route("/long/<int:size>")
def long(request, size):
    return "0123456789" * (size // 10)


def pieces(count, size):
    try:
        for index in range(count):
            yield (b"%04d" % index) * (size // 4) if index & 1 else "%04d" % index * (size // 4)
    finally:
        print("pieces closed")


@server.route("/pieces/<int:count>/<int:size>")
def pieces_(request, count, size):
    return Response(pieces(count, size))


def broken(count):
    for _ in range(count):
        yield b"x" * 1000
    raise RuntimeError("on purpose, later")


@server.route("/broken/<int:count>")
def broken_(request, count):
    return Response(broken(count))


@server.route("/file")
def file_(request):
    return Response(open("/big.txt", "rb"), content_type="text/plain")


class Endless(io.IOBase):
    """A file whose length is not known."""

    def __init__(self, left):
        self.left = left

    def readinto(self, buf):
        count = min(len(buf), self.left, 100)
        self.left -= count
        buf[:count] = b"e" * count
        return count

    def close(self):
        print("endless closed")


@server.route("/endless/<int:size>")
def endless(request, size):
    return Response(Endless(size))


@server.route("/ws")
def ws(request):
    return "not a WebSocket"


def greet(stream, request):
    stream.send("hello " + request.args.get("name", "you"))


events = server.events("/events", history=4, retry=100)
greeted = server.events("/greeted", on_open=greet)


@server.route("/send", methods=("POST",))
def send(request):
    order = request.json()
    count = 0
    for _ in range(order.pop("count", 1)):
        count += events.send(**order)
    return {"count": count}


@server.route("/send-wrong/<int:which>")
def send_wrong(request, which):
    try:
        count = events.send(
            (
                lambda: {"a": float("nan")},
                lambda: [float("inf")],
                lambda: {"a": {1}},
                lambda: {Thing(): 1},
                lambda: [b"\xff"],
                lambda: ["\ud800"],
                lambda: b"x",
                lambda: memoryview(b"x"),
                lambda: ("x",),
            )[which]()
        )
        return "sent to %d" % count
    except (TypeError, ValueError) as error:
        return str(error) or type(error).__name__


@server.route("/drop", methods=("POST",))
def drop(request):
    """Drop all clients of events, as a failing network does."""
    for stream in list(events._streams):
        server._drop(stream)


@server.route("/memory")
def memory(request):
    gc.collect()
    return "%d" % gc.mem_alloc()


try:
    import stream  # the routes with async handlers

    stream.add(server)
except ImportError:
    pass

server.files("/", "/site")
server.listen(80)
server.run()
