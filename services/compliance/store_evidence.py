"""Devices and evidence: the registers, folded under the device's lock."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.compliance.rules_names import PatchName
from services.compliance.rules_registers import device_registers, patch_registers, stored
from services.compliance.rules_rows import Device, Evidence

ENSURE: Final[LiteralString] = """
    INSERT INTO device (device_id, tenant_id, source, device, registers)
    SELECT device_id, tenant_id, source, device, '{}'
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS told (device_id, tenant_id, source, device)
    ON CONFLICT (device_id) DO NOTHING
"""
LOCK: Final[LiteralString] = """
    SELECT device_id, tenant_id, source, device, asset_id, registers::text
    FROM device
    WHERE device_id = ANY($1::uuid[])
    ORDER BY device_id
    FOR UPDATE
"""


async def lock_devices(tx: Connection, devices: Iterable[Device], named: Iterable[UUID] = ()) -> dict[UUID, Device]:
    """Return the devices as they are kept, by id, made where they were not, locked until the transaction ends.

    Those that are only `named` by their ids are returned where they are kept.
    """
    wanted = sorted({each.device_id: each for each in devices}.values(), key=lambda each: each.device_id)
    keys = [each.device_id for each in wanted]
    await tx.execute(
        ENSURE,
        keys,
        [each.tenant_id for each in wanted],
        [each.source for each in wanted],
        [each.device for each in wanted],
    )
    return {row["device_id"]: _device(row) for row in await tx.fetch(LOCK, sorted({*keys, *named}))}


ELSEWHERE: Final[LiteralString] = """
    SELECT device_id, asset_id FROM device WHERE device_id = ANY($1::uuid[]) AND asset_id <> device_id
"""


async def elsewhere(tx: Connection, asset_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return as which asset each of these goes on whose own device belongs to another: inventory merged it."""
    return {row["device_id"]: row["asset_id"] for row in await tx.fetch(ELSEWHERE, asset_ids)}


DEVICES_OF: Final[LiteralString] = """
    SELECT device_id, tenant_id, source, device, asset_id, registers::text FROM device WHERE asset_id = ANY($1::uuid[])
"""


async def devices_of(tx: Connection, asset_ids: Sequence[UUID], in_hand: Mapping[UUID, Device]) -> list[Device]:
    """Return all devices of these assets; those `in_hand` are saved already and not read again."""
    rows = await tx.fetch(DEVICES_OF, asset_ids)
    return [in_hand.get(row["device_id"]) or _device(row) for row in rows]


def _device(row: asyncpg.Record) -> Device:
    return Device(
        device_id=row["device_id"],
        tenant_id=row["tenant_id"],
        source=row["source"],
        device=row["device"],
        asset_id=row["asset_id"],
        registers=device_registers(row["registers"]),
    )


SAVE_DEVICES: Final[LiteralString] = """
    UPDATE device SET tenant_id = new.tenant_id, asset_id = new.asset_id, registers = new.registers::jsonb
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) AS new (device_id, tenant_id, asset_id, registers)
    WHERE device.device_id = new.device_id
"""
MOVE_EVIDENCE: Final[LiteralString] = """
    UPDATE evidence SET tenant_id = moved.tenant_id
    FROM unnest($1::uuid[], $2::uuid[]) AS moved (device_id, tenant_id)
    WHERE evidence.device_id = moved.device_id AND evidence.tenant_id <> moved.tenant_id
"""


async def save_devices(tx: Connection, devices: Sequence[Device], *, moved: Collection[UUID]) -> None:
    """Save locked devices; the evidence of those that `moved` goes to their new client with them."""
    await tx.execute(
        SAVE_DEVICES,
        [each.device_id for each in devices],
        [each.tenant_id for each in devices],
        [each.asset_id for each in devices],
        [stored(each.registers) for each in devices],
    )
    if moved:
        moving = [each for each in devices if each.device_id in moved]
        await tx.execute(MOVE_EVIDENCE, [each.device_id for each in moving], [each.tenant_id for each in moving])


