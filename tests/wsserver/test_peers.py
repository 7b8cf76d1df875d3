"""Clients of other makes against a live board."""

import asyncio

import pytest
import websocket
import websockets
from websockets.sync.client import connect


def test_websocket_client_talks_to_the_board(served):
    client = websocket.create_connection(
        f"ws://{served.address}:{served.http_port}/ws", timeout=10
    )
    client.send("Grüße")
    assert client.recv() == "Grüße"
    client.send_binary(bytes(range(256)))
    assert client.recv() == bytes(range(256))
    client.ping("hello")
    opcode, data = client.recv_data(control_frame=True)
    assert (opcode, data) == (websocket.ABNF.OPCODE_PONG, b"hello")
    client.close()


def test_websockets_talks_to_the_board(lab):
    with connect(f"ws://{lab.address}:{lab.http_port}/describes", subprotocols=["chat"]) as client:
        assert client.subprotocol == "chat"
        assert '"path": "/describes"' in client.recv()
        client.send(["frag", "men", "ted"])
        assert client.recv() == "message 1"
        assert client.ping().wait(10)
    assert client.close_code == 1000


def test_websockets_sees_the_codes_that_the_board_closes_with(lab):
    with connect(f"ws://{lab.address}:{lab.http_port}/closes") as client:
        client.send("4321 enough")
        with pytest.raises(websockets.ConnectionClosed):
            client.recv()
    assert (client.close_code, client.close_reason) == (4321, "enough")
    with connect(f"ws://{lab.address}:{lab.http_port}/ws") as client:
        client.send("x" * 5000)
        with pytest.raises(websockets.ConnectionClosed):
            client.recv()
    assert client.close_code == 1009


def test_six_clients_of_asyncio_talk_at_the_same_time(lab):
    async def talk(number):
        async with websockets.connect(f"ws://{lab.address}:{lab.http_port}/ws") as client:
            for count in range(100):
                await client.send(f"{number} {count}")
                assert await client.recv() == f"{number} {count}"

    async def everyone():
        await asyncio.gather(*(talk(number) for number in range(6)))

    asyncio.run(everyone())
