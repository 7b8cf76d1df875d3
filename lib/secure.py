"""The settings for TLS -> a context, or none. Only needed at start: main.py drops it."""

import gc
import os
import sys

_ROOM = 24500  # bytes of heap that a chip needs for all else once TLS is loaded


def context(settings: dict, log):
    """What server.listen(tls=...) takes, or None; log(text) says why there is none."""
    made = None
    try:
        if settings["enabled"]:
            os.stat(settings["cert"])  # where there is none, nothing more is loaded
            gc.collect()
            if gc.mem_free() < _ROOM << (sys.maxsize >> 62):  # twice as much on 64 bits
                log("wss:// is off: the heap is too small for it (docs/tls.md)")
                return None
            import tlscontext

            made = tlscontext.server_context(
                settings["cert"], settings["key"], settings["client_ca"]
            )
    except OSError:
        text = "wss:// is off: %s is not there: make one with 'make certs' (docs/tls.md)"
        log(text % settings["cert"])
    except Exception as error:  # TLSError, or no memory even for loading that
        log("wss:// is off: %s (docs/tls.md)" % error)
    sys.modules.pop("tlscontext", None)
    return made
