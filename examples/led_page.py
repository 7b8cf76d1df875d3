"""Exercise 4: a web page with a button for the LED. http://192.168.4.1/"""

import os

from machine import Pin

from wsserver import Server

PAGE = """<!doctype html><meta name="viewport" content="width=device-width"><title>LED</title>
<h1>The LED is <output>?</output></h1><button onclick="socket.send('TOGGLE_LED')">Switch</button>
<script>
const socket = new WebSocket("ws://" + location.host + "/led");
socket.onmessage = (event) => document.querySelector("output").value = event.data.slice(7);
socket.onclose = () => setTimeout(() => location.reload(), 2000);
</script>"""


class Led:
    def on_open(self, client):
        client.send(self.state())

    def on_message(self, client, message):
        if message == "TOGGLE_LED":
            pin.value(not pin.value())
            server.broadcast(self.state(), path="/led")

    def state(self):
        return "LED is ON" if pin.value() else "LED is OFF"


pin = Pin(2, Pin.OUT)  # docs/boards.md: 2 on most boards with an ESP32
if "led" not in os.listdir("/"):
    os.mkdir("/led")
with open("/led/index.html", "w") as file:
    file.write(PAGE)
server = Server()
server.websocket("/led", Led())
server.files("/", "/led")
server.listen(80)
server.run()
