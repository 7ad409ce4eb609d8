"""Does a delivery come from who it says it does: signatures, secrets in a header, keys at a pinned host. Pure.

Both live secrets are always compared, in constant time, and what is refused takes as long as what was forged, so that
an answer's time tells neither which secret nor which source exists.
"""

import binascii
import hashlib
import hmac
import re
import secrets
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, assert_never

from pydantic_core import from_json

from services.gateway.door import connectwise_callbacks

VerifiedBody = NewType("VerifiedBody", bytes)
"""Webhook bytes whose signature or secret was checked; only `verdict` makes one, and `feeds` what is left of one."""

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


@dataclass(frozen=True, slots=True)
class BasicPassword:
    """A user and a password in `Authorization`; only the SHA-256 of both, with a colon between, is known here.

    Source: RFC 7617, section 2.
    """

    digests: Pair


@dataclass(frozen=True, slots=True)
class SignedBody:
    """HMAC-SHA256 over the body alone, in hex, as the value of one header. It says nothing of when it was made."""

    header_name: bytes
    keys: Pair


@dataclass(frozen=True, slots=True)
class SignedCallback:
    """A callback that names the address of its key. `keys` has, by address, those that were fetched from `hosts`."""

    hosts: frozenset[str]
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClientState:
    """A secret that every notification in the body repeats; only its SHA-256 is known here.

    Source: Microsoft Graph, change notifications: `clientState`. Notifications of several tenants share one body.
    """

    digests: Pair


Scheme = StandardWebhooks | StaticHeader | BasicPassword | SignedBody | SignedCallback | ClientState


class Refused(StrEnum):
    """Why a delivery is not believed."""

    FORGED = "forged"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery that is believed. `delivery` is the sender's own id of it, where the scheme has one."""

    body: VerifiedBody
    delivery: str | None


@dataclass(frozen=True, slots=True)
class KeyWanted:
    """The key at this address is not here, or it is and does not fit: it may be another by now."""

    address: str


def unguessable() -> bytes:
    """Return what stands in for a second live secret: nothing matches it, and comparing takes as long."""
    return secrets.token_bytes(32)


NOBODY: Final = StandardWebhooks((unguessable(), unguessable()))
"""What a delivery for an unknown source is checked against."""

NO_AGENT: Final = BasicPassword((unguessable(), unguessable()))
"""What an agent of an unknown source is checked against."""


def verdict(
    scheme: Scheme, headers: RequestHeaders, body: bytes, *, now: datetime, tolerance: timedelta = TOLERANCE
) -> Verified | Refused | KeyWanted:
    """Return whether `body` came from who holds one of the live secrets, or which key must be here to say so."""
    match scheme:
        case StandardWebhooks(keys):
            return _signed(keys, headers, body, now=now, tolerance=tolerance)
        case StaticHeader(header_name, digests):
            if _holds_secret(digests, headers.get(header_name, b"")):
                return Verified(VerifiedBody(body), None)
            _signed(NOBODY.keys, headers, body, now=now, tolerance=tolerance)
            return Refused.FORGED
        case BasicPassword(digests):
            if _holds_secret(digests, _credentials(headers.get(b"authorization", b""))):
                return Verified(VerifiedBody(body), None)
            return Refused.FORGED
        case SignedBody(header_name, keys):
            return _signed_alone(keys, headers.get(header_name, b""), body)
        case SignedCallback(hosts, keys_by_address):
            return _called_back(hosts, keys_by_address, headers, body)
        case ClientState(digests):
            return _notified(digests, body)
        case _:
            assert_never(scheme)


def _credentials(authorization: bytes) -> bytes:
    """Return user, colon and password; nothing where there are none."""
    scheme, _, encoded = authorization.partition(b" ")
    try:
        return a2b_base64(encoded.strip(), strict_mode=True) if scheme.lower() == b"basic" else b""
    except binascii.Error:
        return b""


def _holds_secret(digests: Pair, value: bytes) -> bool:
    digest = hashlib.sha256(value).digest()
    return hmac.compare_digest(digest, digests[0]) | hmac.compare_digest(digest, digests[1])


def _signed_alone(keys: Pair, claimed: bytes, body: bytes) -> Verified | Refused:
    one, other = (hmac.digest(key, body, "sha256").hex().encode() for key in keys)
    if hmac.compare_digest(claimed, one) | hmac.compare_digest(claimed, other):
        return Verified(VerifiedBody(body), None)
    return Refused.FORGED


def _called_back(
    hosts: frozenset[str], keys: Mapping[str, str], headers: RequestHeaders, body: bytes
) -> Verified | Refused | KeyWanted:
    callback = connectwise_callbacks.callback_of(body)
    address = None if callback is None else connectwise_callbacks.pinned(callback.key_url, hosts)
    if address is None:
        return Refused.FORGED
    key = keys.get(address)
    claimed = headers.get(connectwise_callbacks.SIGNATURE_HEADER, b"")
    if key is not None and connectwise_callbacks.is_signed(key, body, claimed):
        return Verified(VerifiedBody(body), None)
    return KeyWanted(address) if claimed else Refused.FORGED


def _notified(digests: Pair, body: bytes) -> Verified | Refused:
    """Believe a body if each notification in it has the secret: one that has not is another sender's."""
    states = _client_states(body)
    is_held = [_holds_secret(digests, each) for each in states or [b""]]
    return Verified(VerifiedBody(body), None) if states and all(is_held) else Refused.FORGED


def _client_states(body: bytes) -> list[bytes]:
    try:
        told = from_json(body, allow_inf_nan=False)
    except ValueError:
        return []
    notifications = told.get("value") if isinstance(told, dict) else None
    states = [
        each.get("clientState") if isinstance(each, dict) else None
        for each in (notifications if isinstance(notifications, list) else ())
    ]
    return [each.encode("utf-8", "surrogatepass") if isinstance(each, str) else b"" for each in states]


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
