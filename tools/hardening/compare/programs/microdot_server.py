"""Microdot with its WebSocket extension, as its documentation shows it; started again when an
error ends it.
"""

import gc
import time

from microdot import Microdot
from microdot.websocket import WebSocket, with_websocket

WebSocket.max_message_length = 4096
app = Microdot()


@app.route("/ws")
@with_websocket
async def echo(request, ws):
    while True:
        await ws.send(await ws.receive())


@app.route("/fails")
@with_websocket
async def fails(request, ws):
    await ws.receive()
    raise ValueError("a mistake of the application")


@app.route("/slow")
@with_websocket
async def slow(request, ws):
    while True:
        message = await ws.receive()
        time.sleep_ms(300)
        await ws.send(message)


@app.route("/heap")
@with_websocket
async def heap(request, ws):
    while True:
        await ws.receive()
        gc.collect()
        await ws.send(str(gc.mem_alloc()))


while True:
    try:
        app.run(host="0.0.0.0", port=80)
    except Exception as error:
        print("ended by", repr(error))
