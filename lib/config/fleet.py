"""The fields of the `fleet` section of config.json. Also runs on the host (tools).

Loaded only if the file has that section, or if the settings page shows it.
"""

# As in schema.
fields: dict = {
    "enabled": (False, "flag"),
    "host": ("", "text", 0, 200),
    "port": (None, "int?", 1, 65535),
    "tls": (False, "flag"),
    "ca": ("/certs/fleet.crt.der", "text", 0, 64),
    "user": ("", "text", 0, 64),
    "password": ("", "text", 0, 64),
    "prefix": ("boards", "topic"),
    "keepalive": (30, "int", 5, 3600),
    "qos": (0, "int", 0, 1),
    "backoff": (60, "number", 0.05, 3600),
    "queue": (4096, "int", 512, 0x3FFFFFFF),
    "overflow": ("oldest", "choice", "oldest", "newest"),
    "retain": (True, "flag"),
    "interval": (60, "number", 1, 86400),
    "max_senders": (8, "int", 1, 1000),
    "discovery": ("", "text", 0, 32),
    "ntp": ("pool.ntp.org", "text", 0, 64),
}
