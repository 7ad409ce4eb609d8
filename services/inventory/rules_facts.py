"""From an event to a fact: what it says of its device, spelled in one way, and where it stands in the order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, TypeGuard, cast
from uuid import UUID

from contracts import events, ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.event import Event
from contracts.order import OrderKey, effective_at
from services.inventory.rules_fields import Field
from services.inventory.rules_stamp import Stamp, stamp

OF_DEVICE: Final = frozenset(each for each in events.ALL if issubclass(each, rmm.RmmEvent))
"""The events that show that a device is there."""

ABOUT_DEVICE: Final[frozenset[type[Event]]] = frozenset(
    {
        rmm.DeviceSeen,
        rmm.DeviceUpdated,
        rmm.DeviceRemoved,
        rmm.DeviceOnline,
        rmm.DeviceOffline,
        rmm.DeviceBooted,
    }
)
"""Those that say something about the device itself. Patch and alert events only show that it is there."""


class Fact(NamedTuple):
    """What one event says of its device: a word on some of the fields, and where it stands in the order."""

    event: Envelope
    device: str
    effective_at: datetime
    stamp: Stamp
    said: Mapping[Field, object]


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why an event can never be folded."""

    reason: str


def fact(event: Envelope) -> Fact | Unusable:
    """Return what `event` says, or why it cannot be used."""
    told = event.data
    if not _is_of_device(told):
        return Unusable(f"ce_type: {told.TYPE} is not about the device of an RMM")
    if event.tenant is None:
        return Unusable("ce_tenantid: the header is missing, so the asset would belong to nobody")
    counts_at = effective_at(event.time, event.received)
    said = _words(told, counts_at) if type(told) in ABOUT_DEVICE else {}
    said["tenant_id"] = event.tenant
    return Fact(event, told.device, counts_at, stamp(OrderKey(counts_at, event.id)), said)


def by_asset(facts: Iterable[Fact]) -> dict[UUID, list[Fact]]:
    """Return the facts of each asset, by its id."""
    by_device: dict[tuple[str, str], list[Fact]] = {}
    for each in facts:
        by_device.setdefault((each.event.source, each.device), []).append(each)
    return {ids.asset_id(source, device): theirs for (source, device), theirs in by_device.items()}


def _is_of_device(told: Event) -> TypeGuard[rmm.RmmEvent]:
    return type(told) in OF_DEVICE  # pydantic makes `isinstance` slow for a subclass


def _words(told: rmm.RmmEvent, counts_at: datetime) -> dict[Field, object]:
    """Return what is said. It depends on nothing but the event and `counts_at`: of one stamp there is one word."""
    match told:
        case rmm.DeviceUpdated():
            return _normalised(told.facts)
        case rmm.DeviceOnline():
            return {"online": True}
        case rmm.DeviceOffline():
            return {"online": False}
        case rmm.DeviceBooted():
            build = _one_line(told.os_build or "")
            booted: dict[Field, object] = {"last_boot_at": min(told.booted_at, counts_at)}
            return {**booted, "os_build": build} if build else booted
        case rmm.DeviceSeen():
            return {**_normalised(told.facts), "removed_at": None}
        case rmm.DeviceRemoved():
            return {"removed_at": counts_at}
        case _:
            return {}


def _normalised(facts: rmm.DeviceFacts) -> dict[Field, object]:
    """Return the facts that are given, spelled in one way, so that the same fact twice is no change."""
    said: dict[str, object] = {}
    for name, value in vars(facts).items():
        if isinstance(value, str):
            if line := _one_line(value):
                said[name] = line
        elif isinstance(value, tuple):
            said[name] = tuple(sorted({_one_line(tag) for tag in value} - {""}))
        elif value is not None:
            said[name] = value
    return cast("dict[Field, object]", said)  # the names of DeviceFacts are fields, which a test proves


def _one_line(text: str) -> str:
    """Return `text` with single spaces: without tabs, line breaks and other separators."""
    return " ".join(text.split())
