"""The token of an approval link: who may decide about which case until when, signed.

Credentials makes it, the door reads it:

    base64url(JSON {v, case, approver_digest, expires, nonce}) "." base64url(HMAC-SHA256 over the text before the dot)

It names nobody: `approver_digest` means something to its maker alone. That it counts once is its maker's to see to;
what travels on from the door is the token's SHA-256, never the token.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

KEY_BYTES: Final = 32
LONGEST_TOKEN: Final = 1024
"""More characters than a token of ours has; a link with one stays below what mail programs break."""

_VERSION: Final = 1
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,960}\.[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a token says. `expires_at` is a whole second."""

    case: str
    approver_digest: str
    expires_at: datetime
    nonce: str


def token_of(claims: Claims, key: bytes) -> str:
    """Return the token that says `claims`, signed with `key`.

    Raises:
        ValueError: it would be longer than a token may be.
    """
    said = {
        "v": _VERSION,
        "case": claims.case,
        "approver_digest": claims.approver_digest,
        "expires": int(claims.expires_at.timestamp()),
        "nonce": claims.nonce,
    }
    text = _written(json.dumps(said, separators=(",", ":"), sort_keys=True).encode())
    token = f"{text}.{_written(_signature(text, key))}"
    if not is_token(token):
        raise ValueError("the claims are too long for a token")
    return token


def claims_in(token: str, key: bytes) -> Claims | None:
    """Return what a token says if `key` signed it; `None`: it did not. Expired ones are read, too."""
    if not is_token(token):
        return None
    text, _, signature = token.partition(".")
    if not hmac.compare_digest(signature, _written(_signature(text, key))):
        return None
    try:
        said = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if said["v"] != _VERSION:
            return None
        return Claims(
            case=str(said["case"]),
            approver_digest=str(said["approver_digest"]),
            expires_at=datetime.fromtimestamp(said["expires"], UTC),
            nonce=str(said["nonce"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def is_token(text: str) -> bool:
    """Return whether `text` is written as a token is; it says nothing of who wrote it."""
    return len(text) <= LONGEST_TOKEN and _TOKEN.fullmatch(text) is not None


def digest_of(token: str) -> str:
    """Return how a token is known once it was used: its SHA-256, in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def key_in(text: str) -> bytes:
    """Return the key in a key file's text: 32 random bytes in base64.

    Raises:
        ValueError: it is something else.
    """
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes, a key has {KEY_BYTES}")
    return key


def _signature(text: str, key: bytes) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
