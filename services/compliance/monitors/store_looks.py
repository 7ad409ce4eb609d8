"""What a look at machines reads: what they owe, when they were heard, how they restarted, what was told of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Tier
from contracts.events.monitor import Monitor, RebootVerdict
from contracts.events.obligation import DeviceLabel, State
from services.compliance import store_evidence
from services.compliance.monitors.rules_monitors import Owed
from services.compliance.monitors.rules_reboots import Judged, Said, Word
from services.compliance.monitors.rules_windows import Misses
from services.compliance.rules_rows import Device, Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine as it is read. `gone`: it left the inventory, or is one with another machine."""

    asset_id: UUID
    tenant_id: UUID
    label: DeviceLabel
    gone: bool
    owed: list[Owed] = field(default_factory=list)
    failing_uncatalogued: list[str] = field(default_factory=list)
    devices: list[Device] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    told: dict[Monitor, bool] = field(default_factory=dict)
    reboots: list["Told"] = field(default_factory=list)
    missed: dict[str, Misses] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """A restart as it was told, and how often."""

    judged: Judged
    times: int


MACHINES: Final[LiteralString] = """
    SELECT asset_id, tenant_id, source, device, hostname, os_family, tier, removed_sequence > sequence AS gone
    FROM asset WHERE asset_id = ANY($1::uuid[])
"""
OWED: Final[LiteralString] = """
    SELECT asset_id, product, train, release, state, why, since_at, due_at,
           least(clock_started_at, (moments ->> 'vendor_released_at')::timestamptz) AS released_at
    FROM obligation WHERE asset_id = ANY($1::uuid[])
    ORDER BY asset_id, product, train
"""
UNCATALOGUED: Final[LiteralString] = """
    SELECT asset_id, patch FROM uncatalogued_failure WHERE failing AND asset_id = ANY($1::uuid[]) ORDER BY patch
"""
TOLD: Final[LiteralString] = "SELECT asset_id, monitor, failing FROM monitor_state WHERE asset_id = ANY($1::uuid[])"
MISSED: Final[LiteralString] = """
    SELECT asset_id, window_name, misses, starts_at, ends_at, ticket
    FROM window_missed WHERE asset_id = ANY($1::uuid[])
"""
WORDS: Final[LiteralString] = "SELECT device_id, at, said, by FROM reboot_word WHERE device_id = ANY($1::uuid[])"
REBOOTS: Final[LiteralString] = """
    SELECT asset_id, booted_at, verdict, why, deployed, rule, window_name, notified_at, deferrals, consented_by,
           consented_at, told
    FROM reboot WHERE asset_id = ANY($1::uuid[]) AND booted_at >= $2
    ORDER BY booted_at
"""
TELLS: Final[LiteralString] = """
    SELECT tenant_id FROM unnest($1::uuid[]) AS t (tenant_id)
    WHERE EXISTS (SELECT FROM reboot_word WHERE reboot_word.tenant_id = t.tenant_id)
"""


async def machines(tx: Connection, asset_ids: Collection[UUID]) -> dict[UUID, Machine]:
    """Return the machines with what they owe and what was told of them, by id."""
    found = {row["asset_id"]: _machine(row) for row in await tx.fetch(MACHINES, list(asset_ids))}
    keys = list(found)
    for row in await tx.fetch(OWED, keys):
        found[row["asset_id"]].owed.append(_owed(row))
    for row in await tx.fetch(UNCATALOGUED, keys):
        found[row["asset_id"]].failing_uncatalogued.append(row["patch"])
    for row in await tx.fetch(TOLD, keys):
        found[row["asset_id"]].told[Monitor(row["monitor"])] = row["failing"]
    for row in await tx.fetch(MISSED, keys):
        found[row["asset_id"]].missed[row["window_name"]] = misses_of(row)
    for each in await store_evidence.devices_of(tx, keys, {}):
        if each.asset_id is not None:
            found[each.asset_id].devices.append(each)
    return found


async def add_restarts(tx: Connection, restarted: Sequence[Machine], since: datetime) -> set[UUID]:
    """Add to machines what bears on their restarts, and return the clients whose sources ever told of notices."""
    machine_by_device = {device.device_id: each for each in restarted for device in each.devices}
    for evidence in await store_evidence.of_devices(tx, list(machine_by_device), {}):
        machine_by_device[evidence.device_id].evidence.append(evidence)
    for row in await tx.fetch(WORDS, list(machine_by_device)):
        machine_by_device[row["device_id"]].words.append(Word(row["at"], Said(row["said"]), row["by"]))
    by_asset = {each.asset_id: each for each in restarted}
    for row in await tx.fetch(REBOOTS, list(by_asset), since):
        by_asset[row["asset_id"]].reboots.append(Told(_judged(row), row["told"]))
    tenants = sorted({each.tenant_id for each in restarted})
    return {row["tenant_id"] for row in await tx.fetch(TELLS, tenants)}


def _machine(row: asyncpg.Record) -> Machine:
    return Machine(
        asset_id=row["asset_id"],
        tenant_id=row["tenant_id"],
        label=label_of(row),
        gone=row["gone"],
    )


def label_of(row: asyncpg.Record) -> DeviceLabel:
    """Return what a person needs to find the machine of a row."""
    return DeviceLabel(
        asset=str(row["asset_id"]),
        source=row["source"] or "unknown",
        device=row["device"] or "unknown",
        hostname=row["hostname"],
        os_family=OsFamily(row["os_family"]),
        tier=Tier(row["tier"]),
    )


def _owed(row: asyncpg.Record) -> Owed:
    return Owed(
        product=row["product"],
        train=row["train"],
        release=row["release"],
        state=State(row["state"]),
        why=row["why"],
        since_at=row["since_at"],
        released_at=row["released_at"],
        due_at=row["due_at"],
    )


def misses_of(row: asyncpg.Record) -> Misses:
    """Return the count of a row of `window_missed`."""
    return Misses(misses=row["misses"], starts_at=row["starts_at"], ends_at=row["ends_at"], ticket=row["ticket"])


def _judged(row: asyncpg.Record) -> Judged:
    return Judged(
        booted_at=row["booted_at"],
        verdict=RebootVerdict(row["verdict"]),
        why=row["why"],
        deployed=row["deployed"],
        rule=row["rule"],
        window=row["window_name"],
        notified_at=row["notified_at"],
        deferrals=row["deferrals"],
        consented_by=row["consented_by"],
        consented_at=row["consented_at"],
    )
