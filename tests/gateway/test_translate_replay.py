"""A mended adapter and a replay: what was no event comes through exactly once, what was published stays published."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import asyncpg
import pytest

from chassis import outbox
from chassis.batch import REPLAY_GROUP, decoded
from chassis.postgres import Pool, open_pool, transaction
from contracts.envelope import Envelope, decode
from contracts.raw import RawDelivery, delivery_of, headers_of
from services.gateway import vendors
from services.gateway.translation.translate import Translate
from services.gateway.vendors.translation import Translation, Unsaid
from tests.builders import ACME, HOUR, NOON, SOURCE, KafkaRecord, delivery, ninjaone_activity, raw_batch_of
from tests.parts import Database

INSTALL_FAILED = "PATCH_MANAGEMENT_INSTALL_FAILED"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = gateway; TRUNCATE translated, parked, flow, unknown_code, outbox")
    await admin.execute(
        "INSERT INTO client VALUES ($1, 'Acme', 'UTC', NULL, NULL, now(), now()) ON CONFLICT DO NOTHING", ACME
    )
    await admin.execute(
        "INSERT INTO source (source_id, vendor, name, scheme, header_name, added_at) "
        "VALUES ($1, 'ninjaone', 'main', 'static-header', 'x-secret', now()) ON CONFLICT DO NOTHING",
        SOURCE,
    )
    await admin.execute(
        "INSERT INTO client_mapping VALUES ($1, '17', NULL, $2, NULL, NULL) ON CONFLICT DO NOTHING", SOURCE, ACME
    )
    await admin.close()
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


@dataclass
class Adapter:
    """The adapter of today, or one that does not know what an install failure is."""

    knows_failures: bool

    def __call__(self, raw: RawDelivery) -> Translation:
        told = vendors.translated(raw, by_vendor=vendors.adapters())
        if self.knows_failures:
            return told
        return replace(told, said=(), unsaid=[Unsaid(each.id, "PATCH_NEW", is_known=False) for each in told.said])


async def handle(pool: Pool, raw: Sequence[RawDelivery], *, mended: bool, replayed: bool = False) -> None:
    batch = raw_batch_of(raw)
    if replayed:
        mark = (REPLAY_GROUP, b"gateway")
        records = [KafkaRecord(each.body, [*headers_of(each), mark], topic="rmm.raw.bulk") for each in raw]
        batch = decoded(records, delivery_of, NOON + 2 * HOUR)
    async with transaction(pool) as tx:
        await Translate(Adapter(mended)).on_batch(tx, batch)


async def published(pool: Pool) -> list[Envelope]:
    rows = await pool.fetch("SELECT headers, value FROM outbox ORDER BY id")
    return [decode(outbox.headers_of(row["headers"]), row["value"]) for row in rows]


def failed(number: int = 1) -> RawDelivery:
    return delivery(ninjaone_activity(INSTALL_FAILED, number=number))


async def flow(pool: Pool) -> dict[str, int]:
    [row] = await pool.fetch("SELECT * FROM flow")
    return {name: value for name, value in row.items() if isinstance(value, int) and value}


async def test_an_unknown_code_becomes_an_event_once_its_adapter_is_mended_and_it_is_replayed(pool: Pool) -> None:
    raw = failed()
    await handle(pool, [raw], mended=False)
    assert await published(pool) == []

    await handle(pool, [raw], mended=True, replayed=True)

    [event] = await published(pool)
    assert (event.causation, event.tenant) == (raw.raw_id, ACME)
    stamp = await pool.fetchval("SELECT recorded_at FROM translated WHERE event_id = $1", event.id)
    assert stamp == NOON + 2 * HOUR, "a mended replay stamps its own"


async def test_a_repeated_replay_brings_nothing_more(pool: Pool) -> None:
    raw = failed()
    await handle(pool, [raw], mended=False)

    for _ in range(3):
        await handle(pool, [raw, raw], mended=True, replayed=True)

    assert len(await published(pool)) == 1


async def test_what_was_published_before_stays_published_once(pool: Pool) -> None:
    raw = [failed(1), failed(2)]
    await handle(pool, raw, mended=True)

    await handle(pool, raw, mended=True, replayed=True)

    assert len(await published(pool)) == 2


async def test_an_adapter_that_forgets_takes_nothing_back(pool: Pool) -> None:
    raw = failed()
    await handle(pool, [raw], mended=True)
    await handle(pool, [raw], mended=False, replayed=True)

    await handle(pool, [raw], mended=True, replayed=True)

    assert len(await published(pool)) == 1


async def test_a_replayed_delivery_is_counted_apart(pool: Pool) -> None:
    raw = failed()
    await handle(pool, [raw], mended=False)

    await handle(pool, [raw], mended=True, replayed=True)

    assert await flow(pool) == {"deliveries": 1, "unknown": 1, "events": 1, "replayed": 1}


async def test_a_replay_beside_a_live_delivery_leaves_its_count_alone(pool: Pool) -> None:
    await handle(pool, [failed(1)], mended=True)
    await handle(pool, [failed(1)], mended=True, replayed=True)
    await handle(pool, [failed(2)], mended=True)

    counted = await flow(pool)

    assert (counted["deliveries"], counted["translated"], counted["replayed"]) == (2, 2, 1)
