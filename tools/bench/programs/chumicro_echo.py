"""chumicro-websockets, as its documentation shows it."""

from chumicro_sockets import listener
from chumicro_timing import ticks_ms
from chumicro_websockets import WebSocketServer

TEXT = "b" * 100
everyone = []


def on_connection(connection):
    if connection.request_path == "/all":
        everyone.append(connection)
        connection.on_close = lambda *_: everyone.remove(connection)
        connection.on_text = lambda _: [other.send_text(TEXT) for other in everyone]
    else:
        connection.on_text = connection.send_text
        connection.on_binary = connection.send_binary


server = WebSocketServer(
    listener=listener("0.0.0.0", 80),
    on_connection=on_connection,
    max_connections=MOST,
    max_message_bytes=MAX_SIZE,
    max_tx_queue_size=64,  # of its default, 8, the 32 in flight would lose most
)
while True:
    now = ticks_ms()
    try:
        if server.check(now):
            server.handle(now)
    except Exception as error:
        print("went on after", repr(error))
