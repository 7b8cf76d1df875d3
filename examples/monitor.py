"""Exercise 3: "stats" is answered with the state of the board. ws://192.168.4.1/ws"""

import gc
import json
import time

import esp32
import network

from wsserver import Server


class Monitor:
    def on_message(self, client, message):
        if message != "stats":
            client.send(json.dumps({"error": "send: stats"}))
            return
        gc.collect()
        regions = esp32.idf_heap_info(esp32.HEAP_DATA)  # (total, free, largest, least free ever)
        ap = network.WLAN(network.AP_IF)
        stats = {
            "uptime": time.ticks_diff(time.ticks_ms(), started) // 1000,
            "heap": {"free": gc.mem_free(), "used": gc.mem_alloc()},
            "system heap": {"free": sum(region[1] for region in regions)},
            "stations": len(ap.status("stations")) if ap.active() else 0,
            "clients": {one.id: one.messages for one in server.clients},
        }
        client.send(json.dumps(stats))


started = time.ticks_ms()
server = Server()
server.websocket("/ws", Monitor())
server.listen(80)
print("serving ws://192.168.4.1/ws")
server.run()
