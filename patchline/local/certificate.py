"""Certificates for the local parts that speak TLS: an authority of their own, and one server's certificate from it."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from patchline.local import place

_DAYS: Final = 825
_SLACK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files (PEM) of one server: whom clients trust, what it shows, and its private key."""

    authority: Path
    certificate: Path
    key: Path


def kept(folder: Path, name: str, address: str) -> Certificate:
    """Return the certificate of the server `name` at `address`; the first call makes it. Its authority keeps no key."""
    made = Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")
    if not made.key.exists():
        _make(made, name, address)
    return made


def _make(files: Certificate, name: str, address: str) -> None:
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority of {name}")])
    authority = (
        _builder(issuer, issuer, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
    certificate = (
        _builder(subject, issuer, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    place.write_private(files.authority, authority.public_bytes(pem).decode())
    place.write_private(files.certificate, certificate.public_bytes(pem).decode())
    place.write_private(files.key, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + timedelta(days=_DAYS))
    )
