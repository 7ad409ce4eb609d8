"""The spool on a real PostgreSQL: what is called spooled is committed and counted, whatever the database does."""

import asyncio
import time
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import pytest

from patchline.local import ports
from services.gateway.door import store_spool
from services.gateway.door.raw_batch import HEADERS_BYTES, Outcome
from services.gateway.door.spool import INSERT_ROWS, Spool, SpoolLimits
from services.gateway.door.spool_link import APPLICATION
from simulators.slow_proxy import SlowProxy, slow_proxy
from tests.gateway.spooled import NO_DATABASE, NOON, SOURCE, Tables, running_spool, signature, spooled
from tests.parts import Database

IMPATIENT = SpoolLimits(budget_seconds=0.4)


@pytest.fixture
def dsn(database: Database) -> str:
    return database.writer("gateway")


def through(proxy: SlowProxy, dsn: str) -> str:
    """Return `dsn` by way of the proxy."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@{ports.LOOPBACK}:{proxy.port}"))


async def test_what_arrives_in_one_turn_is_one_commit(dsn: str, tables: Tables) -> None:
    records = [spooled(b"%d" % number) for number in range(100)]

    async with running_spool(dsn) as spool:
        outcomes = await asyncio.gather(*(spool.write(record) for record in records))

    commits = await tables.connection.fetchval("SELECT count(DISTINCT xmin::text) FROM gateway.spool")
    assert set(outcomes) == {Outcome.SPOOLED}
    assert await tables.raw_ids() == sorted(record.raw_id for record in records)
    assert commits == 1


async def test_each_record_is_counted_under_its_source_and_hour(dsn: str, tables: Tables) -> None:
    later = NOON + timedelta(minutes=59, seconds=59)
    records = [spooled(), spooled(at=later), spooled(at=NOON + timedelta(hours=1)), spooled(source="rmm/other/one")]

    async with running_spool(dsn) as spool:
        await asyncio.gather(*(spool.write(record) for record in records))

    assert await tables.flow() == {
        (SOURCE, NOON): (2, 0),
        (SOURCE, NOON + timedelta(hours=1)): (1, 0),
        ("rmm/other/one", NOON): (1, 0),
    }
    assert await tables.is_balanced()


async def test_a_record_that_is_there_already_is_kept_and_counted_once(dsn: str, tables: Tables) -> None:
    record = spooled()

    async with running_spool(dsn) as spool:
        outcomes = [await spool.write(record), await spool.write(record)]

    assert outcomes == [Outcome.SPOOLED, Outcome.SPOOLED]
    assert await tables.raw_ids() == [record.raw_id]
    assert await tables.flow() == {(SOURCE, NOON): (1, 0)}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(bytes(range(256)), id="every byte"),
        pytest.param(b"\x00" * 1_048_576, id="1 MiB"),
    ],
)
async def test_any_bytes_come_back_with_their_headers(dsn: str, tables: Tables, value: bytes) -> None:
    record = spooled(value)
    record.headers.append(("odd", b"\xff\x00\n"))

    async with running_spool(dsn) as spool:
        await spool.write(record)
    [waiting] = await _peek(dsn)

    assert signature(waiting.headers, waiting.value) == signature(record.headers, value)
    assert (waiting.raw_id, waiting.topic) == (record.raw_id, record.topic)
    assert await tables.raw_ids() == [record.raw_id]


async def _peek(dsn: str, *, most: int = 10, most_bytes: int = 10_000_000) -> list[store_spool.Waiting]:
    connection = await asyncpg.connect(dsn)
    try:
        return await store_spool.peek(connection, UUID(int=0), most=most, most_bytes=most_bytes)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("most", "most_bytes", "read"),
    [
        pytest.param(3, 10_000, 3, id="so many rows"),
        pytest.param(10, 250, 3, id="one that begins below the limit ends beyond it"),
        pytest.param(10, 1, 1, id="always one"),
        pytest.param(10, 10_000, 5, id="all"),
    ],
)
async def test_only_so_much_is_read_at_a_time(
    dsn: str, tables: Tables, *, most: int, most_bytes: int, read: int
) -> None:
    records = [spooled(b"x" * 100) for _ in range(5)]
    async with running_spool(dsn) as spool:
        await asyncio.gather(*(spool.write(record) for record in records))

    waiting = await _peek(dsn, most=most, most_bytes=most_bytes)

    assert [each.raw_id for each in waiting] == (await tables.raw_ids())[:read]


async def test_what_is_under_way_when_it_stops_is_committed(dsn: str, tables: Tables) -> None:
    async with running_spool(dsn) as spool:
        writing = [asyncio.ensure_future(spool.write(spooled())) for _ in range(INSERT_ROWS * 2 + 10)]
        await asyncio.sleep(0)

    assert {await each for each in writing} == {Outcome.SPOOLED}
    assert len(await tables.raw_ids()) == len(writing)


async def test_one_that_gives_up_waiting_takes_nobody_along(dsn: str, tables: Tables) -> None:
    async with running_spool(dsn) as spool:
        writing = [asyncio.ensure_future(spool.write(spooled())) for _ in range(3)]
        await asyncio.sleep(0)
        writing[0].cancel()

        outcomes = await asyncio.gather(*writing, return_exceptions=True)

    assert outcomes[1:] == [Outcome.SPOOLED, Outcome.SPOOLED]
    assert len(await tables.raw_ids()) == 3


async def test_without_a_database_it_refuses_at_once_and_nothing_stays_in_memory() -> None:
    size = 1000 + HEADERS_BYTES
    limits = SpoolLimits(budget_seconds=5, waiting_bytes=10 * size)
    async with running_spool(NO_DATABASE, limits=limits) as spool:
        started = time.monotonic()
        outcomes = await asyncio.gather(*(spool.write(spooled(b"x" * 1000)) for _ in range(11)))
        seconds = time.monotonic() - started

        again = await spool.write(spooled(b"x" * 1000))

    assert outcomes.count(Outcome.SPOOL_REFUSED) == 10
    assert outcomes.count(Outcome.SPOOL_FULL) == 1
    assert seconds < 2
    assert again is Outcome.SPOOL_REFUSED


async def test_a_database_that_hangs_costs_the_budget_and_no_more(dsn: str, tables: Tables) -> None:
    port = urlsplit(dsn).port
    assert port is not None
    async with slow_proxy(port) as proxy, running_spool(through(proxy, dsn), limits=IMPATIENT) as spool:
        await _becomes_spooled(spool)
        proxy.hang()
        started = time.monotonic()
        hanging = await asyncio.gather(*(spool.write(spooled()) for _ in range(50)))
        seconds = time.monotonic() - started
        behind = [asyncio.ensure_future(spool.write(spooled())) for _ in range(3)]
        queued = await asyncio.gather(*behind)
        proxy.mend()
        await _becomes_spooled(spool)

    assert (set(hanging), set(queued)) == ({Outcome.SPOOL_LATE}, {Outcome.SPOOL_LATE})
    assert IMPATIENT.budget_seconds * 0.9 < seconds < 2
    assert await tables.is_balanced()


async def _becomes_spooled(spool: Spool) -> None:
    async with asyncio.timeout(10):
        while await spool.write(spooled()) is not Outcome.SPOOLED:
            await asyncio.sleep(0.05)


async def test_a_connection_that_the_server_ended_is_replaced_within_the_same_write(dsn: str, tables: Tables) -> None:
    async with running_spool(dsn) as spool:
        await spool.write(spooled())
        await tables.connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", APPLICATION
        )
        after = await spool.write(spooled())

    assert after is Outcome.SPOOLED
    assert len(await tables.raw_ids()) == 2


async def test_a_disk_that_is_full_is_a_refusal_and_ends_with_the_disk(dsn: str, tables: Tables) -> None:
    await tables.connection.execute(
        """
        CREATE FUNCTION public.no_room() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER no_room BEFORE INSERT ON gateway.spool EXECUTE FUNCTION public.no_room();
        """
    )
    async with running_spool(dsn) as spool:
        full = await asyncio.gather(*(spool.write(spooled()) for _ in range(3)))
        await tables.connection.execute("DROP FUNCTION public.no_room() CASCADE")
        after = await spool.write(spooled())

    assert (set(full), after) == ({Outcome.SPOOL_REFUSED}, Outcome.SPOOLED)
    assert await tables.flow() == {(SOURCE, NOON): (1, 0)}


async def test_a_statement_that_waits_for_a_lock_is_given_up_on_the_server_too(dsn: str, tables: Tables) -> None:
    async with running_spool(dsn, limits=IMPATIENT) as spool:
        async with tables.connection.transaction():
            await tables.connection.execute("LOCK TABLE gateway.spool_flow IN EXCLUSIVE MODE")
            outcomes = [await spool.write(spooled()) for _ in range(3)]
            await asyncio.sleep(0.5)
            waiting = await tables.connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'", APPLICATION
            )
        await _becomes_spooled(spool)

    assert set(outcomes) <= {Outcome.SPOOL_LATE, Outcome.SPOOL_REFUSED}
    assert waiting == 0
    assert await tables.is_balanced()
