"""Keys of approvers: a passphrase-protected file on their machine, and what is signed with it.

The file is JSON: the Ed25519 seed in a libsodium secret box, its key derived from the passphrase with Argon2id. The
passphrase, the seed and the file's content are never shown; the public key is what an operator enrols.
"""

import base64
import binascii
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import rfc8785
from nacl import pwhash, secret
from nacl.exceptions import BadSignatureError, CryptoError
from nacl.signing import SigningKey, VerifyKey

from chassis.errors import NeverWorks
from contracts.ids import NAMESPACE, moment
from services.credentials.people.records import Request

VERSION: Final = 1
PASSPHRASE_CHARACTERS: Final = 12
"""A shorter passphrase is refused."""


class WrongKey(NeverWorks):
    """A key or its file cannot be used; the text says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What one try of a passphrase costs: Argon2id operations and bytes."""

    operations: int = pwhash.argon2id.OPSLIMIT_MODERATE
    memory_bytes: int = pwhash.argon2id.MEMLIMIT_MODERATE


USUAL: Final = Costs()


def make(file: Path, passphrase: str, costs: Costs = USUAL) -> str:
    """Write a new key to `file`, for its owner's eyes only, and return the public key as it is enrolled.

    Raises:
        WrongKey: the passphrase is too short, or the file is there already.
    """
    if len(passphrase) < PASSPHRASE_CHARACTERS:
        raise WrongKey(f"the passphrase needs at least {PASSPHRASE_CHARACTERS} characters")
    key, salt = SigningKey.generate(), os.urandom(pwhash.argon2id.SALTBYTES)
    box = secret.SecretBox(_derived(passphrase, salt, costs))
    content = {
        "v": VERSION,
        "kdf": "argon2id",
        "operations": costs.operations,
        "memory_bytes": costs.memory_bytes,
        "salt": _written(salt),
        "box": _written(bytes(box.encrypt(bytes(key)))),
        "public_key": _written(bytes(key.verify_key)),
    }
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise WrongKey(f"{file}: {error.strerror}") from error
    with os.fdopen(handle, "w") as opened:
        json.dump(content, opened, indent=2)
        opened.write("\n")
    return _written(bytes(key.verify_key))


def public_key_in(file: Path) -> bytes:
    """Return the public key beside the protected one: no passphrase is needed, and nothing is proven by it.

    Raises:
        WrongKey: the file is none of ours.
    """
    return public_key_of(_content(file)["public_key"])


def opened(file: Path, passphrase: str) -> SigningKey:
    """Return the key in `file`.

    Raises:
        WrongKey: the file is none of ours, or the passphrase is wrong.
    """
    content = _content(file)
    costs = Costs(content["operations"], content["memory_bytes"])
    if costs.memory_bytes > pwhash.argon2id.MEMLIMIT_SENSITIVE or costs.operations > pwhash.argon2id.OPSLIMIT_SENSITIVE:
        raise WrongKey(f"{file}: asks for more work than a key of ours")
    try:
        box = secret.SecretBox(_derived(passphrase, _read(content["salt"]), costs))
        key = SigningKey(box.decrypt(_read(content["box"])))
    except (CryptoError, ValueError, TypeError) as error:
        raise WrongKey(f"{file}: the passphrase is wrong, or the file is damaged") from error
    if _written(bytes(key.verify_key)) != content["public_key"]:
        raise WrongKey(f"{file}: the public key beside it is another one")
    return key


def public_key_of(text: str) -> bytes:
    """Return the 32 bytes of a public key as `make` shows it.

    Raises:
        WrongKey: it is none.
    """
    try:
        key = _read(text)
        VerifyKey(key)
    except (ValueError, TypeError) as error:
        raise WrongKey("not a public key: 32 bytes in base64, as `patchline approver key` shows it") from error
    return key


def approver_id(public_key: bytes) -> UUID:
    """Return the id of the person who is enrolled with a key: another key is another enrolment."""
    return uuid5(NAMESPACE, f'["approver","{public_key.hex()}"]')


def statement(request: Request, approver: UUID, *, approve: bool, decided_at: datetime) -> bytes:
    """Return what is signed: canonical JSON (RFC 8785) of the decision, the question's nonce and its expiry."""
    return rfc8785.dumps(
        {
            "v": VERSION,
            "statement": "patchline.approval",
            "tenant": str(request.tenant),
            "case": str(request.case),
            "request": str(request.id),
            "login": request.login,
            "nonce": request.nonce,
            "expires_at": moment(request.expires_at),
            "approver": str(approver),
            "decision": "approve" if approve else "refuse",
            "decided_at": moment(decided_at),
        }
    )


def is_signed(public_key: bytes, signed: bytes, signature: bytes) -> bool:
    """Return whether the owner of `public_key` signed these bytes."""
    try:
        VerifyKey(public_key).verify(signed, signature)
    except (BadSignatureError, ValueError, TypeError):
        return False
    return True


def _derived(passphrase: str, salt: bytes, costs: Costs) -> bytes:
    return pwhash.argon2id.kdf(
        secret.SecretBox.KEY_SIZE,
        passphrase.encode(),
        salt,
        opslimit=costs.operations,
        memlimit=costs.memory_bytes,
    )


def _content(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text())
    except OSError as error:
        raise WrongKey(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise WrongKey(f"{file}: not a key file") from error
    kinds = {"salt": str, "box": str, "public_key": str, "operations": int, "memory_bytes": int}
    if not isinstance(content, dict) or content.get("v") != VERSION or content.get("kdf") != "argon2id":
        raise WrongKey(f"{file}: not a key file")
    if any(not isinstance(content.get(name), kind) for name, kind in kinds.items()):
        raise WrongKey(f"{file}: not a key file")
    return content


def _written(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _read(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
