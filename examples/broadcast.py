"""Example 2: a broadcast to all clients every five seconds. ws://192.168.4.1/ws"""

from wsserver import Server


class Listeners:
    """Clients that only listen."""


class Hello:
    count = 0

    def send(self):
        """Send the next broadcast. Only those that reach a client are counted."""
        if server.broadcast("Server broadcast: Hello #%d" % (self.count + 1), path="/ws"):
            self.count += 1


server = Server()
server.websocket("/ws", Listeners())
server.every(5000, Hello().send)
server.listen(80)
print("serving ws://192.168.4.1/ws")
server.run()
