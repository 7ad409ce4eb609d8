"""The token of a link with which one person decides about one case. Pure; credentials makes it, the gateway checks it.

`base64url(JSON {v, case, approver_digest, expires, nonce}) "." base64url(HMAC-SHA256 over the first part)`, both parts
without padding. It names nobody: `approver_digest` is SHA-256 of the approver's id. Nobody keeps a token: a digest is
kept, and the token is made again from its claim and the key.
"""

import base64
import binascii
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from contracts.errors import UndecodableEvent

VERSION: Final = 1
TOKEN_CHARACTERS: Final = 1024
"""A longer token is none of ours."""

KEY_BYTES: Final = 32
"""A shorter key is refused."""

_PREFIX: Final = b"patchline.approval.v1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Which case, whose decision, until when. `expires` is in whole seconds; `nonce` makes each link its own."""

    case: str
    approver_digest: str
    expires: datetime
    nonce: str


def approver_digest(approver: str) -> str:
    """Return how a token names an approver: SHA-256 of their id, in hex."""
    return sha256(approver.encode()).hexdigest()


def minted(key: bytes, claim: Claim) -> str:
    """Return the token of `claim`: the same claim and key give the same token.

    Raises:
        ValueError: the key is shorter than 32 bytes.
    """
    expires = int(claim.expires.timestamp())
    fields = {
        "v": VERSION,
        "case": claim.case,
        "approver_digest": claim.approver_digest,
        "expires": expires,
        "nonce": claim.nonce,
    }
    body = _encoded(json.dumps(fields, separators=(",", ":"), sort_keys=True).encode())
    return f"{body}.{_encoded(_signature(key, body))}"


def read(key: bytes, token: str) -> Claim:
    """Return what a token says, after its signature was checked in constant time. Whether it is over is the caller's.

    Raises:
        UndecodableEvent: it is not signed with `key`, or is none of ours; the text holds nothing of the token.
        ValueError: the key is shorter than 32 bytes.
    """
    body, dot, signature = token.partition(".")
    if not dot or len(token) > TOKEN_CHARACTERS:
        raise UndecodableEvent("token: not one of ours")
    try:
        given = _decoded(signature)
        is_signed = hmac.compare_digest(given, _signature(key, body))
    except (UnicodeEncodeError, binascii.Error) as error:
        raise UndecodableEvent("token: not one of ours") from error
    if not is_signed or _encoded(given) != signature:  # one token, one spelling: its digest is what is counted once
        raise UndecodableEvent("token: the signature is wrong")
    return _claim(body)


def token_digest(token: str) -> str:
    """Return by what a token is known after it was checked: SHA-256 of the whole of it, in hex."""
    return sha256(token.encode()).hexdigest()


def _claim(body: str) -> Claim:
    try:
        fields = json.loads(_decoded(body))
        if fields["v"] != VERSION:
            raise UndecodableEvent("token: of another version")
        return Claim(
            case=str(fields["case"]),
            approver_digest=str(fields["approver_digest"]),
            expires=datetime.fromtimestamp(int(fields["expires"]), tz=UTC),
            nonce=str(fields["nonce"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise UndecodableEvent("token: signed, but not one of ours") from error


def _signature(key: bytes, body: str) -> bytes:
    if len(key) < KEY_BYTES:
        raise ValueError(f"the key of the links has {len(key)} bytes; it needs {KEY_BYTES}")
    return hmac.digest(key, _PREFIX + body.encode("ascii"), "sha256")


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
