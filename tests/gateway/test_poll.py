"""A poll on a real database: its difference is kept and told, or nothing is; leases; sources that stop answering."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from chassis import outbox
from chassis.errors import NeverWorks
from chassis.health import Progress
from chassis.http import Unavailable
from chassis.postgres import Pool, open_pool, transaction
from contracts.events import rmm
from contracts.raw import PLAIN, RawDelivery, delivery_of
from services.gateway import vendors
from services.gateway.keys.bodies import Bodies
from services.gateway.keys.data_keys import CurrentKeys, KeyRing
from services.gateway.keys.key_sealing import FILE, FileSealer
from services.gateway.keys.sealing import Purpose, SealBroken, SealingKey, new_sealing_key, read_sealing_key, sealed
from services.gateway.polling import store_poll
from services.gateway.polling.poll import Poll
from services.gateway.polling.readers import Readers
from services.gateway.polling.rules_collect import Collected, ScanMoment
from services.gateway.polling.store_poll import Due
from tests.builders import HOUR, MINUTE, NOON, SOURCE
from tests.gateway.held import HeldBlobs
from tests.gateway.poll_rows import Row, attempt_row, collected, device_row, patch_row
from tests.parts import Database

OTHER = "rmm/ninjaone/other"
EVERY = timedelta(minutes=15)
SEALERS = {FILE: FileSealer(SealingKey(b"k" * 32))}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


class Fake:
    """Reads what it is told to, or fails."""

    def __init__(self, answer: Callable[[], Collected]) -> None:
        self.answer = answer
        self.installs_from: datetime | None = None

    async def read(self, installs_from: datetime) -> Collected:
        self.installs_from = installs_from
        return self.answer()


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


@pytest.fixture(autouse=True)
async def two_sources(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = gateway")
    await connection.execute(
        "TRUNCATE source, source_secret, data_key, client_mapping, poll_state, poll_snapshot, outbox"
    )
    for source in (SOURCE, OTHER):
        await connection.execute(
            "INSERT INTO source (source_id, vendor, name, scheme, header_name, api_url, client_id, "
            "sealed_client_secret, poll_seconds, added_at) VALUES "
            "($1, 'ninjaone', $2, 'static-header', 'x', 'https://ninja.example', 'us', '\\x00', 900, now())",
            source,
            source.rpartition("/")[2],
        )
    await connection.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def poller(pool: Pool, clock: Clock, reader: Fake | dict[str, Fake]) -> Poll:
    async def reader_of(due: Due) -> Fake:
        return reader[due.source] if isinstance(reader, dict) else reader

    on: Any = SimpleNamespace(pool=pool, clock=clock, progress=Progress(), relay=SimpleNamespace(wake=lambda: None))
    return Poll(on, vendors.POLLED, reader_of, keys=CurrentKeys(SEALERS, FILE))


async def due(pool: Pool, clock: Clock, most: int = 9) -> list[Due]:
    async with transaction(pool) as tx:
        until = clock.at + 2 * MINUTE
        return await store_poll.claim(tx, vendors.POLLED, now=clock.at, lease=uuid4(), until=until, most=most)


async def poll_main(pool: Pool, clock: Clock, answer: Callable[[], Collected]) -> Fake:
    """Poll the main source once."""
    fake = Fake(answer)
    for one in await due(pool, clock):
        if one.source == SOURCE:
            await poller(pool, clock, fake).poll(one)
    return fake


async def raw(pool: Pool) -> list[RawDelivery]:
    """Return and take away what stands in the outbox, whichever lane it takes."""
    rows = await pool.fetch("DELETE FROM outbox RETURNING id, topic, key, headers, value")
    assert {row["topic"] for row in rows} <= {"rmm.raw", "rmm.raw.bulk"}
    assert {row["key"] for row in rows} <= {None}
    sealed_deliveries = [
        delivery_of(outbox.headers_of(row["headers"]), row["value"]) for row in sorted(rows, key=lambda row: row["id"])
    ]
    assert all(each.key_id != PLAIN for each in sealed_deliveries)
    opened = await Bodies(KeyRing(pool.acquire, SEALERS), HeldBlobs()).opened(sealed_deliveries)
    return [each for each in opened if isinstance(each, RawDelivery)]


async def state(pool: Pool, source: str = SOURCE) -> dict[str, Any]:
    row = await pool.fetchrow("SELECT * FROM poll_state WHERE source = $1", source)
    assert row is not None
    return dict(row)


def devices(*rows: Row, **others: Any) -> Callable[[], Collected]:
    return lambda: collected(devices=rows, **others)


def down() -> Collected:
    raise Unavailable("ninja.example: ConnectError")


async def test_a_first_import_is_bulk_and_what_differs_later_is_live(pool: Pool, clock: Clock) -> None:
    await poll_main(pool, clock, devices(device_row(1)))
    assert await pool.fetchval("SELECT string_agg(topic, ',') FROM outbox") == "rmm.raw.bulk"
    await pool.execute("DELETE FROM outbox")
    clock.at += EVERY * 2

    await poll_main(pool, clock, devices(device_row(1), device_row(2)))

    assert await pool.fetchval("SELECT string_agg(topic, ',') FROM outbox") == "rmm.raw"


async def test_an_unusually_large_difference_is_bulk(pool: Pool, clock: Clock) -> None:
    await poll_main(pool, clock, devices(device_row(1)))
    await pool.execute("DELETE FROM outbox")
    clock.at += EVERY * 2

    await poll_main(pool, clock, devices(*(device_row(number) for number in range(1, 503))))

    assert set(await pool.fetchval("SELECT array_agg(topic) FROM outbox")) == {"rmm.raw.bulk"}


async def test_a_first_poll_tells_everything_as_raw_records(pool: Pool, clock: Clock) -> None:
    fake = await poll_main(pool, clock, devices(device_row(), patches=(patch_row(),)))

    [record] = await raw(pool)
    assert (record.vendor, record.source, record.channel, record.received) == ("ninjaone", SOURCE, "poll", NOON)
    translation = vendors.translated(record, vendors.adapters())
    assert not translation.problems
    assert [type(said.event) for said in translation.said] == [
        rmm.DeviceUpdated,
        rmm.DeviceOnline,
        rmm.DeviceBooted,
        rmm.PatchDetected,
        rmm.PatchScanCompleted,
        rmm.PatchScanCompleted,
    ]
    assert fake.installs_from == datetime(2026, 10, 11, tzinfo=NOON.tzinfo)


async def test_a_second_poll_tells_the_difference_only(pool: Pool, clock: Clock) -> None:
    await poll_main(pool, clock, devices(device_row(), patches=(patch_row(),)))
    await raw(pool)
    clock.at += HOUR

    installed = attempt_row("INSTALLED", NOON + MINUTE)
    await poll_main(pool, clock, devices(device_row(contact=NOON + HOUR), attempts=(installed,)))

    [record] = await raw(pool)
    said = vendors.translated(record, vendors.adapters()).said
    assert [type(each.event) for each in said] == [
        rmm.PatchInstallReported,
        rmm.PatchNoLongerListed,
        rmm.PatchScanCompleted,
    ]


async def test_an_unchanged_source_writes_nothing(pool: Pool, clock: Clock) -> None:
    answer = devices(device_row(), patches=(patch_row(),))
    await poll_main(pool, clock, answer)
    await raw(pool)
    clock.at += HOUR

    await poll_main(pool, clock, answer)

    assert await raw(pool) == []
    assert (await state(pool))["last_succeeded_at"] == NOON + HOUR


async def test_a_late_reading_of_an_old_state_is_kept_as_it_is_found(pool: Pool, clock: Clock) -> None:
    """Polls follow one another: what a device had long ago and shows again is news again."""
    await poll_main(pool, clock, devices(device_row(systemName="new")))
    clock.at += HOUR
    await poll_main(pool, clock, devices(device_row(systemName="old")))

    records = await raw(pool)

    said = [said for record in records for said in vendors.translated(record, vendors.adapters()).said]
    names = [each.event.facts.hostname for each in said if isinstance(each.event, rmm.DeviceUpdated)]
    assert names == ["new", "old"]


async def test_a_poll_that_fails_half_way_keeps_nothing(pool: Pool, clock: Clock) -> None:
    await poll_main(pool, clock, down)

    assert await raw(pool) == []
    assert await pool.fetchval("SELECT count(*) FROM poll_snapshot") == 0
    kept = await state(pool)
    assert (kept["failures"], kept["last_failed_at"], kept["lease"]) == (1, NOON, None)
    assert NOON < kept["next_at"] <= NOON + MINUTE


async def test_a_poll_whose_lease_was_taken_keeps_nothing(pool: Pool, clock: Clock) -> None:
    [ours] = [one for one in await due(pool, clock) if one.source == SOURCE]
    clock.at += 3 * MINUTE
    [theirs] = [one for one in await due(pool, clock) if one.source == SOURCE]

    await poller(pool, clock, Fake(devices(device_row()))).poll(ours)

    assert await raw(pool) == []
    assert (await state(pool))["lease"] == theirs.lease
    await poller(pool, clock, Fake(devices(device_row()))).poll(theirs)
    assert len(await raw(pool)) == 1


async def test_an_unreadable_neighbour_is_counted_and_the_rest_is_told(
    pool: Pool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await poll_main(pool, clock, devices({"id": "odd"}, device_row()))

    assert len(await raw(pool)) == 1
    assert "rows not understood" in caplog.messages


async def test_a_source_that_stops_answering_is_told_and_holds_nobody_up(
    pool: Pool, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    polls = poller(pool, clock, {SOURCE: Fake(down), OTHER: Fake(devices(device_row()))})

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            for one in await due(pool, clock):
                await polls.poll(one)
            clock.at += HOUR

    assert "source silent" in caplog.messages
    assert (await state(pool))["failures"] == 3
    assert (await state(pool))["last_error"] == "ninja.example: ConnectError"
    assert {record.source for record in await raw(pool)} == {OTHER}


async def test_retry_after_is_honoured(pool: Pool, clock: Clock) -> None:
    def busy() -> Collected:
        raise Unavailable("HTTP 429", retry_after_seconds=1800)

    await poll_main(pool, clock, busy)

    assert (await state(pool))["next_at"] == NOON + timedelta(seconds=1800)


async def test_a_source_that_never_works_does_not_stop_the_process(pool: Pool, clock: Clock) -> None:
    def wrong() -> Collected:
        raise NeverWorks("HTTP 403: forbidden")

    await poll_main(pool, clock, wrong)

    assert (await state(pool))["last_error"] == "HTTP 403: forbidden"


async def test_polls_come_round_at_the_sources_interval(pool: Pool, clock: Clock) -> None:
    await poll_main(pool, clock, devices())

    next_at = (await state(pool))["next_at"]
    assert NOON + 0.9 * EVERY <= next_at <= NOON + 1.1 * EVERY
    assert [one.source for one in await due(pool, clock)] == []


@pytest.mark.parametrize(
    "change",
    [
        "enabled = false",
        "quarantined_at = now()",
        "api_url = NULL, client_id = NULL, sealed_client_secret = NULL, poll_seconds = NULL",
    ],
    ids=["disabled", "quarantined", "without an API"],
)
async def test_a_source_that_is_not_to_be_polled_is_not(
    pool: Pool, clock: Clock, database: Database, change: str
) -> None:
    connection = await asyncpg.connect(database.admin)
    await connection.execute(f"UPDATE gateway.source SET {change} WHERE source_id = '{SOURCE}'")
    await connection.close()

    assert [one.source for one in await due(pool, clock)] == [OTHER]


async def test_the_part_polls_until_told_to_stop_and_gives_its_leases_back(pool: Pool, clock: Clock) -> None:
    started = asyncio.Event()

    class Hanging(Fake):
        async def read(self, installs_from: datetime) -> Collected:
            started.set()
            await asyncio.sleep(60)
            return await super().read(installs_from)

    part = poller(pool, clock, {SOURCE: Hanging(devices()), OTHER: Fake(devices(device_row()))})
    stopping = asyncio.Event()
    running = asyncio.create_task(part.run(stopping))
    await started.wait()
    while (await state(pool, OTHER))["last_succeeded_at"] is None:
        await asyncio.sleep(0.02)

    stopping.set()
    await asyncio.wait_for(running, 5)

    assert [one.source for one in await due(pool, clock)] == [SOURCE]


async def test_a_reader_is_kept_until_its_access_changes(tmp_path: Any) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(new_sealing_key())
    key = read_sealing_key(key_file)
    readers = Readers(key, ScanMoment.ROWS)

    def access(secret: bytes, source: str = SOURCE) -> Due:
        box = sealed(key, secret, source_id=source, purpose=Purpose.API)
        return Due(SOURCE, "ninjaone", "https://ninja.example", "us", box, EVERY, uuid4(), 0)

    one = access(b"quiet")
    first = await readers.of(one)
    assert await readers.of(one) is first
    assert await readers.of(access(b"rotated")) is not first
    with pytest.raises(SealBroken):
        await readers.of(access(b"quiet", source=OTHER))
    await readers.close()


async def test_a_raw_record_is_json_that_a_person_can_read(pool: Pool, clock: Clock) -> None:
    await poll_main(pool, clock, devices(device_row()))

    [record] = await raw(pool)

    assert json.loads(record.body)["format"] == "ninjaone.reading.v1"
