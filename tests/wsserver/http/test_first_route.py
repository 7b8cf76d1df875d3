"""What routes take of the heap."""

from tests.wsserver.programs import run_script
from tools.ports import free_port

# Bytes, by the size of words. Registering takes 2.6 KB with 32 bits, the handler included.
MOST = {32: 3072, 64: 4608}
PROGRAM = """
import gc
from wsserver import Server


def used():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


class Echo:
    def on_message(self, client, message):
        client.send(message)


server = Server()
server.websocket("/ws", Echo())
server.listen(PORT)
used()
before = used()


@server.route("/first")
def first(request):
    return "first"


after = used()


@server.route("/second")
def second(request):
    return "second"


print(after - before, used() - after)
"""


def test_the_first_route_takes_little_heap_and_the_next_less(lib, tmp_path, word):
    program = PROGRAM.replace("PORT", str(free_port()))
    first, second = run_script(lib, program, tmp_path).split()
    assert int(first) <= MOST[word]
    assert int(second) <= MOST[word] // 8
