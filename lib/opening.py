"""A server that listens, whatever the settings say: where they cannot be had, with others.

Only needed at start.
"""

import gc

from wsserver import Server

_PORT = 80  # where the server is to be found when its own port cannot be had


def server(settings: dict, tls: dict, context, guard, log) -> tuple:
    """(the server, its port, whether it speaks TLS). OSError: it cannot even listen on port 80.

    settings, tls: these sections; the first one loses its port. guard: as `protection` gives it.
    """
    port = settings.pop("port")
    made = _make(log, max_tls=tls["max_clients"], **settings) or Server(log=log)
    made.hosts, made.portal, made.limits = guard
    try:
        made.listen(port)
    except OSError:  # the log says why
        if port == _PORT:
            raise
        print("server.port: using %d instead" % _PORT)
        made.listen(_PORT)
        made.portal = made.portal and made.portal.replace(":%d/" % port, "/")
        port = _PORT
    try:
        if context:
            made.listen(tls["port"], tls=context)
    except OSError:
        context = None
    return made, port, context is not None


def _make(log, **options):
    try:
        return Server(log=log, **options)
    except (MemoryError, ValueError) as error:
        print("server: %s; using defaults for this section" % error)
    gc.collect()
    return None
