"""Certificates on flash, and the TLS context made of them.

Loaded at startup, and unloaded when the context exists. `files` and `der` are loaded only if
the DER files alone are not enough: for PEM, for client certificates, with the clock set, or to
explain why TLS does not start.

The package is not called `certs`: the flash has a folder /certs, which `import certs` would find
first.
"""


class TLSError(Exception):
    """TLS cannot be used. The text is one line: the file, the problem, the remedy."""
