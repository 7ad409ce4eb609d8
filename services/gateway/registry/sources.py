"""What a source is: where it delivers, what is known of it, and whom the door believes. Pure but for randomness."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, assert_never

from contracts.topics import Lane
from services.gateway import rules_lanes
from services.gateway.door import verification
from services.gateway.keys.bodies import BodyKey, BodySeal
from services.gateway.keys.key_sealing import StoredKey
from services.gateway.keys.sealing import Purpose, SealBroken, SealingKey, opened
from services.gateway.registry.schemes import AGENT_VENDORS, DEFAULT_HEADER, Scheme, agent_user

LIVE_SECRETS: Final = 2
REPORTS_A_SECOND: Final = 2.0
"""What agents may send live: a report is a hundred times the work of a webhook, and no failure must wait for it."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HEADER: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_OTHER_USE: Final = frozenset({"connection", "content-length", "content-type", "host", "traceparent"})


class Kind(StrEnum):
    """What delivers: a monitoring system, a ticket system, a feed of exposures. First in every id and path."""

    RMM = "rmm"
    PSA = "psa"
    EXPOSURE = "exposure"


PSA_VENDORS: Final = frozenset({"connectwise", "request-tracker", "roundup"})
"""The ticket systems whose webhooks are understood."""

APPROVALS: Final = "approval"
"""What brings the answers of people who follow an approval link, as if they were a feed."""

EXPOSURE_VENDORS: Final = frozenset({"spycloud", "recorded-future", "graph", "hibp", APPROVALS})
"""Feeds of exposed credentials. Every vendor that is neither here nor a ticket system is an RMM; what comes of a feed
in Patchline's own format is said to: `exposure/patchline`."""


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
    key_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A source to be added."""

    vendor: str
    name: str
    scheme: Scheme
    header_name: str | None
    key_hosts: tuple[str, ...] = ()
    kind: Kind | None = None
    """`None`: that of its vendor's product."""

    @property
    def source_id(self) -> str:
        """Return how it is called everywhere."""
        return source_id_of(self.vendor, self.name, self.kind)


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
    kind: Kind = Kind.RMM


SourceByPath = Mapping[str, Source]


def source_id_of(vendor: str, name: str, kind: Kind | None = None) -> str:
    """Return how a source is called everywhere; `vendor` may have its kind before it, as in `exposure/patchline`."""
    return f"{vendor if '/' in vendor else f'{kind or kind_of(vendor)}/{vendor}'}/{name}"


def kind_of(vendor: str) -> Kind:
    """Return what a vendor's product is."""
    if vendor in EXPOSURE_VENDORS:
        return Kind.EXPOSURE
    return Kind.PSA if vendor in PSA_VENDORS else Kind.RMM


def vendor_in(text: str) -> tuple[Kind, str] | None:
    """Return the kind and vendor that a person means by `vendor` or `kind/vendor`; `None`: there can be none such."""
    before, slash, vendor = text.rpartition("/")
    if not is_name(vendor) or vendor in set(Kind):
        return None
    if not slash:
        return kind_of(vendor), vendor
    is_own_feed = (before, vendor) == (Kind.EXPOSURE, "patchline")
    return (Kind(before), vendor) if is_own_feed or before == kind_of(vendor) else None


def path(source_id: str) -> str:
    """Return where a source delivers. Agents have a route of their own: nothing else believes their password."""
    kind, vendor, name = source_id.split("/")
    if vendor in AGENT_VENDORS:
        return f"/agents/{vendor}/{name}"
    return "/approvals" if (kind, vendor) == (Kind.EXPOSURE, APPROVALS) else f"/webhooks/{source_id}"


def has_agents(source_id: str) -> bool:
    """Return whether what delivers for a source are its agents themselves."""
    return source_id.split("/")[1] in AGENT_VENDORS


def login(source_id: str) -> dict[str, str]:
    """Return what an agent must be told besides where and the password, by what it calls it."""
    return {"user": agent_user(source_id)} if has_agents(source_id) else {}


def bulk_path(source_id: str) -> str:
    """Return where a source delivers what can wait: a resync, an import."""
    return f"{path(source_id)}/bulk"


