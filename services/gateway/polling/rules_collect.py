"""Puts the rows of one poll together, device by device. What cannot be read is never taken for gone. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final, TypeVar

from contracts.events.rmm import PatchRef
from services.gateway.vendors import ninjaone_rows as rows
from services.gateway.vendors.fields import Unreadable
from services.gateway.vendors.ninjaone_rows import (
    FAILED,
    INSTALLED,
    AttemptRow,
    DeviceRow,
    HealthRow,
    ListedRow,
    ListKind,
    Row,
)

R = TypeVar("R")
LISTS: Final[tuple[ListKind, ListKind]] = ("os", "software")


@dataclass(frozen=True, slots=True)
class Listed:
    """One patch on a device's list. `at` is when this row was collected; it is not kept."""

    patch: PatchRef
    status: str
    at: datetime | None = None

    @property
    def is_missing(self) -> bool:
        """Return whether the device misses it: an installed one only waits for a scan that says so."""
        return self.status != INSTALLED


@dataclass(frozen=True, slots=True)
class PatchList:
    """What a device misses by one list. `rows_at` is when its newest row was collected; judged only if whole."""

    by_patch: Mapping[str, Listed]
    rows_at: datetime | None
    is_whole: bool


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """Everything that one poll read of a device. Lists are there for machines that report patches, while online."""

    row: DeviceRow
    lists: Mapping[ListKind, PatchList]
    attempts: tuple[AttemptRow, ...]


class ScanMoment(StrEnum):
    """What tells when a list was scanned, where its rows do not. Unconfirmed: see docs/rmm/ninjaone.md."""

    ROWS = "rows"
    ROWS_OR_CONTACT = "rows-or-contact"


@dataclass(slots=True)
class Collected:
    """The rows of one poll so far. `unread` counts those that could not be."""

    installs_from: datetime
    scan_moment: ScanMoment = ScanMoment.ROWS_OR_CONTACT
    unread: int = 0
    _devices: dict[str, DeviceRow] = field(default_factory=dict)
    _health: dict[str, HealthRow] = field(default_factory=dict)
    _listed: dict[ListKind, defaultdict[str, list[ListedRow]]] = field(
        default_factory=lambda: {each: defaultdict(list) for each in LISTS}
    )
    _attempts: defaultdict[str, set[AttemptRow]] = field(default_factory=lambda: defaultdict(set))
    _in_doubt: set[tuple[ListKind, str | None]] = field(default_factory=set)
    _patches: dict[PatchRef, PatchRef] = field(default_factory=dict)

    def add_device(self, row: Row) -> None:
        """Take a row of `devices-detailed`."""
        device = self._read(rows.device_row, row)
        if device is not None:
            self._devices[device.device] = device

    def add_health(self, row: Row) -> None:
        """Take a row of `device-health`."""
        health = self._read(rows.health_row, row)
        if health is not None:
            self._health[health.device] = health

    def add_listed(self, kind: ListKind, row: Row) -> None:
        """Take a row of `os-patches` or `software-patches`. A failed attempt that still stands there is one too."""
        listed = self._read(rows.listed_row, row)
        if listed is None:
            self._in_doubt.add((kind, _device_or_none(row)))
            return
        listed = replace(listed, patch=self._shared(listed.patch))
        self._listed[kind][listed.device].append(listed)
        if listed.status == FAILED and listed.attempted_at is not None:
            self._add(AttemptRow(kind, listed.device, listed.patch, FAILED, listed.attempted_at))

    def add_attempt(self, kind: ListKind, row: Row) -> None:
        """Take a row of an install history; older ones than were asked for are let be, whatever the vendor sends."""
        attempt = self._read(partial(rows.attempt_row, kind), row)
        if attempt is None:
            self._in_doubt.add((kind, _device_or_none(row)))
        else:
            self._add(replace(attempt, patch=self._shared(attempt.patch)))

    def readings(self) -> Iterator[DeviceReading]:
        """Yield what was read, device by device in order. A device that is not listed itself is not judged."""
        for device in sorted(self._devices):
            row = self._devices[device]
            if not row.is_ours:
                continue
            health = self._health.get(device)
            if health is not None:
                offline = row.offline if health.offline is None else health.offline
                row = replace(row, offline=offline, reboot=health.reboot or row.reboot)
            if self.scan_moment is ScanMoment.ROWS:
                row = replace(row, collected_at=None)
            reports = row.is_patchable and not row.offline and row.removed is None
            lists = {kind: self._list(kind, device) for kind in LISTS} if reports else {}
            attempts = sorted(self._attempts.get(device, ()), key=lambda each: (each.at, each.patch.patch))
            yield DeviceReading(row, lists, tuple(attempts))

    def _list(self, kind: ListKind, device: str) -> PatchList:
        own = self._listed[kind].get(device, [])
        missing = {
            each.patch.patch: Listed(each.patch, each.status, each.at) for each in own if each.status != INSTALLED
        }
        is_whole = self._in_doubt.isdisjoint({(kind, device), (kind, None)})
        return PatchList(missing, max((each.at for each in own if each.at), default=None), is_whole)

    def _add(self, attempt: AttemptRow) -> None:
        if attempt.at >= self.installs_from:
            self._attempts[attempt.device].add(attempt)

    def _shared(self, patch: PatchRef) -> PatchRef:
        return self._patches.setdefault(patch, patch)

    def _read(self, read: Callable[[Row], R], row: Row) -> R | None:
        try:
            return read(row)
        except Unreadable:
            self.unread += 1
            return None


def _device_or_none(row: Row) -> str | None:
    try:
        return rows.device_id(row)
    except Unreadable:
        return None
