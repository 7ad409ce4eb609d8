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

_TERM: Final = timedelta(days=825)
_SLACK: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files (PEM) of one server: whom clients trust, what it shows, and its private key."""

    authority: Path
    certificate: Path
    key: Path


class Authority:
    """An authority that signs for as long as this object lives: its key is in no file."""

    def __init__(self, name: str) -> None:
        """Make its key and its own certificate."""
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Authority of {name}")])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._own = (
            _builder(self._name, self._name, self._key.public_key(), datetime.now(UTC) + _TERM)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def issue(self, files: Certificate, name: str, address: str, *, until: datetime) -> None:
        """Write a new key and a certificate for the server `name` at `address` that ends at `until`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
        certificate = (
            _builder(subject, self._name, key.public_key(), until)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        place.write_private(files.authority, self._own.public_bytes(pem).decode())
        place.write_private(files.certificate, certificate.public_bytes(pem).decode())
        place.write_private(files.key, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode())


def files_in(folder: Path) -> Certificate:
    """Return where a server's files are in `folder`."""
    return Certificate(folder / "authority.pem", folder / "server.pem", folder / "server.key")


def kept(folder: Path, name: str, address: str) -> Certificate:
    """Return the certificate of the server `name` at `address`; the first call makes it. Its authority keeps no key."""
    made = files_in(folder)
    if not made.key.exists():
        Authority(name).issue(made, name, address, until=datetime.now(UTC) + _TERM)
    return made


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(datetime.now(UTC), until) - _SLACK)
        .not_valid_after(until)
    )
