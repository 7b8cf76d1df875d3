"""Certificates on flash, and the TLS context made of them.

Lifetime: loaded at start-up, and unloaded when the context exists. `files` and `der` are loaded
only if DER files alone do not do: for PEM, for client certificates, with the clock set, or to
explain why TLS does not start.

The package is not called `certs`: the flash has a folder /certs, which `import certs` would find
first.
"""


class TLSError(Exception):
    """TLS cannot be used. The text is one line: the file, the problem, the remedy."""