LOAD: Final[LiteralString] = """
    SELECT device_id, patch_id, tenant_id, kb, patch, product, requirement_id, registers::text
    FROM evidence
    WHERE (device_id, patch_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""


async def load(tx: Connection, keys: Collection[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Evidence]:
    """Return the evidence on these patches of these devices; their devices are locked."""
    devices, patches = [device for device, _ in keys], [patch for _, patch in keys]
    found = [_evidence(row) for row in await tx.fetch(LOAD, devices, patches)]
    return {(each.device_id, each.name.id): each for each in found}


OF_DEVICES: Final[LiteralString] = """
    SELECT device_id, patch_id, tenant_id, kb, patch, product, requirement_id, registers::text
    FROM evidence
    WHERE device_id = ANY($1::uuid[])
"""
OF_REQUIREMENTS: Final[LiteralString] = """
    SELECT device_id, patch_id, tenant_id, kb, patch, product, requirement_id, registers::text
    FROM evidence
    WHERE (device_id, requirement_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""


InHand = Mapping[tuple[UUID, UUID], Evidence]
"""Evidence by device and patch that is saved already."""


async def of_devices(tx: Connection, device_ids: Collection[UUID], in_hand: InHand) -> list[Evidence]:
    """Return all evidence on these devices; what is `in_hand` is not read again."""
    rows = await tx.fetch(OF_DEVICES, list(device_ids)) if device_ids else []
    return [in_hand.get((row["device_id"], row["patch_id"])) or _evidence(row) for row in rows]


async def of_requirements(tx: Connection, keys: Collection[tuple[UUID, UUID]], in_hand: InHand) -> list[Evidence]:
    """Return the evidence on these requirements of these devices; what is `in_hand` is not read again."""
    devices, requirements = [device for device, _ in keys], [requirement for _, requirement in keys]
    rows = await tx.fetch(OF_REQUIREMENTS, devices, requirements) if keys else []
    return [in_hand.get((row["device_id"], row["patch_id"])) or _evidence(row) for row in rows]


def _evidence(row: asyncpg.Record) -> Evidence:
    return Evidence(
        device_id=row["device_id"],
        tenant_id=row["tenant_id"],
        name=PatchName(row["patch_id"], row["patch"], row["kb"], row["product"]),
        requirement_id=row["requirement_id"],
        registers=patch_registers(row["registers"]),
    )


SAVE: Final[LiteralString] = """
    INSERT INTO evidence (device_id, patch_id, tenant_id, kb, patch, product, requirement_id, registers)
    SELECT device_id, patch_id, tenant_id, kb, patch, product, requirement_id, registers::jsonb
    FROM unnest($1::evidence_row[]) AS told
    ON CONFLICT (device_id, patch_id) DO UPDATE
    SET tenant_id = excluded.tenant_id, requirement_id = excluded.requirement_id, registers = excluded.registers
"""


async def save(tx: Connection, evidence: Collection[Evidence]) -> None:
    """Save evidence that was loaded and folded under its devices' locks."""
    await tx.execute(SAVE, [_row(each) for each in sorted(evidence, key=_key)])


def _key(each: Evidence) -> tuple[UUID, UUID]:
    return each.device_id, each.name.id


def _row(each: Evidence) -> tuple[object, ...]:
    return (
        each.device_id,
        each.name.id,
        each.tenant_id,
        each.name.kb,
        each.name.patch,
        each.name.product,
        each.requirement_id,
        stored(each.registers),
    )


RESOLVE: Final[LiteralString] = """
    UPDATE evidence SET requirement_id = new.requirement_id
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS new (device_id, patch_id, requirement_id)
    WHERE evidence.device_id = new.device_id AND evidence.patch_id = new.patch_id
"""


async def resolve(tx: Connection, evidence: Sequence[Evidence]) -> None:
    """Save what the evidence means now. Called under the lock of the asset, not of its devices."""
    await tx.execute(
        RESOLVE,
        [each.device_id for each in evidence],
        [each.name.id for each in evidence],
        [each.requirement_id for each in evidence],
    )
