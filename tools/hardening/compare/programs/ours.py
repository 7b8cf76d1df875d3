"""This project's library, with the settings that its documentation names for little patience."""

import gc
import time

from wsserver import Server


class Echo:
    def on_message(self, client, message):
        client.send(message)


class Fails:
    def on_message(self, client, message):
        raise ValueError("a mistake of the application")


class Slow:
    def on_message(self, client, message):
        time.sleep_ms(300)
        client.send(message)


class Heap:
    def on_message(self, client, message):
        gc.collect()
        client.send(str(gc.mem_alloc()))


server = Server(max_clients=7, ping_interval=1, ping_timeout=1, open_timeout=2)
for path, endpoint in (("/ws", Echo()), ("/fails", Fails()), ("/slow", Slow()), ("/heap", Heap())):
    server.websocket(path, endpoint)
server.listen(80)
server.run()
