"""The chip's ssl module, for interpreters that have tls alone."""

from tls import (
    CERT_NONE,
    CERT_OPTIONAL,
    CERT_REQUIRED,
    MBEDTLS_VERSION,
    PROTOCOL_TLS_CLIENT,
    PROTOCOL_TLS_SERVER,
    SSLContext,
)


def wrap_socket(sock, **options):
    server = options.pop("server_side", False)
    context = SSLContext(PROTOCOL_TLS_SERVER if server else PROTOCOL_TLS_CLIENT)
    if options.get("cert") or options.get("key"):
        context.load_cert_chain(options.pop("cert"), options.pop("key"))
    if options.get("cadata"):
        context.load_verify_locations(options.pop("cadata"))
    context.verify_mode = options.pop("cert_reqs", CERT_NONE)
    return context.wrap_socket(
        sock,
        server_side=server,
        do_handshake_on_connect=options.pop("do_handshake", True),
        server_hostname=options.pop("server_hostname", None),
    )
