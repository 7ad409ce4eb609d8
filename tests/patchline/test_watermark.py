"""The way on when a log does not continue: shown first, refused while somebody consumes, done only with --yes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from chassis.batch import Batch
from chassis.errors import LogNotContinuous
from chassis.postgres import Connection
from contracts.topics import Topic
from patchline import watermark
from tests.chassis.conftest import topic as topic  # noqa: PLC0414 - a fixture
from tests.chassis.machine_room import consuming, send, until
from tests.chassis.test_logs import cut_before, made_anew
from tests.parts import Database


@dataclass
class Listener:
    """A handler that only listens."""

    forward_to: Topic
    heard: list[str] = field(default_factory=list)

    async def on_batch(self, _tx: Connection, batch: Batch[str]) -> None:
        self.heard += batch.values


@pytest.fixture(autouse=True)
def surroundings(database: Database, kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHLINE_KAFKA", kafka)
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", database.operator)
    monkeypatch.setattr("chassis.consumer.LOOK_SECONDS", 0.3)


@asynccontextmanager
async def listening(database: Database, kafka: str, listener: Listener) -> AsyncIterator["asyncio.Task[None]"]:
    """Yield a running consumer of inventory's schema."""
    group = f"g-{listener.forward_to.name}"
    async with consuming(database.writer("inventory"), kafka, listener, group) as task:
        yield task


async def typed(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, watermark.app, words)


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.stdout, (result.stderr, result.exception)
    answer: list[dict[str, Any]] = json.loads(result.stdout)
    return answer


def texts(letter: str, count: int) -> Iterable[bytes]:
    return [f"{letter}{number:03}".encode() for number in range(count)]


async def read_once(database: Database, kafka: str, topic: Topic, count: int) -> None:
    """Let the group read `count` records and stop."""
    await send(kafka, topic, texts("v", count))
    listener = Listener(topic)
    async with listening(database, kafka, listener):
        await until(lambda: len(listener.heard) == count)


@pytest.fixture
async def read(database: Database, kafka: str, topic: Topic) -> Topic:
    """A topic whose 20 records were read."""
    await read_once(database, kafka, topic, 20)
    return topic


async def stopped_for(database: Database, kafka: str, topic: Topic) -> str:
    """Return why a consumer that starts now stops for good."""
    async with listening(database, kafka, Listener(topic)) as task:
        await asyncio.wait([task], timeout=15)
    assert task.done()
    error = task.exception()
    assert isinstance(error, LogNotContinuous), repr(error)
    return str(error)


async def heard_until(database: Database, kafka: str, topic: Topic, enough: Callable[[list[str]], bool]) -> list[str]:
    """Return what a consumer hears that starts now, in any order of the partitions."""
    listener = Listener(topic)
    async with listening(database, kafka, listener):
        await until(lambda: enough(listener.heard))
    return sorted(listener.heard)


async def test_a_topic_made_anew_is_read_from_its_beginning_after_the_procedure(
    database: Database, kafka: str, topic: Topic
) -> None:
    await read_once(database, kafka, topic, 20)
    await made_anew(kafka, topic)
    await send(kafka, topic, texts("w", 40))
    assert "made anew" in await stopped_for(database, kafka, topic)

    listed = await typed("list", "--topic", topic.name, "--json")
    asked = await typed("set", topic.name, "--to", "beginning", "--json")
    still_stopped = await stopped_for(database, kafka, topic)
    done = await typed("set", topic.name, "--to", "beginning", "--yes", "--json")

    assert listed.exit_code == 1
    assert {row["log"] for row in rows(listed)} == {"made anew"}
    assert asked.exit_code == 1
    assert "nothing was changed" in asked.stderr
    assert "made anew" in still_stopped
    assert done.exit_code == 0
    assert [(row["from"], row["to"], row["skipped"]) for row in rows(done)] == [(10, 0, 0)] * 2
    heard = await heard_until(database, kafka, topic, lambda texts: len(texts) >= 40)
    assert heard == [f"w{number:03}" for number in range(40)]
    assert (await typed("list", "--topic", topic.name, "--json")).exit_code == 0


