"""What an event is to compliance: a fact to fold, news of an asset or a client, nothing, or nothing usable."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.asset import AssetChanged, AssetRemoved
from contracts.events.client import ClientChanged
from services.compliance.exceptions.news import PeopleNews, people_news
from services.compliance.monitors.news import WORDS, RebootNews, reboot_news
from services.compliance.rules_assets import AssetNews, asset_news
from services.compliance.rules_names import PatchName, patch_name, patch_of, unusable
from services.compliance.zones import zone_of

FOLDED: Final = (
    rmm.DeviceBooted,
    rmm.PatchScanCompleted,
    rmm.PatchDetected,
    rmm.PatchNoLongerListed,
    rmm.PatchApproved,
    rmm.PatchRejected,
    rmm.PatchInstallReported,
    rmm.PatchInstallFailed,
    rmm.PatchRolledBack,
    rmm.PatchRebootPending,
)
"""What an RMM says that bears on patch state, besides readings of a device's build or version.

The rest (online, offline, removed, alerts) is inventory's or ticketing's to judge.
"""


class Patch(NamedTuple):
    """The patch that a fact is about: what it is known by, and how the vendor describes it here."""

    name: PatchName
    ref: rmm.PatchRef


class FactNews(NamedTuple):
    """A fact to keep and fold. `patch` is `None` for one about the device."""

    event: Envelope
    told: rmm.RmmEvent
    tenant_id: UUID
    device_id: UUID
    patch: Patch | None


@dataclass(frozen=True, slots=True)
class ClientNews:
    """A client's record with a zone that exists."""

    event: Envelope
    tenant_id: UUID
    name: str
    zone: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why an event never works."""

    reason: str


News = FactNews | AssetNews | ClientNews | PeopleNews | RebootNews | Unusable


def news(event: Envelope) -> News | None:
    """Return what `event` is to us; `None`: nothing that bears on patch state."""
    match event.data:
        case AssetChanged() | AssetRemoved():
            found = asset_news(event)
            return Unusable(found) if isinstance(found, str) else found
        case ClientChanged() as client:
            return _client(event, client)
        case rmm.DeviceSeen(facts=facts) | rmm.DeviceUpdated(facts=facts) if facts.os_build or facts.os_version:
            return _fact(event)
        case told if isinstance(told, FOLDED):
            return _fact(event)
        case told if isinstance(told, WORDS):
            return _restart(event)
        case _:
            told_of_people = people_news(event)
            return Unusable(told_of_people) if isinstance(told_of_people, str) else told_of_people


@lru_cache(maxsize=8192)
def _device_id(source: str, device: str) -> UUID:
    return ids.asset_id(source, device)


def _client(event: Envelope, client: ClientChanged) -> News:
    if event.tenant is None or event.sequence is None:
        return Unusable(f"ce_tenantid, ce_sequence: a {client.TYPE} needs both")
    if zone_of(client.zone) is None:
        return Unusable("zone: no IANA time zone has that name")
    return ClientNews(event, event.tenant, client.name, client.zone, event.sequence)


def _restart(event: Envelope) -> News | None:
    if (reason := unusable(event)) is not None or event.tenant is None:
        return Unusable(reason or "ce_tenantid: the header is missing")
    return reboot_news(event, event.tenant)


def _fact(event: Envelope) -> News:
    told = event.data
    if (reason := unusable(event)) is not None or event.tenant is None or not isinstance(told, rmm.RmmEvent):
        return Unusable(reason or f"ce_type: {told.TYPE} is not about the device of an RMM")
    ref = patch_of(told)
    device_id = _device_id(event.source, told.device)
    return FactNews(event, told, event.tenant, device_id, Patch(patch_name(ref), ref) if ref else None)
