"""The drainer on a real PostgreSQL and a real Kafka: all of the spool reaches Kafka, and is counted when it has."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis.health import Progress
from chassis.postgres import open_pool
from services.gateway.door import drain
from services.gateway.door.drain import DrainSpool
from services.gateway.door.raw_batch import Outcome
from services.gateway.door.store_spool import Spooled
from services.gateway.keys.sealing import new_sealing_key
from tests.gateway.doors import raw_ids, raw_topic
from tests.gateway.spooled import NOON, SOURCE, Tables, running_spool, signature, spooled
from tests.parts import Database

SMALL = "test.spool.small"
HOLDERS = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = 0
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.fixture(scope="module")
async def small_topic(kafka: str) -> str:
    """A topic that takes small records only."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(SMALL, 1, 1, topic_configs={"max.message.bytes": "5000"})])
    await admin.close()
    return SMALL


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "LOOK_EVERY_SECONDS", 0.1)


async def fill(database: Database, records: Sequence[Spooled]) -> None:
    async with running_spool(database.writer("gateway")) as spool:
        assert set(await asyncio.gather(*(spool.write(record) for record in records))) == {Outcome.SPOOLED}


@asynccontextmanager
async def draining(database: Database, kafka: str) -> AsyncIterator[None]:
    dsn = database.writer("gateway")
    pool = await open_pool(dsn, application="tests")
    stopping = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            drainer = DrainSpool(pool=pool, dsn=dsn, kafka=kafka, progress=Progress())
            tasks.create_task(drainer.run(stopping))
            try:
                yield
            finally:
                stopping.set()
    finally:
        await pool.close()


async def stands(tables: Tables, records: int) -> None:
    async with asyncio.timeout(30):
        while len(await tables.raw_ids()) != records:
            await asyncio.sleep(0.05)


async def test_all_of_it_reaches_kafka_byte_for_byte_and_is_counted_as_drained(
    kafka: str, database: Database, tables: Tables
) -> None:
    values = [b"%d" % number for number in range(1200)] + [b"", bytes(range(256)), b"\x01" * 1_048_605]
    records = [spooled(value, at=NOON + timedelta(seconds=5 * n)) for n, value in enumerate(values)]
    await fill(database, records)

    async with raw_topic(kafka) as raw:
        async with draining(database, kafka):
            await stands(tables, 0)
        there = await raw.standing()

    expected = Counter(signature(record.headers, record.value) for record in records)
    assert Counter(signature(list(record.headers), record.value or b"") for record in there) == expected
    assert await tables.flow() == {(SOURCE, NOON): (720, 720), (SOURCE, NOON + timedelta(hours=1)): (483, 483)}
    assert len({record.partition for record in there}) > 1


async def test_what_is_spooled_while_it_drains_leaves_too(kafka: str, database: Database, tables: Tables) -> None:
    async with raw_topic(kafka) as raw:
        async with draining(database, kafka):
            records = [spooled() for _ in range(30)]
            for record in records:
                await fill(database, [record])
                assert await tables.is_balanced()
            await stands(tables, 0)
        there = await raw.standing()

    assert {record.raw_id for record in records} == set(raw_ids(there))


async def test_of_two_drainers_one_works(
    kafka: str, database: Database, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "MOST_ROWS", 20)
    records = [spooled(b"%d" % number) for number in range(1000)]
    await fill(database, records)

    most = 0
    async with raw_topic(kafka) as raw:
        async with draining(database, kafka), draining(database, kafka):
            async with asyncio.timeout(60):
                while await tables.raw_ids():
                    most = max(most, await tables.connection.fetchval(HOLDERS))
                    await asyncio.sleep(0.01)
        there = await raw.standing()

    assert Counter(raw_ids(there)) == {record.raw_id: 1 for record in records}
    assert most == 1


async def test_a_record_that_kafka_refuses_holds_up_nobody_and_stays(
    kafka: str, small_topic: str, database: Database, tables: Tables
) -> None:
    values = [b"x" * 100_000 if number == 4 else b"%d" % number for number in range(12)]
    records = [spooled(value, topic=small_topic) for value in values]
    await fill(database, records)

    async with raw_topic(kafka, small_topic) as raw:
        async with draining(database, kafka):
            await stands(tables, 1)
        there = await raw.standing()

    assert set(raw_ids(there)) == {record.raw_id for record in records} - {records[4].raw_id}
    assert await tables.raw_ids() == [records[4].raw_id]
    assert await tables.flow() == {(SOURCE, NOON): (12, 11)}


async def test_it_lives_while_kafka_is_away(database: Database, tables: Tables) -> None:
    progress = Progress()
    await fill(database, [spooled()])
    pool = await open_pool(database.writer("gateway"), application="tests")
    drainer = DrainSpool(pool=pool, dsn=database.writer("gateway"), kafka="127.0.0.1:1", progress=progress)
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(drainer.run(stopping))
        await asyncio.sleep(1)
        stopping.set()
    await pool.close()

    assert await tables.flow() == {(SOURCE, NOON): (1, 0)}


@pytest.mark.parametrize(
    ("point", "times"),
    [
        pytest.param("spool after the produce", 2, id="after the produce: sent again"),
        pytest.param("spool after the delete", 1, id="after the delete: not sent again"),
    ],
)
async def test_killed_half_way_nothing_is_lost_and_a_repeat_has_the_same_id(
    kafka: str, database: Database, tables: Tables, tmp_path: Path, *, point: str, times: int
) -> None:
    records = [spooled(b"%d" % number) for number in range(50)]
    await fill(database, records)

    async with raw_topic(kafka) as raw:
        code = await asyncio.to_thread(_translate, _environment(kafka, database, tmp_path), point)
        async with draining(database, kafka):
            await stands(tables, 0)
        there = await raw.standing()

    assert code == -signal.SIGKILL
    assert Counter(raw_ids(there)) == {record.raw_id: times for record in records}
    assert await tables.flow() == {(SOURCE, NOON): (50, 50)}


def _translate(environment: dict[str, str], dying_at: str) -> int:
    return subprocess.run(
        [sys.executable, "-m", "services.gateway", "translate"],
        env=environment | {"PATCHLINE_DIE_AT": dying_at},
        capture_output=True,
        timeout=60,
        check=False,
    ).returncode


def _environment(kafka: str, database: Database, folder: Path) -> dict[str, str]:
    key = folder / "sealing.key"
    key.write_text(new_sealing_key())
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return own | {
        "PATCHLINE_KAFKA": kafka,
        "PATCHLINE_DATABASE_URL": database.writer("gateway"),
        "PATCHLINE_SEALING_KEY_FILE": str(key),
    }
