"""The door while Kafka is dead, slow, or gone together with PostgreSQL: what was answered 202 arrives, soon enough."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from services.gateway.door.raw_writer import Limits
from services.gateway.door.rules_breaker import Breaker
from services.gateway.door.spool import SpoolLimits
from tests.gateway.doors import SECRET, STATIC, OpenDoor, open_door, raw_ids, raw_topic
from tests.gateway.own_kafka import OwnKafka
from tests.gateway.spooled import NO_DATABASE, Tables
from tests.gateway.test_drain import draining
from tests.parts import Database

SOON_SECONDS = 1.0
HEADERS = {"x-shared": SECRET}
BUDGET = Limits(budget_seconds=0.5)
SPOOL_BUDGET = SpoolLimits(budget_seconds=5)
"""More than production's: on a busy machine an answer is late, not refused."""


class MovedBy:
    """A clock that a test moves."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@asynccontextmanager
async def door_of(
    own_kafka: OwnKafka, database: Database | None, clock: Callable[[], datetime] | None = None
) -> AsyncIterator[OpenDoor]:
    """Yield a door as production has it, but for a breaker that is quick to try again."""
    dsn = NO_DATABASE if database is None else database.writer("gateway")
    breaker = Breaker(pause_seconds=0.5)
    async with open_door(
        own_kafka.url, limits=BUDGET, spool_dsn=dsn, spool_limits=SPOOL_BUDGET, breaker=breaker, clock=clock
    ) as door:
        yield door


@dataclass(frozen=True, slots=True)
class Told:
    """What a sender heard, and after how long."""

    status: int
    raw_id: UUID | None
    seconds: float
    retry_after: str | None


async def deliver(door: OpenDoor) -> Told:
    started = time.monotonic()
    answer: httpx.Response = await door.client.post(STATIC, content=b"{}", headers=HEADERS)
    seconds = time.monotonic() - started
    raw_id = UUID(answer.json()["raw_id"]) if answer.status_code == 202 else None
    return Told(answer.status_code, raw_id, seconds, answer.headers.get("retry-after"))


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await reached():
            await asyncio.sleep(0.1)


async def test_an_hour_without_kafka_is_answered_202_and_arrives_after_it(
    own_kafka: OwnKafka, database: Database, tables: Tables
) -> None:
    clock = MovedBy(datetime(2026, 11, 10, 11, 30, tzinfo=UTC))
    told: list[Told] = []
    async with raw_topic(own_kafka.url) as raw:
        async with door_of(own_kafka, database, clock) as door:
            await until(lambda: goes_to_kafka(door, tables))
            await tables.empty()
            await own_kafka.kill()
            for _ in range(60):
                clock.at += timedelta(minutes=1)
                told += await asyncio.gather(*(deliver(door) for _ in range(5)))
            flow = await tables.flow()
        await own_kafka.start()
        async with draining(database, own_kafka.url):
            await until(_is_empty(tables))
        there = raw_ids(await raw.standing())

    quick = sorted(each.seconds for each in told)
    assert {each.status for each in told} == {202}
    assert {each.raw_id for each in told} <= set(there)
    assert {hour.hour: counts for (_, hour), counts in flow.items()} == {11: (145, 0), 12: (155, 0)}
    assert sum(seconds > SOON_SECONDS for seconds in quick) <= 5
    assert quick[len(quick) // 2] < BUDGET.budget_seconds
    assert await tables.is_balanced()


async def goes_to_kafka(door: OpenDoor, tables: Tables) -> bool:
    """Deliver once, and return whether Kafka took it."""
    before = len(await tables.raw_ids())
    return (await deliver(door)).status == 202 and len(await tables.raw_ids()) == before


async def _is_written(door: OpenDoor) -> bool:
    return (await deliver(door)).status == 202


def _is_empty(tables: Tables) -> Callable[[], Awaitable[bool]]:
    async def is_empty() -> bool:
        return not await tables.raw_ids()

    return is_empty


async def test_kafka_that_is_slow_past_the_budget_delays_few_answers_and_is_found_again(
    own_kafka: OwnKafka, database: Database, tables: Tables
) -> None:
    async with raw_topic(own_kafka.url) as raw:
        async with door_of(own_kafka, database) as door:
            await until(lambda: goes_to_kafka(door, tables))
            await tables.empty()
            own_kafka.proxy.delay_seconds = 2.0
            first = await asyncio.gather(*(deliver(door) for _ in range(10)))
            then = [await deliver(door) for _ in range(40)]
            spooled = len(await tables.raw_ids())
            own_kafka.proxy.mend()
            await until(lambda: goes_to_kafka(door, tables))
            again = await deliver(door)
        async with draining(database, own_kafka.url):
            await until(_is_empty(tables))
        there = set(raw_ids(await raw.standing()))

    assert {each.status for each in (*first, *then, again)} == {202}
    assert spooled == 50
    assert min(each.seconds for each in first) >= BUDGET.budget_seconds
    assert sorted(each.seconds for each in then)[len(then) // 2] < BUDGET.budget_seconds
    assert {each.raw_id for each in (*first, *then, again)} <= there


async def test_with_both_gone_everyone_is_asked_to_come_back_soon(own_kafka: OwnKafka) -> None:
    async with door_of(own_kafka, None) as door:
        await until(lambda: _is_written(door))
        own_kafka.proxy.hang()
        told = await asyncio.gather(*(deliver(door) for _ in range(20)))
        then = [await deliver(door) for _ in range(5)]
        own_kafka.proxy.mend()
        await until(lambda: _is_written(door))

    assert {(each.status, each.retry_after) for each in (*told, *then)} == {(503, "5")}
    assert max(each.seconds for each in (*told, *then)) < 2 * SOON_SECONDS


async def test_with_postgres_gone_kafka_is_asked_even_while_it_is_left_alone(own_kafka: OwnKafka) -> None:
    breaker = Breaker(failures_allowed=1, pause_seconds=3600)
    async with open_door(own_kafka.url, limits=BUDGET, spool_limits=SPOOL_BUDGET, breaker=breaker) as door:
        await until(lambda: _is_written(door))
        breaker.failed(time.monotonic())
        was_open = breaker.is_open

        told = await deliver(door)

    assert (was_open, told.status, breaker.is_open) == (True, 202, False)
