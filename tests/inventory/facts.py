"""What devices say, for the tests of inventory: anything, in any order, with any clock."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import strategies as st

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.event import OsFamily, Tier
from services.inventory import rules
from services.inventory.rules import Asset, Kept
from services.inventory.rules_facts import ABOUT_DEVICE, Fact, fact
from tests.builders import ACME, BIRCH, MINUTE, NOON, SOURCE, of_device

QUIET = timedelta(hours=1)


def usable(event: Envelope) -> Fact:
    """Return the fact that `event` tells."""
    told = fact(event)
    assert isinstance(told, Fact)
    return told


def asset_of(events: Sequence[Envelope], before: Asset | None = None) -> Asset:
    """Return the asset that the events, all of one device, make."""
    device = usable(events[0]).device
    return rules.folded(ids.asset_id(events[0].source, device), before, [usable(each) for each in events])


def kept(events: Sequence[Envelope]) -> Kept:
    """Return the asset that the events make as it is stored and published."""
    asset = asset_of(events)
    return Kept(asset, asset.last_seen_at, 1)


def updated(device: str = "d1", *, at: datetime = NOON, **facts: object) -> Envelope:
    """Return an event that states `facts` about a device."""
    return of_device(rmm.DeviceUpdated(device=device, facts=rmm.DeviceFacts.model_validate(facts)), at=at)


def seen(device: str = "d1", *, at: datetime = NOON, **facts: object) -> Envelope:
    """Return an event that enrols a device."""
    return of_device(rmm.DeviceSeen(device=device, facts=rmm.DeviceFacts.model_validate(facts)), at=at)


def removed(device: str = "d1", *, at: datetime = NOON) -> Envelope:
    """Return an event that removes a device."""
    return of_device(rmm.DeviceRemoved(device=device, reason="deleted"), at=at)


def patch_detected(device: str = "d1", *, at: datetime = NOON) -> Envelope:
    """Return an event that says nothing about the device but that it is there."""
    return of_device(rmm.PatchDetected(device=device, patch=rmm.PatchRef(patch="p-1"), scanned_at=at), at=at)


def again(event: Envelope, *, later: timedelta) -> Envelope:
    """Return the same event in a second delivery: the vendor sent it again."""
    return event._replace(received=event.received + later)


ABOUT_DEVICE_TYPES = tuple(ABOUT_DEVICE)

_names = st.sampled_from(["a", "b"])
_facts = st.fixed_dictionaries(
    {},
    optional={
        "hostname": _names,
        "os_family": st.sampled_from(OsFamily),
        "os_name": st.sampled_from(["Windows 11 Pro", "Windows Server 2022", "Ubuntu 24.04"]),
        "os_version": _names,
        "os_build": _names,
        "tier": st.sampled_from(Tier),
        "owner": _names,
        "location": _names,
        "serial": _names,
        "ephi": st.booleans(),
        "tags": st.lists(st.sampled_from(["ePHI: yes", "kiosk", "ring-1"]), max_size=2).map(tuple),
    },
).map(rmm.DeviceFacts.model_validate)
_moments = st.sampled_from(
    [NOON + minutes * MINUTE for minutes in range(4)] + [datetime(2099, 1, 1, tzinfo=NOON.tzinfo)]
)


@st.composite
def contents(draw: st.DrawFn, device: str) -> rmm.RmmEvent:
    """Return what an event about `device` says."""
    kind = draw(st.integers(0, 6))
    if kind == 0:
        return rmm.DeviceSeen(device=device, facts=draw(_facts))
    if kind == 1:
        return rmm.DeviceUpdated(device=device, facts=draw(_facts))
    if kind == 2:
        return rmm.DeviceRemoved(device=device, reason="deleted")
    if kind == 3:
        return rmm.DeviceOnline(device=device)
    if kind == 4:
        return rmm.DeviceOffline(device=device)
    if kind == 5:
        return rmm.DeviceBooted(device=device, booted_at=draw(_moments), os_build=draw(st.none() | _names))
    return rmm.PatchDetected(device=device, patch=rmm.PatchRef(patch="p"), scanned_at=NOON)


@st.composite
def histories(draw: st.DrawFn, devices: Sequence[str] = ("d1",), source: str = SOURCE) -> list[Envelope]:
    """Return distinct events in the order of their numbers: with ties, clocks of 2099, and two clients."""
    count = draw(st.integers(1, 12))
    return [
        of_device(
            draw(contents(draw(st.sampled_from(devices)))),
            at=draw(_moments),
            received=NOON + draw(st.integers(0, 8)) * MINUTE,
            source=source,
            tenant=draw(st.sampled_from([ACME, BIRCH])),
            event_id=UUID(int=number + 1),
        )
        for number in range(count)
    ]


@st.composite
def deliveries(draw: st.DrawFn, events: Sequence[Envelope]) -> list[list[Envelope]]:
    """Return all of the events in any order, some of them twice, split into batches anywhere."""
    twice = draw(st.lists(st.sampled_from(events), max_size=5))
    arriving = draw(st.permutations([*events, *twice]))
    cuts = sorted(draw(st.sets(st.integers(1, len(arriving)), max_size=4)) | {len(arriving)})
    return [list(arriving[start:end]) for start, end in zip([0, *cuts[:-1]], cuts, strict=True)]
