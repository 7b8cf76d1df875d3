"""Exercise 3: "stats" is answered with the state of the board. ws://192.168.4.1/ws"""

import gc
import json
import time

import esp32
import network


class Monitor:
    def __init__(self, server):
        self.server = server
        self.started = time.ticks_ms()

    def on_message(self, client, message):
        if message != "stats":
            client.send(json.dumps({"error": "send: stats"}))
            return
        gc.collect()
        regions = esp32.idf_heap_info(esp32.HEAP_DATA)  # (total, free, largest, least free ever)
        ap = network.WLAN(network.AP_IF)
        stats = {
            "uptime": time.ticks_diff(time.ticks_ms(), self.started) // 1000,
            "heap": {"free": gc.mem_free(), "used": gc.mem_alloc()},
            "system heap": {"free": sum(region[1] for region in regions)},
            "stations": len(ap.status("stations")) if ap.active() else 0,
            "clients": {one.id: one.messages for one in self.server.clients},
        }
        client.send(json.dumps(stats))


def setup(board):
    board.server.websocket("/ws", Monitor(board.server))
