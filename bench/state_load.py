"""What the devices of the state stage say, and the rows that come of it."""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.event import OsFamily, Tier
from services.inventory import rules
from services.inventory.rules import Kept, Step
from services.inventory.rules_facts import Fact, by_asset, fact

DEVICES: Final = 10_000
SOURCE: Final = "rmm/patchline/bench"
START: Final = datetime(2026, 11, 10, tzinfo=UTC)
TENANTS: Final = tuple(ids.tenant_id(f"bench client {number}") for number in range(20))

Load = Callable[[int, datetime, random.Random], rmm.RmmEvent]
"""Makes what one device says at one moment."""


def ordinary(device: int, at: datetime, rng: random.Random) -> rmm.RmmEvent:
    """Return what a device says on an ordinary day: 2 of 5 events change its record, 3 of 10 are about patches."""
    name = name_of(device)
    kind = rng.random()
    if kind < 0.3:
        return rmm.DeviceUpdated(device=name, facts=_facts(device, build="22631.4460"))
    if kind < 0.4:
        return changing(device, at, rng)
    if kind < 0.6:
        return rmm.DeviceOnline(device=name) if at.minute % 2 else rmm.DeviceOffline(device=name)
    if kind < 0.7:
        return rmm.DeviceBooted(device=name, booted_at=at - timedelta(minutes=1))
    return rmm.PatchDetected(device=name, patch=rmm.PatchRef(patch=f"p-{rng.randrange(400)}"), scanned_at=at)


def changing(device: int, at: datetime, _rng: random.Random) -> rmm.RmmEvent:
    """Return a check-in with all facts, one of them new: each such event is published."""
    return rmm.DeviceUpdated(device=name_of(device), facts=_facts(device, build=f"22631.{at.timestamp():.0f}"))


def events(load: Load, count: int, *, first_at: datetime, seed: int, devices: int = DEVICES) -> Iterator[Envelope]:
    """Yield `count` events, one device after the other in a shuffled circle: no batch has a device twice."""
    rng = random.Random(seed)
    circle = list(range(devices))
    rng.shuffle(circle)
    for number in range(count):
        device = circle[number % devices]
        at = first_at + timedelta(minutes=number // devices, milliseconds=number % devices)
        content = load(device, at, rng)
        yield Envelope(
            id=ids.event_id_of_fields(SOURCE, content.TYPE, at, content.device),
            source=SOURCE,
            subject=content.device,
            time=at,
            received=at + timedelta(seconds=1),
            tenant=TENANTS[device % len(TENANTS)],
            data=content,
        )


def steps(batch: Sequence[Envelope], kept: dict[UUID, Kept]) -> list[Step]:
    """Return what `batch` does to the assets, and note in `kept` how they are after it."""
    facts = by_asset(each for each in map(fact, batch) if isinstance(each, Fact))
    done = [rules.step(each, kept.get(each), theirs, quiet=timedelta(hours=1)) for each, theirs in facts.items()]
    kept.update((each.after.asset_id, Kept(each.after, each.after.last_seen_at, 1)) for each in done)
    return sorted(done, key=lambda each: each.after.asset_id.int)


def name_of(device: int) -> str:
    """Return what its source calls the device of a number."""
    return f"{device:08d}"


def _facts(device: int, *, build: str) -> rmm.DeviceFacts:
    is_server = device % 5 == 0
    return rmm.DeviceFacts(
        hostname=f"PC-{device:06d}",
        os_family=OsFamily.WINDOWS,
        os_name="Windows Server 2022 Standard" if is_server else "Windows 11 Professional",
        os_version="10.0.22631",
        os_build=build,
        tier=Tier.SERVER if is_server else Tier.WORKSTATION,
        owner=f"person{device}@client.example",
        location=f"Site {device % 40}",
        serial=f"SN{device:010d}",
        tags=("managed", "ring-1"),
    )
