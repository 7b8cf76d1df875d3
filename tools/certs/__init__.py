"""Make a certificate authority of your own and the certificates that it signs: `make certs`.

See docs/tls.md.
"""

from .authority import Authority, Identity, KeyKind, make_authority
from .check import find_problem
from .names import Name, parse_name
from .store import Store, StoreError

__all__ = [
    "Authority",
    "Identity",
    "KeyKind",
    "Name",
    "Store",
    "StoreError",
    "find_problem",
    "make_authority",
    "parse_name",
]
