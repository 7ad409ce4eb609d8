"""Datto RMM's devices and alerts put together, and how one reading of them differs from the one before. Pure.

What is not listed is not judged: pages move while they are read. A device is gone when a row says `deleted`, an alert
is over when a row says `resolved`. What was over before a source was first read is history, and is not told.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from services.gateway.polling.rules_poll import SAME_BOOT
from services.gateway.polling.rules_snapshot import Change, Facts, Key, Known, Snapshot, digest_of, packed
from services.gateway.vendors import datto_rows as rows
from services.gateway.vendors.datto_reading import AlertDifference, DeviceDifference, Reading
from services.gateway.vendors.datto_rows import INSTALL_ERROR, AlertRow, DeviceRow, Row
from services.gateway.vendors.fields import Unreadable
from services.gateway.vendors.polled_device import Boot

DEVICE: Final = "device"
ALERTS: Final = "alerts"
STATUS_CONTEXT: Final = "online_offline_status_ctx"

MOST_ALERTS: Final = 500
"""In one entry, so that an entry always fits a record."""


@dataclass(frozen=True, slots=True)
class DattoReading:
    """Everything that one poll read of a device; `row` is `None` where only its alerts are listed.

    `is_first`: its source was never read before.
    """

    device: str
    row: DeviceRow | None
    alerts: tuple[AlertRow, ...]
    alerts_from: datetime
    is_first: bool = False

    @property
    def site(self) -> str | None:
        """Return the site: of the device, else the one that its newest alert names."""
        if self.row is not None:
            return self.row.site
        return self.alerts[-1].site if self.alerts else None


@dataclass(slots=True)
class DattoCollected:
    """The rows of one poll so far. `unread` counts those that could not be; `alerts_from` is how far back alerts go."""

    alerts_from: datetime
    unread: int = 0
    _devices: dict[str, DeviceRow] = field(default_factory=dict)
    _alerts: dict[str, AlertRow] = field(default_factory=dict)

    def add_device(self, row: Row) -> None:
        """Take a row of `account/devices`."""
        try:
            device = rows.device_row(row)
        except Unreadable:
            self.unread += 1
        else:
            self._devices[device.device] = device

    def add_alert(self, row: Row) -> bool:
        """Take an alert and return whether it is older than what is wanted. One read as resolved later, is resolved."""
        try:
            alert = rows.alert_row(row)
        except Unreadable:
            self.unread += 1
            return False
        is_old = alert.is_resolved and max(alert.raised_at, alert.resolved_at or alert.raised_at) < self.alerts_from
        before = self._alerts.get(alert.alert)
        if not is_old and (before is None or not before.is_resolved):
            self._alerts[alert.alert] = alert
        return is_old

    def readings(self) -> Iterator[DattoReading]:
        """Yield what was read, device by device in order."""
        alerts: defaultdict[str, list[AlertRow]] = defaultdict(list)
        for alert in sorted(self._alerts.values(), key=lambda each: (each.raised_at, each.alert)):
            alerts[alert.device].append(alert)
        for device in sorted(self._devices.keys() | alerts.keys()):
            yield DattoReading(device, self._devices.get(device), tuple(alerts.get(device, ())), self.alerts_from)


def differing(readings: Iterable[DattoReading], known: Mapping[Key, Known]) -> Iterator[tuple[DattoReading, list[Key]]]:
    """Yield the readings that may differ from what is known, each with the snapshots that are needed to say how."""
    for reading in readings:
        wanted: dict[Key, bytes] = {}
        if reading.alerts or (ALERTS, reading.device) in known:
            wanted[ALERTS, reading.device] = digest_of(_alerts_read(reading))
        if reading.row is not None:
            wanted[DEVICE, reading.device] = digest_of(_device_facts(reading.row))
        keys = [key for key, digest in wanted.items() if key not in known or known[key].digest != digest]
        if keys:
            yield replace(reading, is_first=not known), keys


def change(
    reading: DattoReading, keys: Sequence[Key], before: Mapping[Key, Snapshot], read_at: datetime
) -> Change[DeviceDifference]:
    """Return what `reading` changes of the snapshots named by `keys`."""
    snapshots: list[Snapshot] = []
    told: Facts = {}
    alerts: list[AlertDifference] = []
    for key in keys:
        old = before.get(key)
        if key[0] == ALERTS:
            alerts, snapshot = _alerts_change(old, reading, read_at)
            snapshots.append(snapshot)
        elif reading.row is not None:
            told = _device_told(old.facts if old else {}, reading.row, read_at)
            snapshots.append(_device_snapshot(old, reading.row, told))
    row = reading.row
    if row is not None and row.offline is not None and any(each.kind == STATUS_CONTEXT for each in alerts):
        told["offline"] = row.offline  # the alert is about a moment ago: say how it is now
    place = {"device": reading.device, "organisation": reading.site}
    parts: list[Facts] = [{**told, "seen_at": row.seen_at if row else None}] if told else []
    parts += [{"alerts": tuple(alerts[at : at + MOST_ALERTS])} for at in range(0, len(alerts), MOST_ALERTS)]
    return Change(snapshots, [DeviceDifference(**place, **part) for part in parts])


def _device_facts(row: DeviceRow) -> Facts:
    return {
        "site": row.site,
        "facts": row.facts.model_dump(mode="json", exclude_none=True),
        "removed": row.removed,
        "offline": row.offline,
        "booted_at": row.booted_at and row.booted_at.isoformat(),
        "os_build": row.os_build,
        "reboot": row.reboot,
        "patch_status": row.patch_status,
    }


def _device_told(old: Facts, row: DeviceRow, read_at: datetime) -> Facts:
    """Return what changed of a device; everything on the first reading, nothing but that of one that is removed."""
    if row.removed is not None:
        return {} if row.removed == old.get("removed") else {"removed": row.removed}
    now = _device_facts(row)
    told: Facts = {}
    if any(old.get(name) != now[name] for name in ("site", "facts", "removed")):
        told["facts"] = row.facts
    if row.offline is not None and row.offline != old.get("offline"):
        told["offline"] = row.offline
    booted = _is_another_boot(old, row)
    if row.booted_at is not None and (booted or row.os_build not in {None, old.get("os_build")}):
        told["boot"] = Boot(
            booted_at=row.booted_at, read_at=row.booted_at if booted else read_at, os_build=row.os_build
        )
    if row.reboot is not None and (booted or row.reboot != old.get("reboot")):
        told["reboot"] = row.reboot
    if row.patch_status is not None and row.patch_status != old.get("patch_status"):
        told["patch_status"] = row.patch_status
        is_error, was_error = row.patch_status == INSTALL_ERROR, old.get("patch_status") == INSTALL_ERROR
        told |= {"install_error": is_error} if is_error != was_error else {}
    return told


def _is_another_boot(old: Facts, row: DeviceRow) -> bool:
    before: str | None = old.get("booted_at")
    if row.booted_at is None:
        return False
    return before is None or abs(row.booted_at - datetime.fromisoformat(before)) > SAME_BOOT


def _device_snapshot(before: Snapshot | None, row: DeviceRow, told: Facts) -> Snapshot:
    facts = _device_facts(row)
    if before is not None:
        if "boot" not in told:
            facts["booted_at"] = before.facts["booted_at"]  # else a boot time that creeps would never be another one
        facts["patch_status"] = row.patch_status or before.facts["patch_status"]
    return Snapshot(DEVICE, row.device, digest_of(_device_facts(row)), None, facts)


def _alerts_read(reading: DattoReading) -> Facts:
    """Return what tells two readings of a device's alerts apart."""
    return {"read": [[each.alert, each.is_resolved, each.lost] for each in reading.alerts]}


