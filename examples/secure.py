"""Example 3: an echo that is only available over TLS. wss://192.168.4.1/ws

The firmware listens for TLS if the board has a certificate, which `make certs` creates and
`make deploy` copies (docs/tls.md).
"""


class SecureEcho:
    def on_open(self, client):
        if not client.secure:
            client.close(1008, "use wss://")  # policy violation

    def on_message(self, client, message):
        if client.secure:
            client.send(message)


def setup(board):
    board.server.websocket("/ws", SecureEcho())
