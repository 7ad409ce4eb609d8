"""A client leaves: every body of its source is unreadable, wherever it is kept, and every other body still opens."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer

from chassis.batch import dead_letter
from chassis.errors import MayWorkLater
from contracts.raw import RawDelivery, delivery_of
from contracts.topics import RMM_RAW
from patchline.local import ports
from services.gateway.door import store_spool
from services.gateway.door.raw_writer import Limits
from services.gateway.keys.bodies import Bodies, Unopened
from services.gateway.keys.data_keys import CurrentKeys, KeyRing
from services.gateway.keys.key_sealing import FILE, FileSealer, KeyUnavailable
from services.gateway.keys.safe import connected
from services.gateway.keys.sealing import SealingKey, read_sealing_key
from services.gateway.keys.store_blobs import PostgresBlobs
from services.gateway.registry import store_sources
from services.gateway.registry.sources import SourceByPath, known
from services.gateway.translation.opening import Opening
from services.gateway.vendors.translation import Translation
from tests.gateway.doors import header, open_door, raw_topic
from tests.gateway.typed import rows, source
from tests.parts import Database

pytestmark = pytest.mark.usefixtures("command_line")
LEAVING, STAYING = "rmm/ninjaone/leaving", "rmm/ninjaone/staying"
SMALL = b'{"hostname":"a name that nobody else may read"}'
LARGE = os.urandom(30_000) + SMALL + os.urandom(30_000)


@dataclass(frozen=True, slots=True)
class Kept:
    """One kept body: where it is, whose it is, and the record that stands for it."""

    where: str
    source: str
    record: Any


@dataclass(frozen=True, slots=True)
class House:
    """What the gateway's processes have."""

    dsn: str
    sealers: dict[str, FileSealer]

    def bodies(self) -> Bodies:
        connecting = partial(connected, self.dsn)
        return Bodies(KeyRing(connecting, self.sealers, fresh_seconds=0), PostgresBlobs(connecting))

    async def sources(self, sealing_key: SealingKey, *source_ids: str) -> SourceByPath:
        """Return the sources as `accept` has them, after the first reading that gave these their keys."""
        keys = CurrentKeys(self.sealers, FILE)
        async with connected(self.dsn) as connection:
            await keys.mint(connection, source_ids)
            stored = await store_sources.delivering(connection)
        by_source, _ = await keys.unwrapped([each.data_key for each in stored if each.data_key])
        return known(stored, sealing_key, by_source)[0]


@pytest.fixture
def house(database: Database, sealing_key_file: Path) -> House:
    return House(database.writer("gateway"), {FILE: FileSealer(read_sealing_key(sealing_key_file))})


async def delivered(kafka: str, house: House, by_path: SourceByPath, secrets: dict[str, str]) -> list[Kept]:
    """Deliver for both sources; return where each body is kept: Kafka, the blob store, the spool, a dead letter."""
    kept: list[Kept] = []
    blobs = PostgresBlobs(partial(connected, house.dsn))
    async with raw_topic(kafka) as raw, raw_topic(kafka, RMM_RAW.dead_letters) as letters:
        async with open_door(kafka, sources=by_path, blobs=blobs, from_bytes=40_000) as door:
            for source_id in (LEAVING, STAYING):
                for body in (SMALL, LARGE):
                    answer = await door.client.post(
                        f"/webhooks/{source_id}", content=body, headers={"x-patchline-secret": secrets[source_id]}
                    )
                    assert answer.status_code == 202
        records = await raw.standing()
        kept += [
            Kept("blob" if record.value == b"" else "kafka", header(record, "source"), record) for record in records
        ]
        await refuse(kafka, records)
        kept += [Kept("dead letter", header(record, "source"), record) for record in await letters.standing()]
    nobody = f"{ports.LOOPBACK}:{ports.claimed(0, setting='')}"
    async with open_door(nobody, sources=by_path, limits=Limits(budget_seconds=0.2), spool_dsn=house.dsn) as door:
        for source_id in (LEAVING, STAYING):
            secret = {"x-patchline-secret": secrets[source_id]}
            assert (await door.client.post(f"/webhooks/{source_id}", content=SMALL, headers=secret)).status_code == 202
    async with connected(house.dsn) as connection:
        waiting = await store_spool.peek(connection, UUID(int=0), most=10, most_bytes=10**6)
    kept += [Kept("spool", header(each, "source"), each) for each in waiting]
    return kept


