"""How one reading of a source differs from the one before: what changed of each device, in records that fit. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from services.gateway.polling.rules_collect import DeviceReading
from services.gateway.polling.rules_list import ListChange, is_worth_telling, list_change, list_digest
from services.gateway.polling.rules_snapshot import Change, Facts, Key, Known, Snapshot, digest_of, packed
from services.gateway.vendors.ninjaone_reading import Attempt, DeviceDifference, Reading, Scan
from services.gateway.vendors.ninjaone_rows import AttemptRow, DeviceRow, ListKind
from services.gateway.vendors.polled_device import Boot

DEVICE: Final = "device"
INSTALLS: Final = "installs"

SAME_BOOT: Final = timedelta(minutes=2)
"""Boot times are computed from the uptime and tremble."""

LARGEST_RECORD_BYTES: Final = 700_000
MOST_PATCHES: Final = 500
"""In one entry, so that an entry always fits a record."""


def differing(
    readings: Iterable[DeviceReading], known: Mapping[Key, Known]
) -> Iterator[tuple[DeviceReading, list[Key]]]:
    """Yield the readings that may differ from what is known, each with the snapshots that are needed to say how."""
    for reading in readings:
        device = reading.row.device
        keys = [
            *_if_changed((DEVICE, device), digest_of(device_facts(reading.row)), known),
            *_if_changed((INSTALLS, device), digest_of(installs_facts(reading.attempts)), known, empty=True),
            *((kind, device) for kind in reading.lists if _is_news(kind, reading, known.get((kind, device)))),
        ]
        if keys:
            yield reading, keys


def _if_changed(key: Key, digest: bytes, known: Mapping[Key, Known], *, empty: bool = False) -> list[Key]:
    before = known.get(key)
    if before is None:
        return [] if empty and digest == digest_of(installs_facts(())) else [key]
    return [] if before.digest == digest else [key]


def _is_news(kind: ListKind, reading: DeviceReading, before: Known | None) -> bool:
    if before is None or before.scanned_at is None or before.digest != list_digest(kind, reading):
        return True
    return is_worth_telling(reading.lists[kind], reading.row.collected_at, before.scanned_at)


def change(
    reading: DeviceReading, keys: Sequence[Key], before: Mapping[Key, Snapshot], read_at: datetime
) -> Change[DeviceDifference]:
    """Return what `reading` changes of the snapshots named by `keys`."""
    device = reading.row.device
    snapshots: list[Snapshot] = []
    told: Facts = {}
    lists: list[ListChange] = []
    for key in keys:
        old = before.get(key)
        if key[0] == DEVICE:
            own, told = _device_change(old, reading.row, read_at)
            snapshots += own
        elif key[0] == INSTALLS:
            facts = installs_facts(reading.attempts)
            snapshots.append(Snapshot(INSTALLS, device, digest_of(facts), None, facts))
            told |= {"attempts": _attempts_told(old.facts if old else None, reading.attempts)}
        else:
            lists.append(list_change("os" if key[0] == "os" else "software", old, reading))
    snapshots += [each.snapshot for each in lists]
    told |= {
        "approved": tuple(patch for each in lists for patch in each.approved),
        "rejected": tuple(patch for each in lists for patch in each.rejected),
    }
    place = {"device": device, "organisation": reading.row.organisation, "site": reading.row.site}
    scans = [each.scan for each in lists if each.scan]
    return Change(snapshots, [DeviceDifference(**place, **part) for part in _parts(told, scans)])


def device_facts(row: DeviceRow) -> Facts:
    """Return what is kept of a device."""
    return {
        "organisation": row.organisation,
        "site": row.site,
        "facts": row.facts.model_dump(mode="json", exclude_none=True),
        "removed": row.removed,
        "offline": row.offline,
        "booted_at": row.booted_at and row.booted_at.isoformat(),
        "os_build": row.os_build,
        "reboot": row.reboot,
    }


def installs_facts(attempts: Iterable[AttemptRow]) -> Facts:
    """Return what is kept of an install history: the attempts in the window that is asked for."""
    return {"seen": [[each.patch.patch, each.outcome, each.at.isoformat()] for each in attempts]}


def _device_told(before: Facts | None, row: DeviceRow, read_at: datetime) -> Facts:
    """Return what changed of a device; everything on the first reading, nothing but that of one that is removed."""
    old = before or {}
    if row.removed is not None:
        return {} if row.removed == old.get("removed") else {"removed": row.removed}
    told: Facts = {}
    if _described(old) != _described(device_facts(row)):
        told["facts"] = row.facts
    if row.offline is not None and row.offline != old.get("offline"):
        told["offline"] = row.offline
    booted = is_another_boot(old.get("booted_at"), row.booted_at)
    if row.booted_at is not None and (booted or row.os_build not in {None, old.get("os_build")}):
        told["boot"] = Boot(
            booted_at=row.booted_at, read_at=row.booted_at if booted else read_at, os_build=row.os_build
        )
    if row.reboot is not None and (booted or row.reboot != old.get("reboot")):
        told["reboot"] = row.reboot
    return told


def _described(facts: Facts) -> list[Any]:
    return [facts.get(name) for name in ("organisation", "site", "facts", "removed")]


def is_another_boot(before: str | None, now: datetime | None) -> bool:
    """Return whether a boot time is another one than that kept before."""
    return now is not None and (before is None or abs(now - datetime.fromisoformat(before)) > SAME_BOOT)


def _device_change(before: Snapshot | None, row: DeviceRow, read_at: datetime) -> tuple[list[Snapshot], Facts]:
    told = _device_told(before.facts if before else None, row, read_at)
    facts = device_facts(row)
    if before is not None and "boot" not in told:
        facts |= {"booted_at": before.facts["booted_at"]}  # else a boot time that creeps would never be another one
        if facts == before.facts:
            return [], told
    return [Snapshot(DEVICE, row.device, digest_of(device_facts(row)), None, facts)], told


def _attempts_told(before: Facts | None, attempts: Sequence[AttemptRow]) -> tuple[Attempt, ...]:
    seen = {tuple(each) for each in (before or {}).get("seen", [])}
    return tuple(
        Attempt(outcome=each.outcome, at=each.at, patch=each.patch)
        for each in attempts
        if (each.patch.patch, each.outcome, each.at.isoformat()) not in seen
    )


def _parts(told: Facts, scans: Sequence[Scan]) -> Iterator[Facts]:
    """Yield the fields of as many entries as are needed: none if there is nothing to tell, several if there is much."""
    lists = {name: told.pop(name) for name in ("attempts", "approved", "rejected") if name in told}
    if told:
        yield told
    for name, patches in lists.items():
        for start in range(0, len(patches), MOST_PATCHES):
            yield {name: patches[start : start + MOST_PATCHES]}
    for scan in scans:
        longest = max(len(scan.appeared), len(scan.gone), 1)
        for start in range(0, longest, MOST_PATCHES):
            cut = slice(start, start + MOST_PATCHES)
            yield {"scans": (scan.model_copy(update={"appeared": scan.appeared[cut], "gone": scan.gone[cut]}),)}


def records(entries: Iterable[DeviceDifference], read_at: datetime, most_bytes: int) -> Iterator[bytes]:
    """Yield the raw records that hold `entries`, in order, each well below `most_bytes`."""
    for part in packed(entries, most_bytes):
        yield Reading(read_at=read_at, devices=tuple(part)).model_dump_json(exclude_none=True).encode()
