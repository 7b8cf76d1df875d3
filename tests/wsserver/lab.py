"""main.py of the boards on which the server is tested: one endpoint for each thing that a client
can bring about.

Runs on MicroPython. /lab.json holds the arguments of Server and of Limits, the ports, and whether
there is TLS.
"""

import gc
import json
import os
import time

from wsserver import Server

with open("/lab.json") as file:
    lab = json.load(file)


HOARD = [None] * 1000  # for starve(); made before the heap is fragmented


def log(level, text):
    print("[%d] %s" % (level, text))


server = Server(log=log, **lab["server"])
if lab["limits"]:
    from wsserver.http.ratelimit import Limits

    server.limits = Limits(**lab["limits"])


class Reporting:
    """Tells on serial when its clients come and go."""

    def on_open(self, client):
        print("opened", client.id, client.path)

    def on_close(self, client, code, reason):
        print("closed", client.id, client.path, code, reason, "%d left" % len(server.clients))


class Echo(Reporting):
    def on_message(self, client, message):
        client.send(message)


class Laden(Echo):
    """Gives its clients as many attributes as the query says: at some number what holds them must
    grow for one more.
    """

    def on_open(self, client):
        for number in range(int(client.query)):
            setattr(client, "number%d" % number, number)


class Types:
    """Answers with type and length."""

    def on_message(self, client, message):
        client.send("%s %d" % (type(message).__name__, len(message)))


class Chunks:
    """Takes messages of any size in pieces; answers with what it has seen."""

    def on_chunk(self, client, chunk, final):
        count, size = client.context or (0, 0)
        client.context = (count + 1, size + len(chunk))
        if final:
            client.send(
                "%s of %d bytes in %d"
                % ("text" if client.text else "binary", client.context[1], count + 1)
            )
            client.context = None


class Raises(Reporting):
    """Raises in the callback that the query names."""

    def on_open(self, client):
        super().on_open(client)
        if client.query == "open":
            raise RuntimeError("on purpose in open")

    def on_message(self, client, message):
        if message == "memory":
            raise MemoryError("memory allocation failed, allocating 9 bytes")
        raise RuntimeError("on purpose in message")

    def on_close(self, client, code, reason):
        super().on_close(client, code, reason)
        raise RuntimeError("on purpose in close")


class Sends:
    """Sends `count` messages of `size` bytes when told so: "count size", and says how many were
    taken.
    """

    def on_message(self, client, message):
        count, size = (int(word) for word in message.split())
        taken = 0
        for _ in range(count):
            taken += client.send(bytes(size))
        print("taken", taken, "waiting", client.buffered)
        client.send("taken %d" % taken)

    def on_drain(self, client):
        print("drained", client.buffered)

    on_close = Reporting.on_close


class Paced:
    """Sends a million bytes as fast as the client takes them, using on_drain."""

    def on_message(self, client, message):
        client.context = 1000000
        self.on_drain(client)

    def on_drain(self, client):
        while client.context and client.send(bytes(1000)):
            client.context -= 1000
            if client.buffered > 2000:
                return


class Pings(Reporting):
    """Answers pings itself; pings on request."""

    def on_ping(self, client, data):
        client.pong(b"mine: " + data)

    def on_pong(self, client, data):
        client.send("pong " + str(data, "utf-8"))

    def on_message(self, client, message):
        client.ping(message)


class Describes:
    """Tells the client what the server knows of it, and counts its messages in its context."""

    def on_open(self, client):
        client.context = 0
        names = ("id", "path", "query", "subprotocol", "address")
        client.send(json.dumps({name: getattr(client, name) for name in names}))

    def on_message(self, client, message):
        client.context += 1
        client.send("message %d" % client.context)


class Sayings:
    """Sends each type that send() takes, and the one that it does not."""

    def on_message(self, client, message):
        data = bytearray(b"0123456789")
        for value in ("text", b"bytes", data, memoryview(data)[2:5], "ü" * 100, "", b""):
            client.send(value)
        try:
            client.send(42)
        except TypeError as error:
            client.send(str(error))


