"""Everything that one obligation is decided from. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cached_property

from contracts.events.event import Tier
from services.compliance.catalog.model import Release, Requirement
from services.compliance.policy import Policy
from services.compliance.rules_fold import DeviceRegisters
from services.compliance.rules_views import ReleaseView, Saying, SourcePatch, release_view, said


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetView:
    """What inventory says of the asset. `product` is the catalog's, `None` where none selects it."""

    tier: Tier
    first_seen_at: datetime
    removed_at: datetime | None = None
    product: str | None = None


@dataclass(frozen=True, slots=True)
class SourceDevice:
    """One source's registers of the device."""

    source: str
    registers: DeviceRegisters


@dataclass(frozen=True, kw_only=True)
class Case:
    """One asset, one requirement, and all that was ever said about both."""

    asset: AssetView
    requirement: Requirement
    policy: Policy
    zone: tzinfo
    devices: Sequence[SourceDevice] = ()
    patches: Sequence[SourcePatch] = ()

    @cached_property
    def views(self) -> tuple[ReleaseView, ...]:
        """Return what was said of each release, in the order of release."""
        by_release: dict[str, list[SourcePatch]] = {}
        for patch in self.patches:
            by_release.setdefault(patch.release, []).append(patch)
        return tuple(release_view(release, by_release.get(release.name, ())) for release in self.requirement.releases)

    @cached_property
    def scans(self) -> tuple[Saying, ...]:
        """Return each source's last scan, in order."""
        marks = ((each.source, each.registers.scanned) for each in self.devices)
        return tuple(sorted(said(source, mark, "scanned") for source, mark in marks if mark))

    @cached_property
    def polls(self) -> tuple[Saying, ...]:
        """Return each source's last scan whose whole list was read, in order."""
        marks = ((each.source, each.registers.polled) for each in self.devices)
        return tuple(sorted(said(source, mark, "scanned") for source, mark in marks if mark))

    @cached_property
    def boots(self) -> tuple[Saying, ...]:
        """Return the last boots, in order."""
        return tuple(
            sorted(said(each.source, boot, "booted") for each in self.devices for boot in each.registers.boots)
        )

    @cached_property
    def pending(self) -> Saying | None:
        """Return the last word that the device as a whole waits for a restart."""
        marks = ((each.source, each.registers.pending) for each in self.devices)
        return max((said(source, mark, "restart pending") for source, mark in marks if mark), default=None)

    @cached_property
    def readings(self) -> tuple[tuple[Saying, tuple[int, ...]], ...]:
        """Return what was read of the device, as far as it compares with this product's builds, in order."""
        product = self.requirement.product
        return tuple(
            sorted(
                (said(each.source, reading, f"read {reading.build or reading.version}"), numbers)
                for each in self.devices
                for reading in each.registers.readings
                if (numbers := product.comparable(reading.build, reading.version)) is not None
            )
        )

    def boot_after(self, at: datetime) -> Saying | None:
        """Return the first boot after `at`."""
        return next((boot for boot in self.boots if boot.at > at), None)

    def reading_below(self, release: Release) -> Saying | None:
        """Return the newest telling reading, if it is below `release`."""
        told = self._newest_telling(release)
        return told[0] if told and not told[1] else None

    def readings_at_least(self, release: Release) -> tuple[Saying, ...]:
        """Return the newest readings without a break that show `release` or newer; none if the newest does not."""
        shown: list[Saying] = []
        for reading, numbers in reversed(self.readings):
            is_in = release.is_in(numbers, self.requirement.product)
            if is_in is False:
                break
            if is_in:
                shown.append(reading)
        return tuple(reversed(shown))

    def _newest_telling(self, release: Release) -> tuple[Saying, bool] | None:
        for reading, numbers in reversed(self.readings):
            is_in = release.is_in(numbers, self.requirement.product)
            if is_in is not None:
                return reading, is_in
        return None