def named_source(text: str) -> str | None:
    """Return the id of the source that a person means by `vendor/name` or its whole id; `None`: it is neither."""
    before, slash, name = text.rpartition("/")
    found = vendor_in(before) if slash and is_name(name) else None
    return None if found is None else source_id_of(found[1], name, found[0])


def is_name(text: str) -> bool:
    """Return whether `text` can name a vendor or a source: it stands in paths, keys and file names."""
    return _NAME.fullmatch(text) is not None


def is_header(text: str) -> bool:
    """Return whether a secret may travel in the header `text`, written in lower case."""
    return _HEADER.fullmatch(text) is not None and text not in _OTHER_USE


def rotation(live: Sequence[LiveSecret], *, at_once: bool) -> Rotation:
    """Return where a new secret goes: beside the newest one, or in place of all if they are to end `at_once`."""
    oldest_first = sorted(live, key=lambda secret: (secret.created_at, secret.slot))
    ending = oldest_first if at_once else oldest_first[: max(0, len(live) - LIVE_SECRETS + 1)]
    retired = tuple(secret.slot for secret in ending)
    staying = {secret.slot for secret in live} - set(retired)
    return Rotation(min(set(range(LIVE_SECRETS)) - staying), retired)


def known(
    stored: Iterable[StoredSource],
    sealing_key: SealingKey,
    key_by_source: Mapping[str, BodyKey],
    callback_keys: Mapping[str, str] = MappingProxyType({}),
) -> tuple[SourceByPath, list[str]]:
    """Return the sources by the path they deliver to, and a sentence for each whose secret does not open.

    `callback_keys` are those of signed callbacks, by address, as they come to be here.
    """
    by_path: dict[str, Source] = {}
    broken: list[str] = []
    for each in stored:
        try:
            scheme = _scheme(each, sealing_key, callback_keys)
            live = source(each.vendor, each.source_id, scheme, key_by_source.get(each.source_id))
            if (rate := each.live_rate or (REPORTS_A_SECOND if has_agents(each.source_id) else None)) is not None:
                live = replace(live, rate=rules_lanes.live_rate(rate))
            by_path[path(each.source_id)] = live
            if live.kind is Kind.RMM and not has_agents(each.source_id):
                by_path[bulk_path(each.source_id)] = replace(live, lane=Lane.BULK)
        except SealBroken as error:
            broken.append(str(error))
    return by_path, broken


def source(vendor: str, source_id: str, scheme: verification.Scheme, key: BodyKey | None) -> Source:
    """Return who delivers webhooks to the path of `source_id`, its bodies sealed with `key`."""
    seal = None if key is None else BodySeal(key, vendor=vendor, channel="webhook")
    return Source(source_id, vendor, scheme, seal, kind=Kind(source_id.partition("/")[0]))


def _scheme(stored: StoredSource, sealing_key: SealingKey, callback_keys: Mapping[str, str]) -> verification.Scheme:
    header_name = (stored.header_name or DEFAULT_HEADER).encode()
    match stored.scheme:
        case Scheme.STANDARD_WEBHOOKS:
            return verification.StandardWebhooks(_opened_pair(stored, sealing_key))
        case Scheme.STATIC_HEADER:
            return verification.StaticHeader(header_name, _pair(stored.materials))
        case Scheme.BASIC:
            return verification.BasicPassword(_pair(stored.materials))
        case Scheme.HMAC_SHA256:
            return verification.SignedBody(header_name, _opened_pair(stored, sealing_key))
        case Scheme.CONNECTWISE_CALLBACK:
            return verification.SignedCallback(frozenset(stored.key_hosts), callback_keys)
        case Scheme.CLIENT_STATE:
            return verification.ClientState(_pair(stored.materials))
        case Scheme.POLLED:
            return verification.NOBODY
        case Scheme.APPROVAL_LINK:
            return verification.NOBODY  # its token is looked at where it arrives: services.gateway.door.approvals
        case _:
            assert_never(stored.scheme)


def _opened_pair(stored: StoredSource, sealing_key: SealingKey) -> verification.Pair:
    return _pair(
        [opened(sealing_key, each, source_id=stored.source_id, purpose=Purpose.WEBHOOK) for each in stored.materials]
    )


def _pair(live: Sequence[bytes]) -> verification.Pair:
    one, other = [*live, verification.unguessable(), verification.unguessable()][:LIVE_SECRETS]
    return one, other
