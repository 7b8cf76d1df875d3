"""Example 3: the same echo over TLS. wss://192.168.4.1/ws

`make certs` creates the two files below, and `make deploy` copies them (docs/tls.md).
"""

from certificates.context import server_context
from wsserver import Server


class Echo:
    def on_message(self, client, message):
        client.send(message)


# Raises TLSError with the reason if a file is missing or invalid.
context = server_context("/certs/server.crt.der", "/certs/server.key.der")
server = Server(max_tls=3)  # a chip without PSRAM has memory for three TLS connections
server.websocket("/ws", Echo())
server.listen(443, tls=context)
print("serving wss://192.168.4.1/ws")
server.run()
