"""Read and write the folder certs/. Several files are replaced together or not at all.

ca.pem, ca.crt: the authority, for users to install (the same in PEM and DER).
ca.key: its private key; it never leaves this folder.
server.pem, .key: the board's certificate and key, for users.
server.crt.der, server.key.der, clients.crt.der: the same for the board, and the authority with
which it checks clients. Only these files are copied to its flash.
clients/NAME.pem, .key, .p12: a client's, for mutual TLS.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from .authority import Authority, Identity

_PRIVATE, _PUBLIC = 0o600, 0o644


class StoreError(Exception):
    """A file in the folder cannot be used; the message says which one, and what to do."""


class Store:
    """A folder of keys and certificates."""

    def __init__(self, folder: Path):
        self.folder = folder

    def load_authority(self) -> Authority | None:
        """Return the authority in this folder, or None.

        Raises StoreError if its files cannot be used. They stay as they are: an authority that
        users have installed on their devices must not be replaced by accident.
        """
        certificate_path, key_path = self.folder / "ca.pem", self.folder / "ca.key"
        there = [path for path in (certificate_path, key_path) if os.path.lexists(path)]
        if not there:
            return None
        if len(there) == 1:
            missing = key_path if there[0] == certificate_path else certificate_path
            raise _unusable(there[0], f"is there without {missing.name}")
        certificate, key = _load_certificate(certificate_path), _load_key(key_path)
        if certificate.public_key() != key.public_key():
            raise _unusable(key_path, f"is not the key of {certificate_path.name}")
        if not _may_sign(certificate):
            raise _unusable(certificate_path, "is not the certificate of an authority")
        return Authority(Identity(certificate, key))

    def save_authority(self, authority: Authority) -> None:
        """Save a new authority."""
        certificate = authority.identity.certificate
        self._write(
            {
                "ca.key": (_PRIVATE, _key_pem(authority.identity)),
                "ca.crt": (_PUBLIC, certificate.public_bytes(Encoding.DER)),
                "ca.pem": (_PUBLIC, certificate.public_bytes(Encoding.PEM)),
            }
        )

    def has_server(self) -> bool:
        """Return whether there is a server's certificate."""
        return (self.folder / "server.crt.der").exists()

    def save_server(self, identity: Identity, anchor: x509.Certificate) -> None:
        """Save the board's certificate and the authority with which it checks clients."""
        key = identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        self._write(
            {
                "server.key": (_PRIVATE, _key_pem(identity)),
                "server.pem": (_PUBLIC, identity.certificate.public_bytes(Encoding.PEM)),
                "clients.crt.der": (_PUBLIC, anchor.public_bytes(Encoding.DER)),
                "server.key.der": (_PRIVATE, key),
                "server.crt.der": (_PUBLIC, identity.certificate.public_bytes(Encoding.DER)),
            }
        )

    def save_client(self, name: str, identity: Identity, ca: Authority, password: str) -> None:
        """Save a client's certificate and key, also as one file for browsers, under a password."""
        # The one encryption that all of them read: Windows, macOS, iOS and Android of the last
        # ten years know nothing newer. The password, not the cipher, is what protects the file on
        # its way, so it must be hard to guess.
        encryption = (
            PrivateFormat.PKCS12.encryption_builder()
            .kdf_rounds(20000)
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1())
            .build(password.encode())
        )
        bundle = pkcs12.serialize_key_and_certificates(
            name.encode(),
            identity.key,
            identity.certificate,
            [ca.identity.certificate],
            encryption,
        )
        self._write(
            {
                f"clients/{name}.key": (_PRIVATE, _key_pem(identity)),
                f"clients/{name}.pem": (_PUBLIC, identity.certificate.public_bytes(Encoding.PEM)),
                f"clients/{name}.p12": (_PRIVATE, bundle),
            }
        )

    def _write(self, files: dict[str, tuple[int, bytes]]) -> None:
        """Write all files beside those they replace, then put them in place."""
        fresh = []
        try:
            for name, (mode, content) in files.items():
                path = self.folder / name
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                temporary = path.with_name(f".{os.getpid()}.{path.name}")
                temporary.unlink(missing_ok=True)
                fresh.append((temporary, path))
                _write_new(temporary, mode, content)
            for temporary, path in fresh:
                temporary.replace(path)
        finally:
            for temporary, _ in fresh:
                temporary.unlink(missing_ok=True)


def _write_new(path: Path, mode: int, content: bytes) -> None:
    """Write a file that no other user can ever read, if `mode` says so."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _key_pem(identity: Identity) -> bytes:
    return identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unusable(path, f"cannot be read as a certificate ({error})") from None


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(path, f"cannot be read as a private key ({error})") from None
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise _unusable(path, "is neither an EC nor an RSA key")
    return key


def _may_sign(certificate: x509.Certificate) -> bool:
    """Return whether browsers let it sign others, and it has the extensions that this needs."""
    try:
        extensions = certificate.extensions
        extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        return (
            usage.key_cert_sign
            and extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        )
    except (x509.ExtensionNotFound, ValueError):
        return False


def _unusable(path: Path, what: str) -> StoreError:
    return StoreError(
        f"{path} {what}. Nothing was changed. Put the right file there; or move ca.pem and ca.key "
        "away to have a new authority made, which then has to be installed on every device again"
    )