async def refuse(kafka: str, records: Sequence[Any]) -> None:
    """Dead-letter these records, as a consumer does."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for record in records:
        letter = dead_letter(record, group="gateway", reason="bad", at=datetime.now(UTC))
        await producer.send_and_wait(RMM_RAW.dead_letters, letter.value, headers=letter.headers)
    await producer.stop()


async def test_a_destroyed_key_closes_every_body_of_its_source_and_no_other(
    kafka: str, house: House, sealing_key_file: Path
) -> None:
    added = [await asyncio.to_thread(source, "add", "ninjaone", name, "--json") for name in ("leaving", "staying")]
    secrets = {row["source"]: row["secret"] for each in added for row in rows(each)}
    by_path = await house.sources(read_sealing_key(sealing_key_file), LEAVING, STAYING)
    kept = await delivered(kafka, house, by_path, secrets)
    deliveries = [delivery_of(each.record.headers, each.record.value) for each in kept]
    bodies = house.bodies()
    before = await bodies.opened(deliveries)

    destroyed = await asyncio.to_thread(source, "destroy-key", "ninjaone", "leaving", "--yes", "--json")
    after = await bodies.opened(deliveries)

    assert rows(destroyed)[0]["keys_destroyed"] == 1
    assert {(each.where, each.source) for each in kept} == {
        (where, name) for where in ("kafka", "blob", "dead letter", "spool") for name in (LEAVING, STAYING)
    }
    assert {each.body for each in before if isinstance(each, RawDelivery)} == {SMALL, LARGE}
    assert not [each for each in before if isinstance(each, Unopened)]
    assert [isinstance(each, Unopened) and each.is_destroyed for each in after] == [
        each.source == LEAVING for each in kept
    ]
    assert not [each for each in kept if SMALL in each.record.value]
    async with connected(house.dsn) as connection:
        blobs = await connection.fetch("SELECT body FROM blob")
    assert len(blobs) == 2
    assert not [row for row in blobs if SMALL in row["body"]]

    await _translated_as_dead_letters_and_its_neighbours_as_ever(house, kept)


async def _translated_as_dead_letters_and_its_neighbours_as_ever(house: House, kept: Sequence[Kept]) -> None:
    """See what `translate` makes of both: a problem that is not the sender's fault, and what the adapter says."""
    opening = Opening(house.bodies(), lambda _: Translation())
    for each in kept:
        await opening.prepare([each.record])
        translation = opening.translated(delivery_of(each.record.headers, each.record.value))
        assert bool(translation.problems) == (each.source == LEAVING)
        assert translation.is_senders_fault == (each.source != LEAVING)


@pytest.mark.parametrize("trouble", ["another sealing key", "database away", "key not in the database"])
async def test_what_may_be_mended_is_never_a_dead_letter(house: House, sealing_key_file: Path, trouble: str) -> None:
    name = trouble.replace(" ", "-")
    source_id = f"rmm/ninjaone/{name}"
    await asyncio.to_thread(source, "add", "ninjaone", name)
    by_path = await house.sources(read_sealing_key(sealing_key_file), source_id)
    seal = by_path[f"/webhooks/{source_id}"].seal
    assert seal is not None
    own = [("raw_id", str(UUID(int=7)).encode()), ("received", b"2026-11-10T12:00:00.000000+00:00")]
    record = seal.record(own, SMALL)
    dsn = house.dsn if trouble != "database away" else f"postgresql://nobody@{ports.LOOPBACK}:1/none"
    sealer = FileSealer(SealingKey(b"another sealing key, 32 bytes...")) if trouble == "another sealing key" else None
    if trouble == "key not in the database":
        async with connected(house.dsn) as connection:
            await connection.execute("DELETE FROM data_key WHERE source_id = $1", source_id)
    connecting = partial(connected, dsn)
    bodies = Bodies(KeyRing(connecting, {FILE: sealer or house.sealers[FILE]}), PostgresBlobs(connecting))

    with pytest.raises((MayWorkLater, OSError)):
        await Opening(bodies, lambda _: Translation()).prepare([Record(record.headers, record.value)])
    with pytest.raises(KeyUnavailable):
        bodies.open(delivery_of(record.headers, record.value))


@dataclass(frozen=True, slots=True)
class Record:
    """A record as a consumer hands it over, as far as it is looked at here."""

    headers: Sequence[tuple[str, bytes]]
    value: bytes | None
    topic: str = RMM_RAW.name
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
