"""The batch consumer and the relay on a real broker and a real database: nothing lost, nothing done twice."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis import outbox
from chassis.batch import Record
from chassis.errors import LogNotContinuous, MayWorkLater, NeverWorks
from chassis.postgres import Pool, open_pool, transaction
from contracts import topics
from contracts.envelope import Envelope
from contracts.envelope import decode as decoded
from contracts.events.ticket import TicketResolved
from contracts.topics import Topic
from tests.builders import NOON, rising
from tests.chassis.machine_room import Keeper, consuming, counted, records_of, running, seen, send, until

RESOLVED = Envelope(
    id=uuid4(),
    source="t",
    subject="s",
    time=NOON,
    received=NOON,
    data=TicketResolved(ticket="t", kind="k", subject="s", generation=1),
)


async def test_every_record_is_handled_once_and_forwarded(empty_room: str, kafka: str, topic: Topic) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(200)])

    async with running(empty_room, kafka, Keeper(topic), f"new-{topic.name}"):
        await until(lambda: counted(empty_room, 200))

    assert await seen(empty_room) == [f"v{n:03}" for n in range(200)]
    assert sorted(value or b"" for value, _ in await records_of(kafka, topic.dead_letters)) == [
        f"v{n:03}".encode() for n in range(200)
    ]


async def test_a_restart_goes_on_at_the_watermark_whatever_offset_was_committed(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    await send(kafka, topic, [b"a", b"b"])
    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: counted(empty_room, 2))
    wrong = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await wrong.start()
    partitions = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
    wrong.assign(partitions)
    await wrong.commit(dict.fromkeys(partitions, 0))
    await wrong.stop()
    await send(kafka, topic, [b"c", b"d"])

    async with running(empty_room, kafka, Keeper(topic), group):
        await until(lambda: counted(empty_room, 4))

    assert await seen(empty_room) == ["a", "b", "c", "d"]


async def test_what_cannot_be_decoded_or_is_refused_is_dead_lettered_whole_beside_its_neighbours(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    await send(kafka, topic, [b"a", b"\xff\x00bad", b"refuse me", b"b"], headers=[("ce_id", b"\xfe1")])

    async with running(empty_room, kafka, Keeper(topic), f"g-{topic.name}"):
        await until(lambda: counted(empty_room, 2))

    letters = [each for each in await records_of(kafka, topic.dead_letters) if "dlq_reason" in each[1]]
    assert {value: headers["dlq_reason"] for value, headers in letters} == {
        b"\xff\x00bad": "value: not text",
        b"refuse me": "text: must not say 'refuse me'",
    }
    assert all(headers["ce_id"] == "\xfe1" and headers["dlq_topic"] == topic.name for _, headers in letters)


async def test_a_record_that_its_handler_cannot_take_is_narrowed_down(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    await send(kafka, topic, [f"v{n:02}".encode() for n in range(40)])
    keeper = Keeper(topic, fails=lambda text: ValueError("odd one") if text == "v17" else None)

    async with running(empty_room, kafka, keeper, f"g-{topic.name}"):
        await until(lambda: counted(empty_room, 39))

    letters = [each for each in await records_of(kafka, topic.dead_letters) if "dlq_reason" in each[1]]
    assert [value for value, _ in letters] == [b"v17"]
    assert "ValueError: odd one" in letters[0][1]["dlq_reason"]


async def test_what_may_work_later_is_put_back_and_never_dead_lettered(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    attempts = 0

    def at_first(_text: str) -> Exception | None:
        nonlocal attempts
        attempts += 1
        return MayWorkLater("the tracker is away") if attempts <= 2 else None

    await send(kafka, topic, [b"a", b"b", b"c", b"d"])

    async with running(empty_room, kafka, Keeper(topic, fails=at_first), f"g-{topic.name}"):
        await until(lambda: counted(empty_room, 4))

    assert await seen(empty_room) == ["a", "b", "c", "d"]
    assert all("dlq_reason" not in headers for _, headers in await records_of(kafka, topic.dead_letters))


async def test_what_is_prepared_before_may_come_later_or_need_fewer_records(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    calls: list[int] = []

    async def prepare(records: Sequence[Record]) -> None:
        calls.append(len(records))
        if len(calls) <= 2:
            raise MayWorkLater("the keys are away")
        if len(records) > 2:
            raise NeverWorks("so many are not held at once")

    await send(kafka, topic, [b"%d" % number for number in range(10)])
    keeper = Keeper(topic)

    async with consuming(empty_room, kafka, keeper, f"g-{topic.name}", prepare=prepare):
        await until(lambda: counted(empty_room, 10))

    assert all(len(batch) <= 2 for batch in keeper.batches)
    assert all("dlq_reason" not in headers for _, headers in await records_of(kafka, topic.dead_letters))


async def test_a_bad_record_and_a_passing_failure_together_lose_no_neighbour(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    attempts = 0

    def now_and_then(text: str) -> Exception | None:
        nonlocal attempts
        attempts += 1
        if text == "v31":
            return ValueError("never")
        return MayWorkLater("not now") if attempts in {5, 9, 14} else None

    await send(kafka, topic, [f"v{n:02}".encode() for n in range(40)])

    async with running(empty_room, kafka, Keeper(topic, fails=now_and_then), f"g-{topic.name}"):
        await until(lambda: counted(empty_room, 39), 60)

    assert await seen(empty_room) == [f"v{n:02}" for n in range(40) if n != 31]


async def test_two_consumers_of_one_group_lose_and_double_nothing_over_rebalances(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(100)])

    async with running(empty_room, kafka, Keeper(topic), group):
        async with running(empty_room, kafka, Keeper(topic), group):
            await send(kafka, topic, [f"w{n:03}".encode() for n in range(100)])
            await asyncio.sleep(1)
        await send(kafka, topic, [f"x{n:03}".encode() for n in range(100)])
        await until(lambda: counted(empty_room, 300), 30)

    assert await seen(empty_room) == [f"{c}{n:03}" for c in "vwx" for n in range(100)]


async def test_a_log_that_ends_below_the_watermark_stops_the_consumer(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    connection = await asyncpg.connect(empty_room)
    await connection.execute(
        "INSERT INTO watermark (consumer_group, topic, partition, next_offset) VALUES ($1, $2, 0, 500)",
        group,
        topic.name,
    )
    await connection.close()

    async with running(empty_room, kafka, Keeper(topic), group) as consuming:
        await asyncio.wait([consuming], timeout=15)

    error = consuming.exception()
    assert error is not None
    assert isinstance(error, LogNotContinuous), repr(error)
    assert "ends at 0, below" in str(error)
    assert "docs/runbook.md" in str(error)


async def test_another_record_before_the_watermark_stops_the_consumer(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    group = f"g-{topic.name}"
    await send(kafka, topic, [b"a", b"b", b"c", b"d"])
    connection = await asyncpg.connect(empty_room)
    await connection.execute(
        "INSERT INTO watermark (consumer_group, topic, partition, next_offset, last_identity)"
        " VALUES ($1, $2, 0, 1, 'crc32:00000000')",
        group,
        topic.name,
    )
    await connection.close()

    async with running(empty_room, kafka, Keeper(topic), group) as consuming:
        await asyncio.wait([consuming], timeout=15)

    assert isinstance(consuming.exception(), LogNotContinuous)
    assert "another log" in str(consuming.exception())


async def test_sequences_of_one_aggregate_rise_and_never_repeat(room: str) -> None:
    pool = await open_pool(room, application="test")

    async def draw() -> None:
        async with transaction(pool) as tx:
            await outbox.enqueue_sequenced(
                tx, topics.TICKETS, [("one", RESOLVED), ("two", RESOLVED), ("one", RESOLVED)]
            )

    await asyncio.gather(*(draw() for _ in range(10)))

    drawn = await drawn_by_key(pool)
    await pool.close()
    assert {key: len(set(numbers)) for key, numbers in drawn.items()} == {b"one": 20, b"two": 10}
    assert all(rising(numbers) for numbers in drawn.values())


async def test_sequences_after_a_restore_are_above_all_that_were_drawn_since_the_backup(room: str) -> None:
    pool = await open_pool(room, application="test")
    await pool.execute("DELETE FROM aggregate_sequence")
    async with transaction(pool) as tx:
        await outbox.enqueue_sequenced(tx, topics.TICKETS, [("old", RESOLVED)])
    backup = await pool.fetch("SELECT aggregate, sequence FROM aggregate_sequence")
    async with transaction(pool) as tx:
        await outbox.enqueue_sequenced(tx, topics.TICKETS, [("old", RESOLVED)] * 5 + [("new", RESOLVED)] * 5)
    seen_by_readers = {key: max(numbers) for key, numbers in (await drawn_by_key(pool)).items()}
    await asyncio.sleep(0.05)

    await pool.execute("DELETE FROM aggregate_sequence")
    await pool.executemany("INSERT INTO aggregate_sequence VALUES ($1, $2)", backup)
    async with transaction(pool) as tx:
        await outbox.enqueue_sequenced(tx, topics.TICKETS, [("old", RESOLVED), ("new", RESOLVED)])

    drawn = await drawn_by_key(pool)
    await pool.close()
    assert all(drawn[key] > [seen_by_readers[key]] for key in (b"old", b"new"))


async def test_numbers_that_were_counted_before_they_followed_the_clock_go_on_rising(room: str) -> None:
    pool = await open_pool(room, application="test")
    await pool.execute("DELETE FROM aggregate_sequence")
    far = 9_000_000_000_000
    await pool.executemany("INSERT INTO aggregate_sequence VALUES ($1, $2)", [("tickets/a", 7), ("tickets/b", far)])

    async with transaction(pool) as tx:
        await outbox.enqueue_sequenced(tx, topics.TICKETS, [("a", RESOLVED), ("b", RESOLVED), ("b", RESOLVED)])

    drawn = await drawn_by_key(pool)
    await pool.close()
    assert drawn[b"a"] > [7]
    assert drawn[b"b"] == [far + 1, far + 2]


async def drawn_by_key(pool: Pool) -> dict[bytes, list[int]]:
    """Take what waits in the outbox and return the numbers of each key in order."""
    rows = await pool.fetch("DELETE FROM outbox WHERE topic = 'tickets' RETURNING id, key, headers, value")
    drawn: dict[bytes, list[int]] = {}
    for row in sorted(rows, key=lambda each: int(each["id"])):
        number = decoded(outbox.headers_of(row["headers"]), row["value"]).sequence
        drawn.setdefault(row["key"], []).append(number or 0)
    return drawn
