"""Does a delivery come from who it says it does: Standard Webhooks signatures and secrets in a header. Pure.

Both live secrets are always compared, in constant time, and what is refused takes as long as what was forged, so that
an answer's time tells neither which secret nor which source exists.
"""

import hashlib
import hmac
import re
import secrets
from binascii import b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, assert_never

VerifiedBody = NewType("VerifiedBody", bytes)
"""Webhook bytes whose signature or secret was checked; only `verdict` makes one."""

RequestHeaders = Mapping[bytes, bytes]
"""Header values by lower-case name."""

Pair = tuple[bytes, bytes]

TOLERANCE: Final = timedelta(minutes=5)
"""How old or how new a signature may be. Source: the reference libraries of Standard Webhooks."""

_MOST_SIGNATURES: Final = 16
_TIMESTAMP: Final = re.compile(rb"[0-9]{1,12}")
_DELIVERY: Final = re.compile(rb"[ -~]{1,256}")
"""Visible ASCII: it travels in a header and stands in logs."""


@dataclass(frozen=True, slots=True)
class StandardWebhooks:
    """HMAC-SHA256 over id, timestamp and body. Source: Standard Webhooks 1.0.0, "Signature scheme"."""

    keys: Pair


@dataclass(frozen=True, slots=True)
class StaticHeader:
    """A secret as the value of one header; only its SHA-256 is known here."""

    header_name: bytes
    digests: Pair


Scheme = StandardWebhooks | StaticHeader


class Refused(StrEnum):
    """Why a delivery is not believed."""

    FORGED = "forged"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery that is believed. `delivery` is the sender's own id of it, where the scheme has one."""

    body: VerifiedBody
    delivery: str | None


def unguessable() -> bytes:
    """Return what stands in for a second live secret: nothing matches it, and comparing takes as long."""
    return secrets.token_bytes(32)


NOBODY: Final = StandardWebhooks((unguessable(), unguessable()))
"""What a delivery for an unknown source is checked against."""


def verdict(
    scheme: Scheme, headers: RequestHeaders, body: bytes, *, now: datetime, tolerance: timedelta = TOLERANCE
) -> Verified | Refused:
    """Return whether `body` came from who holds one of the live secrets."""
    match scheme:
        case StandardWebhooks(keys):
            return _signed(keys, headers, body, now=now, tolerance=tolerance)
        case StaticHeader(header_name, digests):
            if _holds_secret(digests, headers.get(header_name, b"")):
                return Verified(VerifiedBody(body), None)
            _signed(NOBODY.keys, headers, body, now=now, tolerance=tolerance)
            return Refused.FORGED
        case _:
            assert_never(scheme)


def _holds_secret(digests: Pair, value: bytes) -> bool:
    digest = hashlib.sha256(value).digest()
    return hmac.compare_digest(digest, digests[0]) | hmac.compare_digest(digest, digests[1])


def _signed(
    keys: Pair, headers: RequestHeaders, body: bytes, *, now: datetime, tolerance: timedelta
) -> Verified | Refused:
    delivery = headers.get(b"webhook-id", b"")
    timestamp = headers.get(b"webhook-timestamp", b"")
    if not _DELIVERY.fullmatch(delivery) or not _TIMESTAMP.fullmatch(timestamp):
        return Refused.FORGED
    if abs(now.timestamp() - int(timestamp)) > tolerance.total_seconds():
        return Refused.STALE
    content = b"%b.%b.%b" % (delivery, timestamp, body)
    one = b2a_base64(hmac.digest(keys[0], content, "sha256"), newline=False)
    other = b2a_base64(hmac.digest(keys[1], content, "sha256"), newline=False)
    if not _claims(headers.get(b"webhook-signature", b""), one, other):
        return Refused.FORGED
    return Verified(VerifiedBody(body), delivery.decode("ascii"))


def _claims(header: bytes, one: bytes, other: bytes) -> bool:
    """Return whether a space-separated list has one of two signatures; what is not `v1,` and base64 matches neither."""
    is_claimed = False
    for token in header.split(b" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]:
        if token.startswith(b"v1,"):
            is_claimed |= hmac.compare_digest(token[3:], one) | hmac.compare_digest(token[3:], other)
    return is_claimed
