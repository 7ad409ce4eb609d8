"""The offline key of the quarantine: the door has its public half and can only seal; the private half is elsewhere.

Source: libsodium's sealed boxes (X25519, XSalsa20-Poly1305), which anyone can make and only the private key opens.
"""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Final

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from chassis.errors import NeverWorks, WrongSetting

SETTING: Final = "PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE"

_PRIVATE_PREFIX: Final = "patchline-quarantine-private:"
_PUBLIC_PREFIX: Final = "patchline-quarantine-public:"
"""So that nobody gives the door the half that must not be there."""


class NotOpened(NeverWorks):
    """A sealed body does not open with this key, or the file holds no such key."""


class OfflineKey:
    """The public half: seals, and names the key that opens."""

    def __init__(self, public: bytes) -> None:
        """Seal to the key `public`."""
        self._box = SealedBox(PublicKey(public))
        self.key_id = key_id(public)

    def sealed(self, body: bytes) -> bytes:
        """Return `body` so that only who has the private half can read it."""
        return bytes(self._box.encrypt(body))


def key_id(public: bytes) -> str:
    """Return how a key pair is called: the beginning of the public half's SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def new_pair() -> tuple[str, str]:
    """Return what belongs into the two files of a new pair: the private one's, the public one's."""
    private = PrivateKey.generate()
    return (
        _PRIVATE_PREFIX + base64.b64encode(bytes(private)).decode(),
        _PUBLIC_PREFIX + base64.b64encode(bytes(private.public_key)).decode(),
    )


def read_public(path: Path) -> OfflineKey:
    """Return the key in the file that PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE names.

    Raises:
        WrongSetting: it cannot be read, or holds something else; above all the private half.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise WrongSetting(f"{SETTING}: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongSetting(f"{SETTING}: {path}: not text") from error
    if text.startswith(_PRIVATE_PREFIX):
        raise WrongSetting(f"{SETTING}: {path} holds the private half: take it off this machine, and make a new pair")
    public = _key_in(text, _PUBLIC_PREFIX)
    if public is None:
        raise WrongSetting(f"{SETTING}: {path}: no public key; patchline exposure quarantine keys makes a pair")
    return OfflineKey(public)


def opened(private_text: str, sealed: bytes) -> bytes:
    """Return what is in a sealed body.

    Raises:
        NotOpened: it was sealed to another key, was changed, or the text is no private key.
    """
    private = _key_in(private_text, _PRIVATE_PREFIX)
    if private is None:
        raise NotOpened("the file holds no private key of a quarantine")
    try:
        return bytes(SealedBox(PrivateKey(private)).decrypt(sealed))
    except CryptoError as error:
        raise NotOpened("sealed to another key, or changed") from error


def _key_in(text: str, prefix: str) -> bytes | None:
    if not text.startswith(prefix):
        return None
    try:
        key = base64.b64decode(text.strip().removeprefix(prefix), validate=True)
    except binascii.Error:
        return None
    return key if len(key) == PublicKey.SIZE else None
