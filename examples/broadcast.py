"""Example 2: send a message to all clients every five seconds. ws://192.168.4.1/ws"""

from wsserver import Server


class Listeners:
    """They need not say anything."""


class Hello:
    count = 0

    def send(self):
        """Send the message. Only messages that reach a client count."""
        if server.broadcast("Server broadcast: Hello #%d" % (self.count + 1), path="/ws"):
            self.count += 1


server = Server()
server.websocket("/ws", Listeners())
server.every(5000, Hello().send)
server.listen(80)
print("serving ws://192.168.4.1/ws")
server.run()
