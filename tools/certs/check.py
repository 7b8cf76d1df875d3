"""Check the files for a board before they are copied: the board itself loads them unchecked."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key

CERTIFICATE, KEY, CLIENTS = "server.crt.der", "server.key.der", "clients.crt.der"
_RENEW = "make certs makes new ones"


def find_problem(folder: Path, now: datetime.datetime | None = None) -> str | None:
    """Return what is wrong with the board's files in a folder, or None.

    Checked are only files that exist: that they can be parsed, that the key belongs to the
    certificate and is of a type that MicroPython supports, and that the certificates are valid.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    for name in (CERTIFICATE, KEY):
        other = KEY if name == CERTIFICATE else CERTIFICATE
        if (folder / other).exists() and not (folder / name).exists():
            return f"{folder / other} is there without {name}: {_RENEW}"
    for name in (CERTIFICATE, CLIENTS):
        problem = _certificate_problem(folder / name, now)
        if problem:
            return problem
    return _key_problem(folder)


def _certificate_problem(path: Path, now: datetime.datetime) -> str | None:
    if not path.exists():
        return None
    try:
        certificate = x509.load_der_x509_certificate(path.read_bytes())
    except ValueError:
        return f"{path} is not a certificate in DER, or is damaged: {_RENEW}"
    if now > certificate.not_valid_after_utc:
        return f"{path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}: {_RENEW}"
    if now < certificate.not_valid_before_utc:
        start = certificate.not_valid_before_utc
        return f"{path} is not valid before {start:%Y-%m-%d}: check this computer's clock"
    return None


def _key_problem(folder: Path) -> str | None:
    path = folder / KEY
    if not path.exists():
        return None
    try:
        key = load_der_private_key(path.read_bytes(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return f"{path} is not a private key in DER, or is damaged: {_RENEW}"
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        return f"{path} is neither an EC nor an RSA key, which MicroPython needs: {_RENEW}"
    certificate = x509.load_der_x509_certificate((folder / CERTIFICATE).read_bytes())
    if certificate.public_key() != key.public_key():
        return f"{path} belongs to another certificate than {CERTIFICATE}: {_RENEW}"
    return None
