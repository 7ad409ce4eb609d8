"""The offline key of the quarantine: the door has its public half and can only seal; the private half is elsewhere.

Source: libsodium's sealed boxes (X25519, XSalsa20-Poly1305), which anyone can make and only the private key opens. The
keys are PEM files (RFC 8410), as `openssl genpkey -algorithm X25519` writes them.
"""

import hashlib
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from chassis.errors import NeverWorks, WrongSetting

SETTING: Final = "PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE"


class NotOpened(NeverWorks):
    """A sealed body does not open with this key, or the file holds no such key."""


class OfflineKey:
    """The public half: seals, and names the key that opens."""

    def __init__(self, public: bytes) -> None:
        """Seal to the key `public`."""
        self._box = SealedBox(PublicKey(public))
        self.key_id = hashlib.sha256(public).hexdigest()[:16]

    def sealed(self, body: bytes) -> bytes:
        """Return `body` so that only who has the private half can read it."""
        return bytes(self._box.encrypt(body))


def new_pair() -> tuple[str, str]:
    """Return what belongs into the two files of a new pair: the private one's, the public one's."""
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), public.decode()


def read_public(path: Path) -> OfflineKey:
    """Return the key in the file that PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE names.

    Raises:
        WrongSetting: it cannot be read, or holds something else; above all the private half.
    """
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise WrongSetting(f"{SETTING}: {path}: {error.strerror}") from error
    if b"PRIVATE KEY" in pem:
        raise WrongSetting(f"{SETTING}: {path} holds the private half: take it off this machine, and make a new pair")
    try:
        public = load_pem_public_key(pem)
    except ValueError as error:
        raise WrongSetting(f"{SETTING}: {path}: no public key in PEM") from error
    if not isinstance(public, X25519PublicKey):
        raise WrongSetting(f"{SETTING}: {path}: not of X25519; patchline exposure quarantine keys makes a pair")
    return OfflineKey(public.public_bytes_raw())


def opened(private_pem: bytes, sealed: bytes) -> bytes:
    """Return what is in a sealed body.

    Raises:
        NotOpened: it was sealed to another key, was changed, or the file holds no private key without a passphrase.
    """
    try:
        private = load_pem_private_key(private_pem, password=None)
    except (TypeError, ValueError) as error:
        raise NotOpened(
            "the file holds no private key in PEM, or one with a passphrase: openssl pkey takes it off"
        ) from error
    if not isinstance(private, X25519PrivateKey):
        raise NotOpened("the private key is not of X25519")
    try:
        return bytes(SealedBox(PrivateKey(private.private_bytes_raw())).decrypt(sealed))
    except CryptoError as error:
        raise NotOpened("sealed to another key, or changed") from error
