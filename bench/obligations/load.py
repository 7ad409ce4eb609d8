"""Machines of one product that owes twenty requirements, and what their agent says of them on an ordinary evening."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.asset import AssetChanged
from contracts.events.event import Event, OsFamily, Tier
from services.compliance.catalog.document import document
from services.compliance.catalog.entries import CatalogDocument

DEVICES: Final = 1_000
"""So many machines take part in one round."""

REQUIREMENTS: Final = 20
SOURCE: Final = "rmm/patchline/bench"
INVENTORY: Final = "patchline/inventory"
TENANTS: Final = tuple(ids.tenant_id(f"bench client {number}") for number in range(20))
SECOND: Final = timedelta(seconds=1)
VISITS: Final = (range(10), range(10, 17), range(17, 20))
"""Which of its twenty events an agent tells at once."""


def catalog(now: datetime) -> CatalogDocument:
    """Return a catalog whose one system owes `REQUIREMENTS`; nothing of it falls due within a run."""
    trains = [
        {
            "train": f"train {number}",
            "releases": [
                {
                    "release": f"KB{_kb(number)}",
                    "kb": _kb(number),
                    "released_at": (now - timedelta(days=2)).isoformat(),
                    "severity": ("critical", "high", "moderate", "low")[number % 4],
                    "reboot": True,
                }
            ],
        }
        for number in range(REQUIREMENTS)
    ]
    product = {
        "product": "Bench Workstation",
        "os_family": "windows",
        "reads": "build",
        "line": "22631",
        "select": [{"build": "22631"}],
        "trains": trains,
    }
    return document(json.dumps({"name": "bench", "products": [product]}))


def records(first: int, now: datetime, *, tier: Tier = Tier.WORKSTATION, devices: int = DEVICES) -> Iterator[Envelope]:
    """Yield inventory's record of each machine from number `first` on."""
    for device in range(first, first + devices):
        asset = ids.asset_id(SOURCE, name_of(device))
        record = AssetChanged(
            asset=str(asset),
            source=SOURCE,
            device=name_of(device),
            hostname=f"PC-{device:06d}",
            os_family=OsFamily.WINDOWS,
            os_name="Windows 11 Professional",
            os_version="10.0.22631",
            os_build="22631.4460",
            tier=tier,
            first_seen_at=now - timedelta(days=30),
            last_seen_at=now,
        )
        yield _envelope(record, str(asset), now, device, source=INVENTORY, sequence=1)


def listing(first: int, now: datetime, *, devices: int) -> Iterator[Envelope]:
    """Yield of each machine from number `first` on that its scan lists the update of the first train."""
    for device in range(first, first + devices):
        said = rmm.PatchDetected(device=name_of(device), patch=_patch(0), scanned_at=now)
        yield _envelope(said, name_of(device), now, device)


def evening(first: int, now: datetime, *, seed: int, devices: int = DEVICES) -> Iterator[Envelope]:
    """Yield what the machines from number `first` on say, twenty events each, in three visits of their agents.

    A scan that lists half of what there is; approvals, claims and a failure; a restart, and a scan that is clean.
    """
    rng = random.Random(seed)
    circle = list(range(first, first + devices))
    for visit, steps in enumerate(VISITS):
        rng.shuffle(circle)
        for position, device in enumerate(circle):
            began_at = now - timedelta(hours=6 - visit) + timedelta(milliseconds=100 * position)
            for step in steps:
                at = began_at + timedelta(milliseconds=step)
                yield _envelope(_said(device, step, at), name_of(device), at, device)


def _said(device: int, step: int, at: datetime) -> Event:
    patch = _patch((device + step) % REQUIREMENTS)
    scanned_at = at.replace(microsecond=0)
    if step < 10:
        return rmm.PatchDetected(device=name_of(device), patch=patch, scanned_at=scanned_at)
    if step < 13:
        return rmm.PatchApproved(device=name_of(device), patch=patch)
    if step < 16:
        return rmm.PatchInstallReported(device=name_of(device), patch=patch)
    if step == 16:
        return rmm.PatchInstallFailed(device=name_of(device), patch=patch, code="0x80070643")
    if step == 17:
        return rmm.DeviceBooted(device=name_of(device), booted_at=at)
    if step == 18:
        return rmm.PatchNoLongerListed(device=name_of(device), patch=patch, scanned_at=scanned_at)
    return rmm.PatchScanCompleted(device=name_of(device), scanned_at=scanned_at)


def _envelope(
    content: Event, subject: str, at: datetime, device: int, *, source: str = SOURCE, sequence: int | None = None
) -> Envelope:
    return Envelope(
        id=ids.event_id_of_fields(source, content.TYPE, at, subject),
        source=source,
        subject=subject,
        time=at,
        received=at + SECOND,
        tenant=tenant_of(device),
        sequence=sequence,
        data=content,
    )


def tenant_of(device: int) -> UUID:
    """Return whose machine it is."""
    return TENANTS[device % len(TENANTS)]


def name_of(device: int) -> str:
    """Return what the machine's source calls it."""
    return f"{device:08d}"


def _kb(number: int) -> str:
    return str(9_900_000 + number)


def _patch(number: int) -> rmm.PatchRef:
    return rmm.PatchRef(patch=f"p-{number}", kb=_kb(number))


def hour_of(moment: datetime) -> datetime:
    """Return the whole hour of a moment, so that a round's facts do not depend on its seconds."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
