"""Runs first at every start: brings Wi-Fi up. Settings are in /config.json: docs/settings.md."""

import gc
import sys

# While code is loaded, garbage is collected often, so that what stays does not end up scattered
# over the heap. For the same reason, what is only needed at start is loaded beyond `room`.
gc.threshold(1024)
room = bytearray(30000)

import secret
import settings
import wifi

chosen = settings.load()
wifi.start(chosen["wifi"], secret.get)
if chosen["admin"]["enabled"] and chosen["admin"]["password"] is None:
    print("admin: password " + secret.get("admin_password"))
gc.threshold(-1)
del room, chosen, secret, settings, wifi, sys.modules["secret"], sys.modules["wifi"]
