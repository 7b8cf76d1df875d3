"""This server, through its public API."""

from wsserver import Server


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Everyone:
    def on_message(self, client, message):
        server.broadcast(TEXT, path="/all")


TEXT = "b" * 100
server = Server(max_clients=MOST, max_size=MAX_SIZE, ping_interval=None)
server.websocket("/ws", Echo())
server.websocket("/all", Everyone())
server.listen(PORT)
server.run()
