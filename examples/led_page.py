"""Exercise 4: a web page with a button for the LED. http://192.168.4.1/"""

from machine import Pin

from wsserver import Response

PAGE = """<!doctype html><meta name="viewport" content="width=device-width"><title>LED</title>
<h1>The LED is <output>?</output></h1><button onclick="socket.send('TOGGLE_LED')">Switch</button>
<script>
const socket = new WebSocket(location.origin.replace("http", "ws") + "/led");
socket.onmessage = (event) => document.querySelector("output").value = event.data.slice(7);
socket.onclose = () => setTimeout(() => location.reload(), 2000);
</script>"""


class Led:
    def __init__(self, server):
        self.server = server
        self.pin = Pin(2, Pin.OUT)  # docs/boards.md: 2 on most boards with an ESP32

    def on_open(self, client):
        client.send(self.state())

    def on_message(self, client, message):
        if message == "TOGGLE_LED":
            self.pin.value(not self.pin.value())
            self.server.broadcast(self.state(), path="/led")

    def state(self):
        return "LED is ON" if self.pin.value() else "LED is OFF"


def setup(board):
    board.server.websocket("/led", Led(board.server))

    @board.server.route("/")
    def page(request):
        return Response(PAGE, content_type="text/html; charset=utf-8")
