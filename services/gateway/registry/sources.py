"""What a source is: where it delivers, how it proves itself, what is kept of its secrets. Pure but for randomness."""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, assert_never

from contracts.topics import Lane
from services.gateway import rules_lanes
from services.gateway.door import verification
from services.gateway.keys.bodies import BodyKey, BodySeal
from services.gateway.keys.key_sealing import StoredKey
from services.gateway.keys.sealing import Purpose, SealBroken, SealingKey, opened, sealed

LIVE_SECRETS: Final = 2
DEFAULT_HEADER: Final = "x-patchline-secret"

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HEADER: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_OTHER_USE: Final = frozenset({"connection", "content-length", "content-type", "host", "traceparent"})
_SIGNING_PREFIX: Final = "whsec_"
_SHORTEST_STATIC: Final = 16


class Scheme(StrEnum):
    """How a source proves that a delivery is its own."""

    STANDARD_WEBHOOKS = "standard-webhooks"
    STATIC_HEADER = "static-header"


DEFAULT_SCHEME: Final[Mapping[str, Scheme]] = {"ninjaone": Scheme.STATIC_HEADER}
"""What a vendor can do; all others sign. Source: NinjaOne's webhook API offers static headers only."""


SECRET_FORM: Final[Mapping[Scheme, str]] = {
    Scheme.STANDARD_WEBHOOKS: "whsec_ and then 24 to 64 bytes in base64",
    Scheme.STATIC_HEADER: f"at least {_SHORTEST_STATIC} visible ASCII characters",
}
"""What a secret that the sender chose must look like, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSource:
    """A source as it stands in the database, with what is kept of its live secrets, newest first.

    `data_key` seals its bodies: the newest that is not destroyed; `needs_key` if that one is retired or there is none.
    """

    source_id: str
    vendor: str
    scheme: Scheme
    header_name: str | None
    materials: Sequence[bytes]
    data_key: StoredKey | None = None
    needs_key: bool = False
    live_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A source to be added."""

    vendor: str
    name: str
    scheme: Scheme
    header_name: str | None

    @property
    def source_id(self) -> str:
        """Return how it is called everywhere."""
        return source_id_of(self.vendor, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Polling:
    """How a source's API is asked: OAuth2 client credentials, whose secret only the poller opens."""

    api_url: str
    client_id: str
    sealed_client_secret: bytes
    poll_seconds: int


@dataclass(frozen=True, slots=True)
class LiveSecret:
    """Where one of a source's live secrets is kept, and since when."""

    slot: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Rotation:
    """What to do for a new secret: end those in `retired`, keep the new one in `slot`."""

    slot: int
    retired: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Who delivers to one path, and how that is checked."""

    source_id: str
    vendor: str
    scheme: verification.Scheme
    seal: BodySeal | None
    """What seals its bodies; `None`: its key cannot be had now, and nothing is accepted without."""
    rate: rules_lanes.Rate | None = None
    """What it may deliver live; `None`: as much as any other."""
    lane: Lane = Lane.LIVE
    """Of its path: what comes by the bulk route is bulk at any rate."""


SourceByPath = Mapping[str, Source]


def source_id_of(vendor: str, name: str) -> str:
    """Return how a source is called everywhere."""
    return f"rmm/{vendor}/{name}"


def path(source_id: str) -> str:
    """Return where a source delivers."""
    return f"/webhooks/{source_id}"


def bulk_path(source_id: str) -> str:
    """Return where a source delivers what can wait: a resync, an import."""
    return f"{path(source_id)}/bulk"


def named_source(text: str) -> str | None:
    """Return the id of the source that a person means by `vendor/name` or `rmm/vendor/name`; `None`: it is neither."""
    vendor, slash, name = text.removeprefix("rmm/").partition("/")
    return source_id_of(vendor, name) if slash and is_name(vendor) and is_name(name) else None


def is_name(text: str) -> bool:
    """Return whether `text` can name a vendor or a source: it stands in paths, keys and file names."""
    return _NAME.fullmatch(text) is not None


def is_header(text: str) -> bool:
    """Return whether a secret may travel in the header `text`, written in lower case."""
    return _HEADER.fullmatch(text) is not None and text not in _OTHER_USE


def new_secret(scheme: Scheme) -> str:
    """Return a new secret as its sender is given it.

    Source: Standard Webhooks 1.0.0, "Secret serialization": base64 after `whsec_`.
    """
    match scheme:
        case Scheme.STANDARD_WEBHOOKS:
            return _SIGNING_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
        case Scheme.STATIC_HEADER:
            return secrets.token_urlsafe(32)
        case _:
            assert_never(scheme)


def is_secret(scheme: Scheme, secret: str) -> bool:
    """Return whether a secret that the sender chose is one of `scheme` and long enough not to be guessed.

    Source: Standard Webhooks 1.0.0, "Signature scheme": 24 to 64 bytes.
    """
    match scheme:
        case Scheme.STANDARD_WEBHOOKS:
            key = _signing_key(secret)
            return key is not None and 24 <= len(key) <= 64
        case Scheme.STATIC_HEADER:
            return len(secret) >= _SHORTEST_STATIC and secret.isascii() and secret.isprintable()
        case _:
            assert_never(scheme)


def material(scheme: Scheme, secret: str, *, source_id: str, sealing_key: SealingKey) -> bytes:
    """Return what is kept of a secret: the sealed key where it is needed in clear, else a hash.

    Raises:
        ValueError: it is not a secret of `scheme`.
    """
    match scheme:
        case Scheme.STANDARD_WEBHOOKS:
            key = _signing_key(secret)
            if key is None:
                raise ValueError("a signing secret is base64 after whsec_")
            return sealed(sealing_key, key, source_id=source_id, purpose=Purpose.WEBHOOK)
        case Scheme.STATIC_HEADER:
            return hashlib.sha256(secret.encode()).digest()
        case _:
            assert_never(scheme)


def rotation(live: Sequence[LiveSecret], *, at_once: bool) -> Rotation:
    """Return where a new secret goes: beside the newest one, or in place of all if they are to end `at_once`."""
    oldest_first = sorted(live, key=lambda secret: (secret.created_at, secret.slot))
    ending = oldest_first if at_once else oldest_first[: max(0, len(live) - LIVE_SECRETS + 1)]
    retired = tuple(secret.slot for secret in ending)
    staying = {secret.slot for secret in live} - set(retired)
    return Rotation(min(set(range(LIVE_SECRETS)) - staying), retired)


def known(
    stored: Iterable[StoredSource], sealing_key: SealingKey, key_by_source: Mapping[str, BodyKey]
) -> tuple[SourceByPath, list[str]]:
    """Return the sources by the path they deliver to, and a sentence for each whose secret does not open."""
    by_path: dict[str, Source] = {}
    broken: list[str] = []
    for each in stored:
        try:
            live = source(each.vendor, each.source_id, _scheme(each, sealing_key), key_by_source.get(each.source_id))
            if each.live_rate is not None:
                live = replace(live, rate=rules_lanes.live_rate(each.live_rate))
            by_path[path(each.source_id)] = live
            by_path[bulk_path(each.source_id)] = replace(live, lane=Lane.BULK)
        except SealBroken as error:
            broken.append(str(error))
    return by_path, broken


def source(vendor: str, source_id: str, scheme: verification.Scheme, key: BodyKey | None) -> Source:
    """Return who delivers webhooks to the path of `source_id`, its bodies sealed with `key`."""
    seal = None if key is None else BodySeal(key, vendor=vendor, channel="webhook")
    return Source(source_id, vendor, scheme, seal)


def _scheme(stored: StoredSource, sealing_key: SealingKey) -> verification.Scheme:
    match stored.scheme:
        case Scheme.STANDARD_WEBHOOKS:
            keys = [
                opened(sealing_key, each, source_id=stored.source_id, purpose=Purpose.WEBHOOK)
                for each in stored.materials
            ]
            return verification.StandardWebhooks(_pair(keys))
        case Scheme.STATIC_HEADER:
            return verification.StaticHeader((stored.header_name or DEFAULT_HEADER).encode(), _pair(stored.materials))
        case _:
            assert_never(stored.scheme)


def _pair(live: Sequence[bytes]) -> verification.Pair:
    one, other = [*live, verification.unguessable(), verification.unguessable()][:LIVE_SECRETS]
    return one, other


def _signing_key(secret: str) -> bytes | None:
    if not secret.startswith(_SIGNING_PREFIX):
        return None
    text = secret.removeprefix(_SIGNING_PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)  # some senders leave the padding out
    except (binascii.Error, ValueError):
        return None
