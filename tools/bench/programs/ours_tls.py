"""This server with TLS, through its public API."""

from certificates.context import server_context
from wsserver import Server


class Echo:
    def on_message(self, client, message):
        client.send(message)


context = server_context("/certs/server.crt.der", "/certs/server.key.der")
server = Server(max_size=MAX_SIZE, ping_interval=None)
server.websocket("/ws", Echo())
server.listen(443, tls=context)
server.listen(80)
server.run()
