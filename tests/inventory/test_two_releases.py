"""Two releases at once, on the same topics and the same schema: the older one works on, and loses nothing newer."""

import json
from collections.abc import Mapping
from dataclasses import replace

import asyncpg

from chassis.batch import Batch, dead_letter, decoded, is_for
from chassis.postgres import transaction
from contracts.envelope import Envelope, decode
from services.inventory.handlers import DeviceEvents
from tests.builders import HOUR, NOON, SOURCE, KafkaRecord, of_device, record_of
from tests.inventory.conftest import Inventory
from tests.inventory.facts import QUIET, seen
from tests.parts import Database


def of_newer(record: KafkaRecord, *, type_: str | None = None, **added: object) -> KafkaRecord:
    """Return a record as a newer release writes it: of another type, or with fields that this one does not know."""
    value: Mapping[str, object] = {**json.loads(record.value or b"{}"), **added}
    headers = [(name, (type_ or "").encode() if name == "ce_type" and type_ else each) for name, each in record.headers]
    return replace(record, value=json.dumps(value).encode(), headers=[*headers, ("ce_newer", b"\xff")])


def of_older(record: KafkaRecord, *without: str) -> KafkaRecord:
    """Return a record as an older release wrote it: without the fields that were added since."""
    value = json.loads(record.value or b"{}")
    return replace(
        record, value=json.dumps({name: each for name, each in value.items() if name not in without}).encode()
    )


async def heard(inventory: Inventory, *records: KafkaRecord) -> Batch[Envelope]:
    batch = decoded(records, decode, NOON + HOUR)
    async with transaction(inventory.pool) as tx:
        await DeviceEvents(quiet=QUIET).on_batch(tx, batch)
    return batch


async def test_fields_of_a_newer_release_and_fields_that_an_older_one_lacked_are_taken(inventory: Inventory) -> None:
    newer = of_newer(record_of(seen("d1", hostname="pc-1")), chassis_kind="tower", nested={"a": [1]})
    older = of_older(record_of(seen("d2", hostname="pc-2"), offset=1), "method", "confidence")

    batch = await heard(inventory, newer, older)

    assert batch.refused == []
    assert {row["device"]: row["hostname"] for row in await inventory.table("asset")} == {"d1": "pc-1", "d2": "pc-2"}


async def test_a_type_of_a_newer_release_is_kept_whole_beside_its_neighbours_and_taken_after_the_upgrade(
    inventory: Inventory,
) -> None:
    unknown = of_newer(record_of(seen("d1", hostname="pc-1")), type_="device.seen.v2", chassis_kind="tower")
    known = record_of(seen("d2", hostname="pc-2"), offset=1)

    batch = await heard(inventory, unknown, known)

    [(record, reason)] = batch.refused
    letter = dead_letter(record, group="inventory", reason=reason, at=batch.recorded_at)
    assert reason == "ce_type: 'device.seen.v2' is not a type of this release"
    assert (letter.key, letter.value) == (unknown.key, unknown.value)
    assert set(unknown.headers) <= set(letter.headers)
    assert [row["device"] for row in await inventory.table("asset")] == ["d2"]
    headers = [(name, each) for name, each in letter.headers if not name.startswith("dlq_")]
    replayed = KafkaRecord(
        value=letter.value,
        headers=[(name, b"device.seen.v1" if name == "ce_type" else each) for name, each in headers]
        + [("replay_group", b"inventory")],  # this release stands for the newer one, which knows the type
        topic="rmm.events",
        offset=9,
        key=letter.key,
    )
    assert is_for("inventory", replayed)
    assert not is_for("compliance", replayed)
    await heard(inventory, replayed)
    assert {row["device"] for row in await inventory.table("asset")} == {"d1", "d2"}


async def test_the_older_release_works_on_a_schema_that_the_newer_one_has_added_to(
    inventory: Inventory, database: Database
) -> None:
    await heard(inventory, record_of(seen("d1", hostname="pc-1")))
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = inventory; SET ROLE patchline_owner")
    try:
        for table in ("asset", "device_fact", "watermark", "outbox", "client"):
            await admin.execute(f"ALTER TABLE {table} ADD COLUMN newer_one text, ADD COLUMN another text DEFAULT 'x'")
        await admin.execute("CREATE TABLE newer (id bigint PRIMARY KEY)")

        later = of_device(seen("d1", serial="S1").data, at=NOON + HOUR, source=SOURCE)  # type: ignore[arg-type]  # a DeviceSeen
        batch = await heard(inventory, record_of(later), record_of(seen("d2", hostname="pc-2"), offset=1))

        assert batch.refused == []
        rows = {row["device"]: (row["hostname"], row["serial"]) for row in await inventory.table("asset")}
        assert rows == {"d1": ("pc-1", "S1"), "d2": ("pc-2", None)}
    finally:
        for table in ("asset", "device_fact", "watermark", "outbox", "client"):
            await admin.execute(f"ALTER TABLE {table} DROP COLUMN newer_one, DROP COLUMN another")
        await admin.execute("DROP TABLE newer")
        await admin.close()
