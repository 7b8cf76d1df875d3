"""Runs first at every start: installs what came over Wi-Fi, and brings Wi-Fi up.

Settings are in /config.json: docs/settings.md.
"""

import gc
import os
import sys

import machine

# While code is loaded, garbage is collected often, so that what stays does not end up scattered
# over the heap. For the same reason, what is only needed at start is loaded beyond `room`.
gc.threshold(1024)
gc.collect()
try:
    if gc.mem_free() < 31000 << (sys.maxsize >> 62):  # bytes; on 64 bits twice as many
        raise MemoryError
    room = bytearray(30000)  # which may not be there in one piece
except MemoryError:
    from failsafe import crash

    crash.out_of_memory()
    del crash
    safe_mode = True  # restarting, as main.py would, makes nothing better
    room = None

# At nearly every start there is nothing to install and nothing has failed.
signs = machine.reset_cause() == machine.WDT_RESET or [
    name for name in os.listdir("/") if name == "update" or name.startswith("failed-")
]
if signs:
    from failsafe import rollback

    if not rollback.start():
        safe_mode = True  # main.py does nothing then
    del rollback, sys.modules["failsafe.rollback"], sys.modules["failsafe"].rollback
try:
    if signs:
        import admin.confirm  # noqa: F401 - tells firmware.py that there is a trial
    import secret
    import settings
    import wifi

    chosen = settings.load()
    wifi.start(chosen["wifi"], secret.get)
    if chosen["admin"]["enabled"] and chosen["admin"]["password"] is None:
        print("admin: password " + secret.get("admin_password"))
    del chosen, secret, settings, wifi, sys.modules["secret"], sys.modules["wifi"]
except Exception as error:
    room = None
    from failsafe import crash

    crash.restart(error, "safe_mode" not in globals())
gc.threshold(-1)
del room, signs
