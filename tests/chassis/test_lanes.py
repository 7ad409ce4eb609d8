"""Bulk yields to live and to a full outbox, and never starves: the rule, and real consumers and relays."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from aiokafka import TopicPartition

from chassis import courtesy, outbox
from chassis.batch import Batch, is_for
from chassis.clock import moved_clock
from chassis.consumer import BatchConsumer
from chassis.cores import Cores
from chassis.courtesy import (
    LEAST_BYTES,
    MOST_IN_OUTBOX,
    PORTION_SECONDS,
    SCARCE_SHARE,
    Courtesy,
    pause_seconds,
    portion_records,
)
from chassis.errors import MayWorkLater
from chassis.health import HealthServer, Progress
from chassis.lanes import Lanes, bulk_group, group_of_both, is_bulk
from chassis.platform import Platform
from chassis.postgres import Connection, open_pool, transaction
from chassis.relay import Relay
from chassis.relay_rows import BULK_ROWS, PEEK, ROWS
from contracts.envelope import Message
from contracts.topics import Topic
from tests.builders import KafkaRecord
from tests.chassis.conftest import commit_beginning
from tests.chassis.machine_room import Keeper, counted, decode, records_of, seen, send, until

LONG_AGO = 60.0


@pytest.mark.parametrize(
    ("took", "share", "live_ago", "pause"),
    [
        pytest.param(0.1, 0.25, 0.0, 0.3, id="live is at work: three times as long as it worked"),
        pytest.param(0.1, 0.25, 0.9, 0.3, id="live was at work a moment ago"),
        pytest.param(0.1, 0.25, LONG_AGO, 0.0, id="nothing live: no rest"),
        pytest.param(0.1, 1.0, 0.0, 0.0, id="all of the time"),
        pytest.param(30.0, 0.25, 0.0, 2.0, id="never longer than the longest wait"),
        pytest.param(0.0, 0.25, 0.0, 0.0, id="nothing done yet"),
    ],
)
def test_bulk_rests_in_proportion_to_its_work(took: float, share: float, live_ago: float, pause: float) -> None:
    assert pause_seconds(took, share, live_ago) == pytest.approx(pause)


@pytest.mark.parametrize(
    ("allowed", "size", "took", "following"),
    [
        pytest.param(20, 20, 0.4 * PORTION_SECONDS, 40, id="quick: twice as many"),
        pytest.param(20, 20, 0.8 * PORTION_SECONDS, 25, id="almost right: a little larger"),
        pytest.param(20, 20, 1.4 * PORTION_SECONDS, 20, id="about right: the same"),
        pytest.param(20, 20, 2.5 * PORTION_SECONDS, 8, id="slow: smaller, so that the next fits"),
        pytest.param(20, 20, 100 * PORTION_SECONDS, 5, id="very slow, perhaps for another reason: a quarter"),
        pytest.param(20, 8, 0.4 * PORTION_SECONDS, 20, id="fewer than allowed were there: they tell nothing of more"),
        pytest.param(20, 8, 4 * PORTION_SECONDS, 2, id="but slow ones do"),
        pytest.param(20, 0, 0.0, 20, id="all had gone to others: nothing is learned"),
        pytest.param(1, 1, 9.0, 1, id="never none"),
        pytest.param(500, 500, 0.4 * PORTION_SECONDS, 500, id="never more than the most"),
    ],
)
def test_a_portion_grows_and_shrinks_towards_its_time(allowed: int, size: int, took: float, following: int) -> None:
    assert portion_records(allowed, size, took) == following


@pytest.mark.parametrize(
    ("sizes", "taken"),
    [
        pytest.param([400] * 1000, LEAST_BYTES // 400 + 1, id="small records: as many as make a commit worth it"),
        pytest.param([LEAST_BYTES] * 1000, 20, id="large records: by number"),
        pytest.param([400] * 3, 3, id="fewer than that: all"),
    ],
)
def test_a_portion_is_never_so_small_that_its_commit_costs_more(sizes: Sequence[int], taken: int) -> None:
    records = [KafkaRecord(value=b"x" * size, headers=()) for size in sizes]

    assert Courtesy(courtesy.Activity(), None, 0.25).portion_of(records) == taken  # type: ignore[arg-type]  # unused


def test_where_cores_are_scarce_bulk_takes_a_part_of_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    polite = Courtesy(courtesy.Activity(), None, 0.25)  # type: ignore[arg-type]  # unused
    shares = []
    for scarce in (False, True, False):
        monkeypatch.setattr(Cores, "are_scarce", scarce)
        shares.append(polite.share)

    assert shares == [0.25, 0.25 * SCARCE_SHARE, 0.25]


def test_a_bulk_group_is_named_after_its_live_one() -> None:
    assert bulk_group("inventory") == "inventory-bulk"
    assert [is_bulk("inventory"), is_bulk("inventory-bulk")] == [False, True]
    assert group_of_both("inventory-bulk") == group_of_both("inventory") == "inventory"


@pytest.mark.parametrize(
    ("replayed_to", "handled"),
    [
        pytest.param(b"gateway", True, id="to the live group"),
        pytest.param(b"gateway-bulk", True, id="to the bulk group"),
        pytest.param(b"inventory", False, id="to another"),
    ],
)
def test_what_is_replayed_to_a_group_is_handled_in_either_lane(replayed_to: bytes, handled: bool) -> None:  # noqa: FBT001
    record = KafkaRecord(value=b"", headers=[("replay_group", replayed_to)])

    assert (is_for("gateway", record), is_for("gateway-bulk", record)) == (handled, handled)


@pytest.mark.parametrize(
    ("lanes", "served"),
    [
        pytest.param(Lanes.BOTH, ["live", "relay", "bulk"], id="both"),
        pytest.param(Lanes.LIVE, ["live", "relay"], id="live"),
        pytest.param(Lanes.BULK, ["bulk"], id="bulk alone has no relay"),
    ],
)
def test_a_process_serves_the_lanes_it_is_told_to(lanes: Lanes, served: list[str]) -> None:
    assert lanes.served(["live", "relay"], ["bulk"]) == served


@pytest.fixture
async def empty_room(room: str) -> str:
    """The schema `room` with nothing seen and nothing to send."""
    connection = await asyncpg.connect(room)
    await connection.execute("DELETE FROM seen")
    await connection.execute("DELETE FROM outbox; DELETE FROM outbox_pack")
    await connection.close()
    return room


@dataclass
class Slow(Keeper):
    """A handler whose batches take a while."""

    seconds: float = 0.2

    async def on_batch(self, tx: Connection, batch: Batch[str]) -> None:
        await asyncio.sleep(self.seconds)
        await super().on_batch(tx, batch)


@dataclass
class Room:
    """One process with a bulk lane of `topic`: what the test makes of the rest is up to it."""

    on: Platform
    relaying: asyncio.Event
    dsn: str


@asynccontextmanager
async def bulk_lane(
    dsn: str, kafka: str, keeper: Keeper, *, with_relay: bool = True, group: str | None = None
) -> AsyncIterator[Room]:
    """Yield a process whose bulk lane runs, or `group` in its place."""
    progress = Progress()
    pool = await open_pool(dsn, application="test")
    relay = Relay(dsn=dsn, kafka=kafka, progress=progress)
    health = HealthServer(progress, "127.0.0.1", 0)
    on = Platform(pool=pool, kafka=kafka, clock=moved_clock(0), progress=progress, relay=relay, health=health)
    topic = keeper.forward_to
    group = group or bulk_group(topic.name)
    await commit_beginning(kafka, group, [TopicPartition(topic.name, number) for number in range(topic.partitions)])
    consumer = BatchConsumer(group=group, topics=[topic], decode=decode, handler=keeper, on=on)
    first, last = asyncio.Event(), asyncio.Event()
    consuming = asyncio.create_task(consumer.run(first))
    relaying = asyncio.create_task(relay.run(last)) if with_relay else None
    try:
        yield Room(on, last, dsn)
    finally:
        first.set()
        await asyncio.wait([consuming])
        last.set()
        if relaying is not None:
            await relaying
        await pool.close()
    consuming.result()


def texts(count: int, size: int = 4096) -> list[bytes]:
    return [f"{number:04}".encode().ljust(size, b".") for number in range(count)]


async def test_bulk_handles_everything_once_in_portions(kafka: str, empty_room: str, topic: Topic) -> None:
    keeper = Keeper(forward_to=topic)
    await send(kafka, topic, texts(100))

    async with bulk_lane(empty_room, kafka, keeper):
        await until(lambda: counted(empty_room, 100))

    assert len(keeper.batches) > 1
    assert sorted(text for batch in keeper.batches for text in batch) == [each.decode() for each in texts(100)]
    assert len(await records_of(kafka, topic.dead_letters)) == 100


async def test_a_portion_that_may_work_later_is_put_back_with_all_that_follows_it(
    kafka: str, empty_room: str, topic: Topic
) -> None:
    troubles = [MayWorkLater("not now")] * 2
    keeper = Keeper(forward_to=topic, fails=lambda text: troubles.pop() if troubles and "0030" in text else None)
    await send(kafka, topic, texts(80))

    async with bulk_lane(empty_room, kafka, keeper):
        await until(lambda: counted(empty_room, 80))

    assert await seen(empty_room) == [each.decode() for each in texts(80)]


async def test_bulk_works_its_share_of_the_time_while_live_is_at_work_and_does_not_starve(
    kafka: str, empty_room: str, topic: Topic
) -> None:
    keeper = Slow(forward_to=topic)
    await send(kafka, topic, texts(200))

    async with bulk_lane(empty_room, kafka, keeper) as process:
        await until(lambda: keeper.batches)
        with process.on.live.working():
            before, started = len(keeper.batches), asyncio.get_running_loop().time()
            await until(lambda: len(keeper.batches) >= before + 3)
            beside_live = (asyncio.get_running_loop().time() - started) / 3
        before, started = len(keeper.batches), asyncio.get_running_loop().time()
        await asyncio.sleep(courtesy.LIVE_SECONDS)
        before, started = len(keeper.batches), asyncio.get_running_loop().time()
        await until(lambda: len(keeper.batches) >= before + 2 or len(keeper.batches) >= 9)
        alone = (asyncio.get_running_loop().time() - started) / max(len(keeper.batches) - before, 1)

    assert beside_live > 3 * keeper.seconds
    assert alone < beside_live


async def test_what_follows_from_bulk_is_no_live_work_that_bulk_would_wait_for(
    kafka: str, empty_room: str, topic: Topic
) -> None:
    keeper = Keeper(forward_to=topic)

    async with bulk_lane(empty_room, kafka, keeper, group=topic.name) as process:
        await send(kafka, topic, texts(20), headers=[("ce_type", b"any"), ("ce_lane", b"bulk")])
        await until(lambda: counted(empty_room, 20))
        after_bulk = process.on.live.seconds_ago
        await send(kafka, topic, [b"live"], headers=[("ce_type", b"any")])
        await until(lambda: counted(empty_room, 21))
        after_live = process.on.live.seconds_ago

    assert after_bulk == math.inf
    assert after_live < math.inf


async def test_bulk_adds_nothing_to_a_full_outbox_but_a_portion_now_and_then(
    kafka: str, empty_room: str, topic: Topic
) -> None:
    keeper = Keeper(forward_to=topic)
    await send(kafka, topic, texts(100))
    connection = await asyncpg.connect(empty_room)
    full = [(0, "nowhere", b"k", "[]", b"v")] * MOST_IN_OUTBOX
    await connection.copy_records_to_table("outbox", columns=list(outbox.COLUMNS), records=full)

    async with bulk_lane(empty_room, kafka, keeper, with_relay=False):
        await until(lambda: keeper.batches)
        await asyncio.sleep(1)
        while_full = len(keeper.batches)
        await connection.execute("DELETE FROM outbox")
        await until(lambda: counted(empty_room, 100))
    await connection.execute("DELETE FROM outbox")
    await connection.close()

    assert while_full == 1


async def test_the_relay_sends_live_first_and_bulk_in_small_portions_in_each_keys_order(empty_room: str) -> None:
    pool = await open_pool(empty_room, application="test")
    async with transaction(pool) as tx:
        for number in range(BULK_ROWS + 50):
            await outbox.enqueue_messages(tx, "x.bulk", [Message(key=b"k", headers=[], value=str(number).encode())])
        await outbox.enqueue_messages(tx, "x", [Message(key=b"k", headers=[], value=b"live")])

    rows = await pool.fetch(PEEK, list(range(outbox.SHARDS)), [], ROWS, BULK_ROWS, 1_000_000)
    small = await pool.fetch(PEEK, list(range(outbox.SHARDS)), [], ROWS, BULK_ROWS, 1)
    await pool.execute("DELETE FROM outbox")
    await pool.close()

    assert [row["value"] for row in rows] == [b"live", *(str(number).encode() for number in range(BULK_ROWS))]
    assert [row["value"] for row in small] == [b"live", b"0"]