class Closes(Reporting):
    """Closes with the code and reason that it is told: "code reason"."""

    def on_message(self, client, message):
        code, _, reason = message.partition(" ")
        try:
            client.close(int(code), reason)
        except ValueError as error:
            client.send(str(error))
        if client.send("after close"):
            print("sent after close")


def all_there_is():
    """Use up the heap; it is free again when what is returned is forgotten."""
    chain = None
    try:
        while True:
            chain = (chain,)
    except MemoryError:
        return chain


class Control:
    """Orders for the server as a whole; each is a method."""

    def on_message(self, client, message):
        name, _, argument = message.partition(" ")
        getattr(self, name)(client, argument)

    def broadcast(self, client, text):
        client.send("reached %d" % server.broadcast(text, path="/ws"))

    def numbers(self, client, argument):
        """Broadcast numbers from `first` on in messages of 3 KB, in one callback."""
        first, count = argument.split()
        for number in range(int(first), int(first) + int(count)):
            text = "%05d" % number + "x" * 3000
            taken = server.broadcast(text, path="/ws")
        client.send("reached %d" % taken)

    def everyone(self, client, text):
        server.broadcast(text)

    def clients(self, client, _):
        client.send(json.dumps([other.id for other in server.clients]))

    def send_to(self, client, argument):
        id, _, text = argument.partition(" ")
        other = server.client(int(id))
        client.send("no such client" if other is None else "sent %s" % other.send(text))

    def memory(self, client, _):
        gc.collect()
        client.send("%d" % gc.mem_alloc())

    def every(self, client, argument):
        client.context = 0

        def tick():
            client.context += 1
            client.send("tick %d" % client.context)
            if client.context == 3:
                timer.cancel()

        timer = server.every(int(argument), tick)

    def after(self, client, argument):
        started = time.ticks_ms()
        server.after(
            int(argument), lambda: client.send("%d" % time.ticks_diff(time.ticks_ms(), started))
        )

    def broken_timer(self, client, _):
        def fail():
            client.context = (client.context or 0) + 1
            client.send("called %d" % client.context)
            raise RuntimeError("on purpose in timer")

        server.every(20, fail)

    def call_soon(self, client, argument):
        import _thread

        _thread.start_new_thread(lambda: server.call_soon(client.send, argument), ())

    def fill_queue(self, client, argument):
        taken = [server.call_soon(lambda _: None, None) for _ in range(int(argument))]
        client.send("%d of %d" % (sum(taken), len(taken)))

    def hog(self, client, argument):
        """Use up the whole heap for a while: "milliseconds bytes", the bytes left over."""
        time_ms, left = (int(word) for word in argument.split())
        hoard = []

        def release():
            hoard.clear()
            print("released")

        server.after(time_ms, release)
        spare = bytearray(left)
        hoard.append(all_there_is())
        del spare
        print("hogged")

    def starve(self, client, argument):
        """As `hog`, but for milliseconds only, and what becomes free meanwhile is used up, too."""

        def eat():
            HOARD[HOARD.index(None)] = all_there_is()

        def release():
            timer.cancel()
            for index in range(1000):  # without memory for another list
                HOARD[index] = None
            print("released")

        timer = server.every(1, eat)
        server.after(int(argument), release)
        eat()
        print("hogged")

    def stop(self, client, _):
        server.stop()


def build():
    server.websocket("/ws", Echo())
    server.websocket("/laden", Laden())
    server.websocket("/types", Types())
    server.websocket("/chunks", Chunks())
    server.websocket("/raises", Raises())
    server.websocket("/sends", Sends())
    server.websocket("/drops", Sends(), overflow="drop")
    server.websocket("/paced", Paced())
    server.websocket("/pings", Pings())
    server.websocket("/describes", Describes(), subprotocols=("chat", "superchat"))
    server.websocket("/sayings", Sayings())
    server.websocket("/closes", Closes())
    server.websocket("/silent", Reporting())
    server.websocket("/control", Control())
    if "site" in os.listdir("/"):
        server.files("/", "/site")
    for port in lab["ports"]:
        server.listen(port)
    if lab["tls"]:
        from certificates.context import server_context

        context = server_context("/certs/server.crt.der", "/certs/server.key.der")
        server.listen(443, tls=context)


build()
server.run()
print("server has stopped")
