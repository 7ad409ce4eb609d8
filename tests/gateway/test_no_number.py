"""A broker that answers everything but which number a producer has: who is told to stop stops, the others go on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from chassis import producing
from services.gateway.door import drain
from services.gateway.door.raw_batch import Outcome
from services.gateway.door.raw_writer import Limits
from tests.gateway.doors import raw_ids, raw_topic, running_writer
from tests.gateway.own_kafka import OwnKafka
from tests.gateway.spooled import Tables, spooled
from tests.gateway.test_drain import draining, fill, stands
from tests.gateway.test_raw_writer import HEADERS, until_written
from tests.parts import Database

INIT_PRODUCER_ID = b"\x00\x16"
"""Kafka protocol guide: API key 22, the two bytes after the size of a request."""


class NoNumbers:
    """Whether somebody asked for the number of a producer, and the end of nobody hearing it."""

    def __init__(self, own_kafka: OwnKafka) -> None:
        self.asked = asyncio.Event()
        self._own_kafka = own_kafka
        own_kafka.proxy.put = self._put

    def mend(self) -> None:
        self._own_kafka.proxy.put = bytes

    def _put(self, piece: bytes) -> bytes:
        if piece[4:6] != INIT_PRODUCER_ID:
            return piece
        self.asked.set()
        return b""


@pytest.fixture
async def no_numbers(own_kafka: OwnKafka, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NoNumbers]:
    monkeypatch.setattr(producing, "START_SECONDS", 0.5)
    monkeypatch.setattr(drain, "LOOK_EVERY_SECONDS", 0.1)
    numbers = NoNumbers(own_kafka)
    yield numbers
    numbers.mend()


async def test_a_writer_without_a_number_stops_when_it_is_told_to(own_kafka: OwnKafka, no_numbers: NoNumbers) -> None:
    async with asyncio.timeout(60), running_writer(own_kafka.url, limits=Limits(budget_seconds=0.2)) as writer:
        await no_numbers.asked.wait()
        outcome = await writer.write(HEADERS, b"meanwhile")

    assert outcome is Outcome.LATE


async def test_a_writer_gets_its_number_later(own_kafka: OwnKafka, no_numbers: NoNumbers) -> None:
    async with running_writer(own_kafka.url, limits=Limits(budget_seconds=1)) as writer:
        await no_numbers.asked.wait()
        no_numbers.mend()
        await until_written(writer, b"later")


async def test_a_drainer_without_a_number_stops_when_it_is_told_to(
    own_kafka: OwnKafka, no_numbers: NoNumbers, database: Database, tables: Tables
) -> None:
    record = spooled()
    await fill(database, [record])

    async with asyncio.timeout(60), draining(database, own_kafka.url):
        await no_numbers.asked.wait()

    assert await tables.raw_ids() == [record.raw_id]


async def test_a_drainer_gets_its_number_later(
    own_kafka: OwnKafka, no_numbers: NoNumbers, database: Database, tables: Tables
) -> None:
    record = spooled()
    await fill(database, [record])

    async with raw_topic(own_kafka.url) as raw:
        async with draining(database, own_kafka.url):
            await no_numbers.asked.wait()
            no_numbers.mend()
            await stands(tables, 0)
        there = await raw.standing()

    assert raw_ids(there) == [record.raw_id]