async def test_a_log_that_starts_above_is_read_on_after_the_procedure_which_says_what_is_gone(
    database: Database, kafka: str, topic: Topic
) -> None:
    await read_once(database, kafka, topic, 20)
    await send(kafka, topic, texts("w", 20))
    await cut_before(kafka, topic, 15)
    assert "starts at 15, above" in await stopped_for(database, kafka, topic)

    done = await typed("set", topic.name, "--to", "beginning", "--yes", "--json")

    assert [(row["to"], row["skipped"], row["gone unread"]) for row in rows(done)] == [(15, 0, 5)] * 2
    heard = await heard_until(database, kafka, topic, lambda texts: len(texts) >= 10)
    assert heard == [f"w{number:03}" for number in range(10, 20)]


async def test_a_log_that_lost_its_tail_is_read_on_from_its_end_after_the_procedure(
    database: Database, kafka: str, topic: Topic
) -> None:
    await read_once(database, kafka, topic, 20)
    connection = await asyncpg.connect(database.writer("inventory"))
    await connection.execute("UPDATE watermark SET next_offset = 13 WHERE topic = $1", topic.name)
    await connection.close()
    assert "ends at 10, below" in await stopped_for(database, kafka, topic)

    done = await typed("set", topic.name, "--to", "end", "--yes", "--json")

    assert [(row["from"], row["to"], row["skipped"]) for row in rows(done)] == [(13, 10, 0)] * 2
    await send(kafka, topic, texts("w", 4))
    assert await heard_until(database, kafka, topic, lambda texts: len(texts) >= 4) == [
        f"w{number:03}" for number in range(4)
    ]


async def test_nobody_moves_a_group_that_consumes(database: Database, kafka: str, topic: Topic) -> None:
    await send(kafka, topic, texts("v", 20))
    listener = Listener(topic)

    async with listening(database, kafka, listener):
        await until(lambda: len(listener.heard) == 20)
        refused = await typed("set", topic.name, "--to", "beginning", "--yes")

    assert refused.exit_code == 1
    assert "still consuming" in refused.stderr
    assert await heard_until(database, kafka, topic, lambda texts: texts == []) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["--to", "999"], "is no place in it", id="a place that the log does not have"),
        pytest.param(
            ["--to", "end", "--partition", "7"], "no group has a watermark", id="a partition that is not there"
        ),
        pytest.param(["--to", "end", "--group", "nobody"], "no group has a watermark", id="a group that is not there"),
    ],
)
async def test_what_cannot_be_done_is_said(words: list[str], says: str, read: Topic) -> None:
    refused = await typed("set", read.name, *words, "--yes")

    assert refused.exit_code == 1
    assert says in refused.stderr


async def test_every_group_that_reads_the_topic_is_moved(database: Database, kafka: str, topic: Topic) -> None:
    await read_once(database, kafka, topic, 20)
    other = Listener(topic)
    async with consuming(database.writer("compliance"), kafka, other, f"other-{topic.name}"):
        await until(lambda: len(other.heard) == 20)

    done = await typed("set", topic.name, "--to", "beginning", "--yes", "--json")

    assert [(row["group"], row["handled again"]) for row in rows(done)] == [
        *[(f"g-{topic.name}", 10)] * 2,
        *[(f"other-{topic.name}", 10)] * 2,
    ]


async def test_skipping_is_said_and_done(database: Database, kafka: str, topic: Topic) -> None:
    await read_once(database, kafka, topic, 20)
    await send(kafka, topic, texts("w", 20))

    done = await typed("set", topic.name, "--to", "18", "--partition", "0", "--yes", "--json")

    assert [(row["partition"], row["from"], row["to"], row["skipped"]) for row in rows(done)] == [(0, 10, 18, 8)]
    assert len(await heard_until(database, kafka, topic, lambda texts: len(texts) >= 12)) == 12
