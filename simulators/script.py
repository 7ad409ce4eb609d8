"""One device's day while it is written: what happens to it, and what its agent's scans then find.

A `Happening` is what a vendor tells by webhook; a `Scan` is what an agent found, which is seen by asking.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from simulators.fleet import Device
from simulators.releases import PATCH_TUESDAY, Release

MORNING: Final = PATCH_TUESDAY - timedelta(hours=1)
NIGHT: Final = datetime(2025, 1, 14, 23, 30, tzinfo=UTC)
EVENING: Final = datetime(2025, 1, 15, 19, 45, tzinfo=UTC)
"""By these three moments every agent that answers has scanned again; the last is after the day's windows."""

NOW: Final = datetime(2025, 1, 15, 20, 0, tzinfo=UTC)
"""When the day's deliveries begin to arrive."""


class What(StrEnum):
    """What can happen to a device."""

    ENROLLED = "enrolled"
    UPDATED = "updated"
    SCANNED = "scanned"
    LISTED = "listed"
    NO_LONGER_LISTED = "no longer listed"
    APPROVED = "approved"
    REJECTED = "rejected"
    INSTALLED = "installed"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    RESTART_PENDING = "restart pending"
    RESTARTED = "restarted"
    OFFLINE = "offline"
    ONLINE = "online"
    ALERT = "alert"
    ALERT_OVER = "alert over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened, and the device's build and last start at that moment.

    `told` is false where the vendor's webhook for it was lost on the way.
    """

    what: What
    device: Device
    at: datetime
    release: Release | None = None
    code: str | None = None
    build: str
    booted_at: datetime
    told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What an agent found: the updates it misses, whether a restart is pending, and how the device stands."""

    device: Device
    at: datetime
    missing: tuple[Release, ...]
    build: str
    booted_at: datetime
    restart_pending: bool


class Script:
    """Writes one device's day in the order of time."""

    def __init__(self, device: Device, rng: random.Random) -> None:
        """Begin on the morning before the release, with what the device already lacks."""
        self.device = device
        self.rng = rng
        self.happenings: list[Happening] = []
        self.scans: list[Scan] = []
        self.missing: list[Release] = []
        self._waiting: list[Release] = []
        self._build = device.build
        self._booted_at = device.booted_at
        self.at = _whole(MORNING - timedelta(minutes=rng.uniform(5, 120)))

    def scan(self) -> None:
        """Let the agent look for missing updates now. Only a source that cannot be asked tells what it found."""
        before = self.scans[-1].missing if self.scans else ()
        self.scans.append(
            Scan(
                device=self.device,
                at=self.at,
                missing=tuple(self.missing),
                build=self._build,
                booted_at=self._booted_at,
                restart_pending=bool(self._waiting),
            )
        )
        if not self.device.source.polls:
            for release in self.missing:
                self.tell(What.LISTED, release)
            for release in before:
                if release not in self.missing:
                    self.tell(What.NO_LONGER_LISTED, release)
        if self.at >= PATCH_TUESDAY:
            self.tell(What.SCANNED)

    def wait(self, shortest_minutes: float, longest_minutes: float) -> None:
        """Let some minutes pass."""
        self.go_to(self.at + timedelta(minutes=self.rng.uniform(shortest_minutes, longest_minutes)))

    def go_to(self, at: datetime) -> None:
        """Let time pass until `at`, to the millisecond as both formats write it; never back."""
        self.at = max(self.at, _whole(at))

    def tell(self, what: What, release: Release | None = None, code: str | None = None) -> None:
        """Let something happen now."""
        self.happenings.append(
            Happening(
                what=what,
                device=self.device,
                at=self.at,
                release=release,
                code=code,
                build=self._build,
                booted_at=self._booted_at,
            )
        )

    def install(self, release: Release, *, truly: bool = True) -> None:
        """Let the agent say that it installed `release`; `truly` false means that the update is not there at all."""
        self.tell(What.INSTALLED, release)
        if not truly:
            return
        self.missing.remove(release)
        if release.needs_restart:
            self._waiting.append(release)

    def restart(self) -> None:
        """Restart the device; what waited for it takes effect, and its agent tells when it is back."""
        self._booted_at = self.at
        for release in self._waiting:
            self._build = release.build or self._build
        self._waiting.clear()
        self.wait(0.5, 1.5)
        self.tell(What.RESTARTED)


def _whole(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def window_of(device: Device) -> datetime:
    """Return when the client lets its devices be updated: servers at night, the others at noon, by its own clock."""
    zone = ZoneInfo(device.client.zone)
    first = NIGHT.astimezone(zone).replace(hour=2 if device.tier == "server" else 12, minute=0)
    while first < NIGHT:
        first += timedelta(days=1)
    return first.astimezone(UTC)
