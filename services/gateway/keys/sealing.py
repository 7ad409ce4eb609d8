"""Secrets that are needed in clear are sealed before they are stored: AES-256-GCM under a key from a file."""

import base64
import binascii
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Final, NewType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.errors import NeverWorks, WrongSetting

SealingKey = NewType("SealingKey", bytes)

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_VERSION: Final = b"\x01"


class Purpose(StrEnum):
    """What a sealed secret is for; one sealed for the one purpose does not open for the other."""

    WEBHOOK = "webhook"
    API = "api"
    DATA_KEY = "data-key"
    SNAPSHOT = "snapshot"


class SealBroken(NeverWorks):
    """A sealed secret does not open: another key, another source, or changed bytes."""


def new_sealing_key() -> str:
    """Return what belongs into a new sealing key file: 32 random bytes in base64."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def read_sealing_key(path: Path) -> SealingKey:
    """Return the key in the file that PATCHLINE_SEALING_KEY_FILE names.

    Raises:
        WrongSetting: the file cannot be read, or holds something else.
    """
    try:
        key = base64.b64decode(path.read_text().strip(), validate=True)
    except OSError as error:
        raise WrongSetting(f"PATCHLINE_SEALING_KEY_FILE: {path}: {error.strerror}") from error
    except (binascii.Error, ValueError) as error:
        raise WrongSetting(f"PATCHLINE_SEALING_KEY_FILE: {path} is not base64") from error
    if len(key) != KEY_BYTES:
        raise WrongSetting(f"PATCHLINE_SEALING_KEY_FILE: {path} holds {len(key)} bytes, a sealing key has {KEY_BYTES}")
    return SealingKey(key)


def sealed(key: SealingKey, secret: bytes, *, source_id: str, purpose: Purpose) -> bytes:
    """Return `secret` sealed so that it opens for this source and purpose only."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, secret, _bound_to(source_id, purpose))


def opened(key: SealingKey, box: bytes, *, source_id: str, purpose: Purpose) -> bytes:
    """Return the secret in `box`.

    Raises:
        SealBroken: it was sealed with another key or for something else, or it was changed.
    """
    nonce, ciphertext = box[1 : 1 + _NONCE_BYTES], box[1 + _NONCE_BYTES :]
    try:
        if box[:1] != _VERSION:
            raise SealBroken(f"{source_id}: its {purpose} secret was sealed by another release")
        return AESGCM(key).decrypt(nonce, ciphertext, _bound_to(source_id, purpose))
    except (InvalidTag, ValueError) as error:
        raise SealBroken(f"{source_id}: its {purpose} secret was sealed with another key: rotate it") from error


def _bound_to(source_id: str, purpose: Purpose) -> bytes:
    return f"{purpose}:{source_id}".encode()
