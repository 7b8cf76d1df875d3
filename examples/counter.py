"""Exercise 1: all clients see the number of connected clients. ws://192.168.4.1/ws"""

from wsserver import Server


class Counter:
    def on_open(self, client):
        self.send_count()

    def on_close(self, client, code, reason):
        self.send_count()

    def send_count(self):
        count = len([client for client in server.clients if client.is_open])
        server.broadcast("clients: %d" % count, path="/ws")


server = Server()
server.websocket("/ws", Counter())
server.listen(80)
print("serving ws://192.168.4.1/ws")
server.run()
