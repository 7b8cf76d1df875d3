"""chumicro-websockets, as its documentation shows it; its loop goes on after an error."""

import gc
import time

from chumicro_sockets import listener
from chumicro_timing import ticks_ms
from chumicro_websockets import WebSocketServer, WhenOversized


def on_connection(connection):
    def fails(text):
        raise ValueError("a mistake of the application")

    def slow(text):
        time.sleep_ms(300)
        connection.send_text(text)

    def heap(text):
        gc.collect()
        connection.send_text(str(gc.mem_alloc()))

    path = connection.request_path
    connection.on_text = {"/fails": fails, "/slow": slow, "/heap": heap}.get(
        path, connection.send_text
    )
    connection.on_binary = connection.send_binary


server = WebSocketServer(
    listener=listener("0.0.0.0", 80),
    on_connection=on_connection,
    max_connections=7,
    max_message_bytes=4096,
    when_oversized=WhenOversized.DISCONNECT,
    handshake_timeout_ms=2000,
    pong_timeout_ms=1000,
)
while True:
    now = ticks_ms()
    try:
        if server.check(now):
            server.handle(now)
    except Exception as error:
        print("ended by", repr(error))
