"""Example 2: a broadcast to all clients every five seconds. ws://192.168.4.1/ws"""


class Listeners:
    def on_message(self, client, message):
        """Ignore what clients send."""


class Hello:
    count = 0

    def __init__(self, server):
        self.server = server

    def send(self):
        """Send the next broadcast. Only those that reach a client are counted."""
        if self.server.broadcast("Server broadcast: Hello #%d" % (self.count + 1), path="/ws"):
            self.count += 1


def setup(board):
    board.server.websocket("/ws", Listeners())
    board.server.every(5000, Hello(board.server).send)
