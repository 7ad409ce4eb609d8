"""The devices of three clients in three time zones, the same for the same seed."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from simulators import releases
from simulators.releases import PATCH_TUESDAY, System

NAMESPACE: Final = UUID("3f0c1b52-5d2e-5a77-9d3e-6f1f5b0f4c21")
MAIN: Final = "main"
BRANCH: Final = "branch"
SCRIPTS: Final = "scripts"
CLINIC: Final = "clinic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client of the MSP. `organisation` is its id in each NinjaOne instance, `name` what scripts call it."""

    name: str
    zone: str
    contact: str
    organisation: int
    site: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One place that webhooks come from. `polls` says whether it has an API that can be asked."""

    vendor: str
    name: str
    polls: bool

    @property
    def full_name(self) -> str:
        """Return the name that events carry."""
        return f"rmm/{self.vendor}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One machine before the day begins. `number` is its id in its own source."""

    source: Source
    number: int
    client: Client
    hostname: str
    system: System
    tier: str
    serial: str
    booted_at: datetime
    lacks_month_before: bool = False

    @property
    def vendor_id(self) -> str:
        """Return the id by which its source knows it."""
        match self.source.vendor:
            case "ninjaone":
                return str(self.number)
            case "datto":
                return str(self.uid)
            case _:
                return self.hostname.lower()

    @property
    def uid(self) -> UUID:
        """Return the id that Datto knows it by, and that NinjaOne gives it beside the number."""
        return uuid5(NAMESPACE, f"{self.source.full_name}/{self.number}")

    @property
    def build(self) -> str:
        """Return the build that it has when the day begins."""
        return (self.system.old_build or self.system.build) if self.lacks_month_before else self.system.build


CLIENTS: Final = (
    Client(
        name="Hudson Dental Group",
        zone="America/New_York",
        contact="office@hudson-dental.example",
        organisation=11,
        site="Manhattan",
        prefix="HDG",
    ),
    Client(
        name="Spreewerk Logistik",
        zone="Europe/Berlin",
        contact="leitung@spreewerk.example",
        organisation=12,
        site="Berlin-Treptow",
        prefix="SPW",
    ),
    Client(
        name="Harbour Lane Legal",
        zone="Australia/Sydney",
        contact="practice@harbourlane.example",
        organisation=13,
        site="Pyrmont",
        prefix="HLL",
    ),
)
NINJAONE_MAIN: Final = Source(vendor="ninjaone", name=MAIN, polls=True)
NINJAONE_BRANCH: Final = Source(vendor="ninjaone", name=BRANCH, polls=True)
DATTO_CLINIC: Final = Source(vendor="datto", name=CLINIC, polls=True)
PATCHLINE_SCRIPTS: Final = Source(vendor="patchline", name=SCRIPTS, polls=False)
SOURCES: Final = (NINJAONE_MAIN, NINJAONE_BRANCH, DATTO_CLINIC, PATCHLINE_SCRIPTS)

LAGGARDS: Final = 0.05
"""Share of the Windows devices that still lack the update of the month before."""

_SHARES: Final = (45, 35, 20)
"""Per cent of the devices that each client has."""


class _Kind(NamedTuple):
    """How many of a hundred devices are such: tier, mark in the hostname, operating system."""

    share: int
    tier: str
    mark: str
    system: System


_KINDS: Final = (
    _Kind(8, "server", "SRV", releases.SERVER_2022),
    _Kind(5, "server", "SRV", releases.SERVER_2019),
    _Kind(34, "workstation", "WS", releases.WINDOWS_11_24H2),
    _Kind(18, "workstation", "WS", releases.WINDOWS_11_23H2),
    _Kind(10, "workstation", "WS", releases.WINDOWS_10_22H2),
    _Kind(8, "workstation", "MAC", releases.MACOS),
    _Kind(7, "kiosk", "KSK", releases.WINDOWS_10_22H2),
    _Kind(4, "do_not_disrupt", "OR", releases.WINDOWS_11_23H2),
    _Kind(6, "server", "LNX", releases.UBUNTU),
)


def fleet(*, seed: int, count: int) -> tuple[Device, ...]:
    """Return `count` devices, at least one of each kind for each client where `count` allows it."""
    rng = random.Random(f"fleet/{seed}")
    devices: list[Device] = []
    for client, share in zip(CLIENTS, _parts(count, _SHARES), strict=True):
        ranks: Counter[str] = Counter()
        for kind, number in zip(_KINDS, _parts(share, tuple(kind.share for kind in _KINDS)), strict=True):
            for _ in range(number):
                ranks[kind.mark] += 1
                devices.append(_device(client, kind, ranks[kind.mark], rng=rng, number=4001 + len(devices)))
    return tuple(devices)


def _parts(whole: int, shares: tuple[int, ...]) -> list[int]:
    """Split `whole` by `shares` so that the parts sum to it: largest remainders first."""
    total = sum(shares)
    parts = [whole * share // total for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda index: (-(whole * shares[index] % total), index))
    for index in by_remainder[: whole - sum(parts)]:
        parts[index] += 1
    return parts


def _device(client: Client, kind: _Kind, rank: int, *, rng: random.Random, number: int) -> Device:
    return Device(
        source=_source(client, kind),
        number=number,
        client=client,
        hostname=f"{client.prefix}-{kind.mark}-{rank:03}",
        system=kind.system,
        tier=kind.tier,
        serial=f"{rng.choice('CFGPR')}{rng.randrange(16**7):07X}",
        booted_at=PATCH_TUESDAY - timedelta(days=rng.uniform(22, 50)),
        lacks_month_before=kind.system.old_build is not None and rng.random() < LAGGARDS,
    )


def _source(client: Client, kind: _Kind) -> Source:
    """Return who looks after such a device: two offices came with RMMs of their own; Linux and kiosks have scripts."""
    if kind.system is releases.UBUNTU or (kind.tier == "kiosk" and client is not CLIENTS[0]):
        return PATCHLINE_SCRIPTS
    if client is CLIENTS[2] and kind.system is releases.WINDOWS_11_23H2:
        return NINJAONE_BRANCH
    if client is CLIENTS[1] and kind.system is releases.WINDOWS_11_23H2 and kind.tier == "workstation":
        return DATTO_CLINIC
    return NINJAONE_MAIN
