"""Microdot with its WebSocket extension, as in its documentation; started again after an error.

The benchmarks use /ws and /all, `make compare` the rest.
"""

import asyncio
import gc
import time

from microdot import Microdot, Request
from microdot.sse import with_sse
from microdot.websocket import WebSocket, with_websocket

TEXT = "b" * 100
Request.max_content_length = Request.max_body_length = MAX_SIZE
WebSocket.max_message_length = MAX_SIZE
app = Microdot()
everyone = []
readers = []  # of events


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


@app.route("/json")
async def soil(request):
    return {"soil": 41, "unit": "%"}


@app.post("/upload")
async def upload(request):
    return {"size": len(request.body)}


@app.route("/site/<path:name>")
async def page(request, name):
    with open("/site/" + name, "rb") as file:  # a response of a file has no length there
        return file.read(), 200, {"Content-Type": "text/html"}


@app.route("/events")
@with_sse
async def events(request, sse):
    readers.append(sse)
    try:
        while True:
            await asyncio.sleep(60)
    finally:
        readers.remove(sse)


@app.route("/publish")
async def publish(request):
    for sse in readers:
        await sse.send(TEXT)
    return "sent"


while True:
    try:
        app.run(host="0.0.0.0", port=80)
    except Exception as error:
        print("went on after", repr(error))
