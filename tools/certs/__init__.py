"""Make a certificate authority of your own and the certificates that it signs: `make certs`.

See docs/tls.md.
"""

from .authority import Authority, Identity, KeyKind, make_authority
from .names import Name, parse_name
from .store import Store, StoreError

__all__ = [
    "Authority",
    "Identity",
    "KeyKind",
    "Name",
    "Store",
    "StoreError",
    "make_authority",
    "parse_name",
]
