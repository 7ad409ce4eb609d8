"""Does a delivery come from who it says it does: Standard Webhooks signatures and secrets in a header. Pure.

Both live secrets are always compared, in constant time, and what is refused takes as long as what was forged, so that
an answer's time tells neither which secret nor which source exists.
"""

import base64
import hashlib
import hmac
import secrets
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

_LONGEST_ID: Final = 256
_LONGEST_TIMESTAMP: Final = 12
_MOST_SIGNATURES: Final = 16


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
    matches = [hmac.compare_digest(digest, each) for each in digests]
    return any(matches)


def _signed(
    keys: Pair, headers: RequestHeaders, body: bytes, *, now: datetime, tolerance: timedelta
) -> Verified | Refused:
    delivery = headers.get(b"webhook-id", b"")
    timestamp = headers.get(b"webhook-timestamp", b"")
    if not _is_delivery_id(delivery) or not timestamp.isdigit() or len(timestamp) > _LONGEST_TIMESTAMP:
        return Refused.FORGED
    if abs(now.timestamp() - int(timestamp)) > tolerance.total_seconds():
        return Refused.STALE
    content = b"%b.%b.%b" % (delivery, timestamp, body)
    expected = [base64.b64encode(hmac.digest(key, content, "sha256")) for key in keys]
    claimed = _claimed_signatures(headers.get(b"webhook-signature", b""))
    matches = [hmac.compare_digest(one, each) for one in claimed for each in expected]
    if not any(matches):
        return Refused.FORGED
    return Verified(VerifiedBody(body), delivery.decode("ascii"))


def _claimed_signatures(header: bytes) -> list[bytes]:
    """Return the `v1` signatures in a space-separated list; whatever else stands there is not one."""
    tokens = [token.partition(b",") for token in header.split(b" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]]
    return [signature for version, _, signature in tokens if version == b"v1"]


def _is_delivery_id(delivery: bytes) -> bool:
    """Return whether this can be an id: visible ASCII, so that it may travel as a header and stand in a log."""
    return 0 < len(delivery) <= _LONGEST_ID and delivery.isascii() and delivery.decode("ascii").isprintable()
