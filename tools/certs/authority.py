"""Make certificates: an authority's own, and those that it signs. Nothing here uses files.

The profile is RFC 5280's, within the rules of browsers: names only as subjectAltName, a purpose
(extendedKeyUsage), SHA-256, and at most 397 days for a server. Browsers and phones refuse longer
ones: 398 days was the general limit, Apple's is 825 for an authority that a user has installed.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .names import LOCAL, Name, is_within, subtree_of

KeyKind = Literal["ec", "rsa"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

AUTHORITY_DAYS = 3652
LEAF_DAYS = 397
# A clock that was set wrong by hours, or to the wrong time zone, still finds it valid.
_EARLIER = datetime.timedelta(days=1)
# Before any clock that a chip starts with: see Authority.make_anchor.
_ALWAYS = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: PrivateKey


def make_authority(
    now: datetime.datetime, kind: KeyKind = "ec", names: Sequence[Name] = (), title: str = ""
) -> Authority:
    """Return a new authority, valid for ten years.

    It is restricted to local names and to `names`, so a stolen key cannot impersonate other sites.
    """
    key = make_key(kind)
    subject = _subject(title or f"ESP32 WebSocket server authority {now:%Y-%m-%d %H:%M:%S}")
    others = [subtree_of(name) for name in names if not is_within(name, LOCAL)]
    constraints = x509.NameConstraints([*LOCAL, *dict.fromkeys(others)], None)
    builder = _authority_builder(subject, key, now - _EARLIER, _after(now, AUTHORITY_DAYS))
    # RFC 5280 wants them critical. Mbed TLS on the board does not know them: it would refuse every
    # client that sends its authority's certificate along, as OpenSSL does by default. Clients
    # that know them (Chromium, Firefox, OpenSSL) enforce them either way.
    builder = builder.add_extension(constraints, critical=False)
    return Authority(Identity(builder.sign(key, hashes.SHA256()), key))


def make_key(kind: KeyKind) -> PrivateKey:
    """Return a new private key: EC P-256, or RSA with 2048 bits."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


class Authority:
    """An authority, which signs certificates."""

    def __init__(self, identity: Identity):
        self.identity = identity

    def make_server(
        self, now: datetime.datetime, names: Sequence[Name], kind: KeyKind = "ec"
    ) -> Identity:
        """Return a server's certificate for these names.

        Raises ValueError as `check_names` does.
        """
        self.check_names(names)
        key = make_key(kind)
        builder = (
            self._builder(_subject("ESP32 WebSocket server"), key, now - _EARLIER, now)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
        )
        return Identity(builder.sign(self.identity.key, hashes.SHA256()), key)

    def make_client(self, now: datetime.datetime, name: str, kind: KeyKind = "ec") -> Identity:
        """Return a client's certificate, for mutual TLS. name: for display only, without dots.

        It is valid from 1970 on: a board whose clock was never set assumes the year 2000.
        """
        key = make_key(kind)
        builder = (
            self._builder(_subject(name), key, _ALWAYS, now)
            .add_extension(_usage("digital_signature"), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
            )
        )
        return Identity(builder.sign(self.identity.key, hashes.SHA256()), key)

    def make_anchor(self) -> x509.Certificate:
        """Return the authority's certificate in the form with which a board checks clients.

        It has the same name and key, but is valid from 1970 on: Mbed TLS checks the dates, and the
        clock of a board begins with 2000. It has no name constraints, which mean nothing for
        clients. It is for boards only; users' devices trust the other one.
        """
        key, own = self.identity.key, self.identity.certificate
        builder = _authority_builder(own.subject, key, _ALWAYS, own.not_valid_after_utc)
        return builder.sign(key, hashes.SHA256())

    def check_names(self, names: Sequence[Name]) -> None:
        """Raise ValueError, with the name, if one is outside of the authority's restriction."""
        try:
            extensions = self.identity.certificate.extensions
            constraints = extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return
        for name in names:
            outside = not is_within(name, constraints.permitted_subtrees or ())
            if outside or is_within(name, constraints.excluded_subtrees or ()):
                raise ValueError(f"the authority is restricted to names without {name.value}")

    def _builder(self, subject, key, start, now):
        own = self.identity.certificate
        end = min(_after(now, LEAF_DAYS) - _EARLIER, own.not_valid_after_utc)
        identifier = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        return (
            _plain_builder(subject, own.subject, key, start, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
                critical=False,
            )
        )


def _authority_builder(subject, key, start, end):
    return (
        _plain_builder(subject, subject, key, start, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )


def _plain_builder(subject, issuer, key, start, end):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _after(now, days):
    return now + datetime.timedelta(days=days)


def _subject(common_name):
    """Return the title of a certificate, for display.

    It does not look like a host name, or OpenSSL would apply the authority's name constraints to
    it.
    """
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*names):
    return x509.KeyUsage(**{usage: usage in names for usage in _USAGES})
