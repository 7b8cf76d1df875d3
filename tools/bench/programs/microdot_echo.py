"""Microdot with its WebSocket extension, as its documentation shows it."""

from microdot import Microdot, Request
from microdot.websocket import WebSocket, with_websocket

TEXT = "b" * 100
Request.max_content_length = Request.max_body_length = MAX_SIZE
WebSocket.max_message_length = MAX_SIZE
app = Microdot()
everyone = []


@app.route("/ws")
@with_websocket
async def echo(request, ws):
    while True:
        await ws.send(await ws.receive())


@app.route("/all")
@with_websocket
async def to_all(request, ws):
    everyone.append(ws)
    try:
        while True:
            await ws.receive()
            for other in everyone:
                await other.send(TEXT)
    finally:
        everyone.remove(ws)


while True:
    try:
        app.run(host="0.0.0.0", port=80)
    except Exception as error:
        print("went on after", repr(error))
