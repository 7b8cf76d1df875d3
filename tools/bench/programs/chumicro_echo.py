"""chumicro-websockets, as in its documentation; its loop goes on after an error.

The benchmarks use /ws and /all, `make compare` the rest.
"""

import gc
import time

from chumicro_sockets import listener
from chumicro_timing import ticks_ms
from chumicro_websockets import WebSocketServer

TEXT = "b" * 100
everyone = []


def on_connection(connection):
    def fails(text):
        raise ValueError("a mistake of the application")

    def slow(text):
        time.sleep_ms(300)
        connection.send_text(text)

    def heap(text):
        gc.collect()
        connection.send_text(str(gc.mem_alloc()))

    if connection.request_path == "/all":
        everyone.append(connection)
        connection.on_close = lambda *_: everyone.remove(connection)
        connection.on_text = lambda _: [other.send_text(TEXT) for other in everyone]
    else:
        connection.on_text = {"/fails": fails, "/slow": slow, "/heap": heap}.get(
            connection.request_path, connection.send_text
        )
        connection.on_binary = connection.send_binary


server = WebSocketServer(
    listener=listener("0.0.0.0", 80),
    on_connection=on_connection,
    max_connections=MOST,
    max_message_bytes=MAX_SIZE,
    **OPTIONS,
)
while True:
    now = ticks_ms()
    try:
        if server.check(now):
            server.handle(now)
    except Exception as error:
        print("went on after", repr(error))
