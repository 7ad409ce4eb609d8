"""Everything that one obligation is decided from, arranged once. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Final, NamedTuple

from contracts.events.event import Tier
from services.compliance.catalog.model import Product, Reading, Release, Requirement
from services.compliance.exceptions.records import Granted
from services.compliance.policy import NO_RISK, Level, Policy, Risk
from services.compliance.rules_fold import DeviceRegisters
from services.compliance.rules_views import Saying, SourcePatch, release_view, said


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetView:
    """What inventory says of the asset. `product` is the catalog's, `None` where none selects it.

    `exposed`, `isolated`, `business` and `ring` are what its tags say in the words of the client's policy; `ephi` is
    inventory's own. `None`: nobody said.
    """

    tier: Tier
    first_seen_at: datetime
    removed_at: datetime | None = None
    removed_because: str | None = None
    product: str | None = None
    hostname: str | None = None
    ephi: bool | None = None
    exposed: bool | None = None
    isolated: bool = False
    business: Level | None = None
    ring: str | None = None


class SourceDevice(NamedTuple):
    """One source's registers of the device."""

    source: str
    registers: DeviceRegisters


class Signs:
    """What all sources say of the device itself; the same for all that it owes. Everything is in order.

    `scans` has each source's last scan, `first_scans` its first, `polls` its last whose whole list was read.
    """

    __slots__ = ("_comparable", "boots", "first_scans", "pending", "polls", "readings", "scans")

    def __init__(self, devices: Sequence[SourceDevice]) -> None:
        """Put together what the sources say."""
        each_pending: list[Saying] = []
        self.first_scans: list[Saying] = []
        self.scans: list[Saying] = []
        self.polls: list[Saying] = []
        self.boots: list[Saying] = []
        self.readings: list[tuple[Saying, str | None, str | None]] = []
        for device in devices:
            source, kept = device.source, device.registers
            if kept.scanned is not None:
                self.scans.append(said(source, kept.scanned, "scanned"))
            if kept.first_scanned is not None:
                self.first_scans.append(said(source, kept.first_scanned, "scanned"))
            if kept.polled is not None:
                self.polls.append(said(source, kept.polled, "scanned"))
            if kept.pending is not None:
                each_pending.append(said(source, kept.pending, "restart pending"))
            self.boots += [said(source, boot, "booted") for boot in kept.boots]
            for read in kept.readings:
                self.readings.append(
                    (said(source, read, f"read {read.build or read.version}"), read.build, read.version)
                )
        for sayings in (self.scans, self.polls, self.boots):
            sayings.sort()
        self.readings.sort(key=lambda reading: reading[0])
        self.pending: Saying | None = max(each_pending, default=None)
        self._comparable: dict[str, list[tuple[Saying, Reading]]] = {}

    def comparable(self, product: Product) -> list[tuple[Saying, Reading]]:
        """Return the readings that compare with the fixed builds of `product`: the same for all of its trains."""
        found = self._comparable.get(product.name)
        if found is None:
            found = self._comparable[product.name] = [
                (reading, read)
                for reading, build, version in self.readings
                if (read := product.comparable(build, version)) is not None
            ]
        return found


def unknown_risk(_release: Release) -> Risk:
    """Return that nothing is known of what a release fixes."""
    return NO_RISK


NOBODY_SAID: Final[Mapping[str, Sequence[Saying]]] = MappingProxyType({})


class Basis(NamedTuple):
    """What an obligation is judged by besides what was reported.

    `granted` are the exceptions that cover it, at whatever time; `attested`, by release, what people said of it;
    `risk_of` tells what is known of the vulnerabilities that a release fixes.
    """

    policy: Policy
    zone: tzinfo
    granted: Sequence[Granted] = ()
    attested: Mapping[str, Sequence[Saying]] = NOBODY_SAID
    risk_of: Callable[[Release], Risk] = unknown_risk


class Case:
    """One asset, one requirement, and all that was ever said about both."""

    __slots__ = (
        "asset",
        "attested",
        "granted",
        "policy",
        "readings",
        "requirement",
        "risk_of",
        "signs",
        "views",
        "zone",
    )

    def __init__(
        self,
        *,
        asset: AssetView,
        requirement: Requirement,
        basis: Basis,
        signs: Signs,
        patches: Sequence[SourcePatch],
    ) -> None:
        """Arrange what was said by release."""
        self.asset = asset
        self.requirement = requirement
        self.policy, self.zone, self.granted, self.attested, self.risk_of = basis
        self.signs = signs
        by_release: dict[str, list[SourcePatch]] = {}
        for patch in patches:
            by_release.setdefault(patch.release, []).append(patch)
        said_of = by_release.get
        self.views = tuple([release_view(release, said_of(release.name, ())) for release in requirement.releases])
        self.readings = signs.comparable(requirement.product) if signs.readings else []

    def boot_after(self, at: datetime) -> Saying | None:
        """Return the first boot after `at`."""
        return next((boot for boot in self.signs.boots if boot.at > at), None)

    def waits_since(self, since: Saying | None) -> Saying | None:
        """Return the device's own word that it waits for a restart, after `since` and with no boot after it."""
        pending = self.signs.pending
        if pending is None or (since is not None and pending.at < since.at):
            return None
        return pending if self.boot_after(pending.at) is None else None

    def reading_below(self, release: Release) -> Saying | None:
        """Return the newest telling reading, if it is below `release`."""
        for reading, read in reversed(self.readings):
            is_in = release.is_in(read, self.requirement.product)
            if is_in is not None:
                return None if is_in else reading
        return None

    def readings_at_least(self, release: Release) -> list[Saying]:
        """Return the newest readings without a break that show `release` or newer; none if the newest does not."""
        shown: list[Saying] = []
        for reading, read in reversed(self.readings):
            is_in = release.is_in(read, self.requirement.product)
            if is_in is False:
                break
            if is_in:
                shown.append(reading)
        shown.reverse()
        return shown
