"""An idle server allocates no memory, so it never has to collect garbage.

This runs on the bare interpreter: the virtual board's sockets are Python code, which allocates.
"""

import socket
import subprocess
import threading

import pytest

from tests.wsserver.conftest import REQUEST
from tools.virtualboard import find_micropython
from tools.wsclient import PONG, frame

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import array, gc, wsserver, wsserver.acceptor, wsserver.server
# Where the heap lies at high addresses, as on 32-bit Linux, id() itself makes a large integer.
wsserver.server.id = wsserver.acceptor.id = lambda sock: sock.fileno()

class Echo:
    def on_message(self, client, message):
        client.send(message)

server = wsserver.Server(ping_interval=0.2)
if %r:
    from wsserver.http.ratelimit import Limits
    server.limits = Limits(connections=9, handshakes=100, messages=100, bytes=10000)
server.websocket("/ws", Echo())
server.listen(%d, "127.0.0.1")
used = array.array("i", [0] * 20)
count = array.array("i", [0])

def sample():
    if count[0] == len(used):
        server.stop()
        return
    used[count[0]] = gc.mem_alloc()
    count[0] += 1

def start():
    print("connected", len(server.clients))
    gc.collect()
    gc.disable()
    server.every(100, sample)

server.after(1500, start)
print("listening")
server.run()
print(list(used))
"""


def answer_pings(port, pings):
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(REQUEST.format(path="/ws").encode())
        while data := sock.recv(1000):
            for _ in range(data.count(b"\x89\0")):
                pings.append(1)
                sock.sendall(frame(PONG))
            if data[-4:-2] == b"\x88\x12" or b"\x88" in data:
                sock.sendall(frame(8, b"\x03\xe9"))


@pytest.mark.parametrize("limits", [False, True])
def test_an_idle_server_with_five_clients_allocates_nothing(lib, limits, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = tmp_path / "idle.py"
    program.write_text(PROGRAM % (limits, port))
    command = [*find_micropython(), "-X", "heapsize=1m", str(program), str(lib)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "listening\n"
        pings = []
        clients = [threading.Thread(target=answer_pings, args=(port, pings)) for _ in range(5)]
        for client in clients:
            client.start()
        output = process.stdout.read()
        for client in clients:
            client.join()
    assert output.startswith("connected 5\n"), output
    used = eval(output.splitlines()[-1])
    # A list of the server may just have five elements instead of four; that is freed at once.
    assert max(used) - min(used) <= 64, output
    assert len(pings) > 20