def _alerts_change(
    before: Snapshot | None, reading: DattoReading, read_at: datetime
) -> tuple[list[AlertDifference], Snapshot]:
    """Return what is to be told of a device's alerts, and what is kept: also of one that a page skipped this time."""
    seen: dict[str, dict[str, Any]] = dict(before.facts["seen"]) if before else {}
    told: list[AlertDifference] = []
    for row in reading.alerts:
        old = seen.get(row.alert)
        seen[row.alert] = {"at": row.raised_at.isoformat(), "resolved": row.is_resolved, "lost": row.lost}
        if not (reading.is_first and row.is_resolved):
            told += _alert_told(old, row, read_at)
    read = {row.alert for row in reading.alerts}
    kept = {
        alert: each
        for alert, each in seen.items()
        if alert in read or datetime.fromisoformat(each["at"]) >= reading.alerts_from
    }
    digest = digest_of(_alerts_read(reading))
    return told, Snapshot(ALERTS, reading.device, digest, None, {"seen": kept})


def _alert_told(old: dict[str, Any] | None, row: AlertRow, read_at: datetime) -> Iterator[AlertDifference]:
    is_reset = row.is_resolved and not (old and old["resolved"])
    lost = max(0, row.lost - (old["lost"] if old else 0))
    if old is None or is_reset or lost:
        yield AlertDifference(
            alert=row.alert,
            kind=row.kind,
            severity=row.severity,
            raised_at=row.raised_at,
            reset_at=max(row.raised_at, row.resolved_at or read_at) if is_reset else None,
            is_raised=old is None,
            result=row.result,
            patch=row.patch,
            kb=row.kb,
            code=row.code,
            lost=lost,
        )


def records(entries: Iterable[DeviceDifference], read_at: datetime, most_bytes: int) -> Iterator[bytes]:
    """Yield the raw records that hold `entries`, in order, each well below `most_bytes`."""
    for part in packed(entries, most_bytes):
        yield Reading(read_at=read_at, devices=tuple(part)).model_dump_json(exclude_none=True).encode()


def lost_webhooks(entries: Iterable[DeviceDifference]) -> int:
    """Return how many webhooks Datto says failed since the reading before."""
    return sum(alert.lost for entry in entries for alert in entry.alerts)
