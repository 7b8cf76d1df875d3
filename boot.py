"""Runs first at every start: installs a pending OTA update, and starts Wi-Fi.

Leaves `settings` (from /config.json, see docs/settings.md) for main.py, or `safe_mode` if too many
starts have failed.
"""

import gc
import os
import sys

import machine

# Collect often while modules are loaded: then those that stay fill the low end of the heap instead
# of being scattered among garbage.
gc.threshold(3072)

# At nearly every start nothing has failed and no update is pending.
if machine.reset_cause() == machine.WDT_RESET or any(
    name == "update" or name.startswith("failed-") for name in os.listdir("/")
):
    from failsafe import rollback

    if not rollback.start():
        safe_mode = True  # Wi-Fi starts, and main.py does nothing
    del rollback, sys.modules["failsafe.rollback"], sys.modules["failsafe"].rollback
loaded = set(sys.modules)
try:
    from config import loader, secrets
    from wifi import connect

    settings = loader.load()
    connect.start(settings["wifi"], secrets.get, net=settings.get("network"))
    if settings["admin"]["enabled"] and settings["admin"]["password"] is None:
        print("admin: password " + secrets.get("admin_password"))
    # The code is not needed again; what it was loaded with is free for the server.
    for name in set(sys.modules) - loaded:
        del sys.modules[name]
    del loader, secrets, connect, name
except Exception as error:
    # crash needs the memory of what has failed.
    loader = secrets = connect = None
    for name in set(sys.modules) - loaded:
        sys.modules.pop(name, None)  # del fails for a name without a module (wsserver.lazy)
    gc.collect()
    from failsafe import crash

    crash.restart(error, "safe_mode" not in globals())
gc.threshold(-1)
del loaded
