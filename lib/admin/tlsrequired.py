"""Refuse a request without TLS to the admin's paths. Loaded for one request."""

from wsserver import WARNING, lazy
from wsserver.http.request import HTTPError, host_name


def refuse(request, server, port: int) -> None:
    """Raise HTTPError 403 with the https address, unless no TLS connection can be opened.

    The settings page asks with ?ask: its answer has status 200 (`access`).
    """
    if not lazy.call("wsserver.tlsfits", "check", server):
        return  # nothing must lock the owner out
    host = host_name(request.headers.get("host", ""))
    text = "maintenance requires https (access.maintenance_tls): https://%s%s/settings.html"
    status = 200 if request.query == "ask" else 403
    raise HTTPError(status, text % (host, "" if port == 443 else ":%d" % port))


def warn(server, args: list) -> None:
    """Log once in each start that the admin uses no TLS, and free memory for the admin's pages.

    Called after the right password only: other clients could flood the log and take TLS's memory.
    args: those that `access.admit` gets; a third one tells that the line has been logged.
    """
    if len(args) < 3:
        args.append(None)
        text = "maintenance over http: no place or memory for TLS (access.maintenance_tls)"
        server.log(WARNING, text)
    lazy.call("wsserver.tlsfits", "give_up", server)
