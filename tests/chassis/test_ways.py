"""Partitions of one poll side by side: each in its order, each once, and none held up by its neighbour."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

import asyncpg
import pytest

from chassis.batch import Batch
from chassis.errors import MayWorkLater
from chassis.postgres import Connection
from chassis.ways import FEWEST, parted, side_by_side
from contracts.topics import Topic
from tests.chassis.machine_room import Keeper, consuming, counted, seen, send, until

MANY = 3 * FEWEST


class Here(NamedTuple):
    """A record, as far as ways look at it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@pytest.mark.parametrize(
    ("sizes", "ways", "expected"),
    [
        pytest.param([FEWEST], 1, [{0}], id="one way"),
        pytest.param([FEWEST - 2, 1], 2, [{0, 1}], id="too few to part"),
        pytest.param([FEWEST], 2, [{0}], id="a partition is never parted"),
        pytest.param([60, 60], 2, [{0}, {1}], id="one each"),
        pytest.param([90, 30, 30, 30], 2, [{0}, {1, 2, 3}], id="about the same size"),
        pytest.param([50, 50, 50], 8, [{0}, {1}, {2}], id="more ways than partitions"),
    ],
)
def test_parts_have_partitions_whole_and_are_about_as_large(
    sizes: list[int], ways: int, expected: list[set[int]]
) -> None:
    records = [Here("t", number, offset) for number, size in enumerate(sizes) for offset in range(size)]
    in_turns = sorted(records, key=lambda each: (each.offset, each.partition))

    parts = parted(in_turns, ways)

    assert [{each.partition for each in part} for part in parts] == expected
    for part in parts:
        assert part == [each for each in in_turns if each in set(part)]


async def test_what_one_way_raises_is_raised_when_all_have_come_to_their_end() -> None:
    done: list[str] = []

    async def fails() -> None:
        raise ValueError("the first")

    async def works() -> None:
        await asyncio.sleep(0)
        done.append("the second")

    with pytest.raises(ValueError, match="the first"):
        await side_by_side([fails(), works()])

    assert done == ["the second"]


@dataclass
class Meeting(Keeper):
    """A keeper of whose batches the first waits for a second one that is under way at the same time."""

    under_way: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_batch(self, tx: Connection, batch: Batch[str]) -> None:
        self.under_way += 1
        if self.under_way > 1:
            self.met.set()
        if len(batch.items) >= FEWEST // 2:
            await asyncio.wait_for(self.met.wait(), 10)
        await super().on_batch(tx, batch)
        self.under_way -= 1


async def test_two_transactions_are_under_way_at_once_and_each_record_is_kept_once(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(MANY)])
    keeper = Meeting(topic)

    async with consuming(empty_room, kafka, keeper, f"g-{topic.name}", ways=2):
        await until(lambda: counted(empty_room, MANY))

    assert keeper.met.is_set()
    assert await seen(empty_room) == [f"v{n:03}" for n in range(MANY)]


async def test_a_way_that_is_put_back_holds_up_no_other_and_is_done_once_in_its_order(
    empty_room: str, kafka: str, topic: Topic
) -> None:
    await send(kafka, topic, [f"v{n:03}".encode() for n in range(MANY)])
    is_away = True

    def fails(text: str) -> Exception | None:
        return MayWorkLater("away") if is_away and int(text[1:]) % topic.partitions == 0 else None

    keeper = Keeper(topic, fails)
    async with consuming(empty_room, kafka, keeper, f"g-{topic.name}", ways=topic.partitions):
        await until(lambda: counted(empty_room, MANY - len(range(0, MANY, topic.partitions))))
        is_away = False
        await until(lambda: counted(empty_room, MANY))

    assert await seen(empty_room) == [f"v{n:03}" for n in range(MANY)]
    assert await _kept_in_order(empty_room, topic.partitions)


async def _kept_in_order(dsn: str, partitions: int) -> bool:
    connection = await asyncpg.connect(dsn)
    rows = [int(row["text"][1:]) for row in await connection.fetch("SELECT text FROM seen ORDER BY ctid")]
    await connection.close()
    theirs = [[each for each in rows if each % partitions == number] for number in range(partitions)]
    return all(each == sorted(each) for each in theirs)
