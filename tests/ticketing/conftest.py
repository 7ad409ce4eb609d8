"""A real Roundup tracker, and the worker on a real database with a clock that tests move."""

import sys
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from patchline.local import place
from patchline.local.roundup import RateLimit, Roundup
from tests.parts import Database
from tests.ticketing.desk import Desk, Room


def _say(line: str) -> None:
    sys.stderr.write(f"[parts] {line}\n")


@pytest.fixture(scope="session")
def roundup() -> Iterator[Roundup]:
    with place.throwaway_home() as home:
        tracker = Roundup(home / "roundup", port=0)
        tracker.start(_say)
        try:
            yield tracker
        finally:
            tracker.stop()


@pytest.fixture
def limited_roundup() -> Iterator[Roundup]:
    """A tracker that allows 10 calls in 10 seconds, and says when to come back."""
    with place.throwaway_home() as home:
        tracker = Roundup(home / "roundup", port=0, rate_limit=RateLimit(calls=10, interval_seconds=10))
        tracker.start(_say)
        try:
            yield tracker
        finally:
            tracker.stop()


@pytest.fixture
def desk(roundup: Roundup) -> Iterator[Desk]:
    """The tracker as a person sees it."""
    with Desk.of(roundup) as open_desk:
        yield open_desk


@pytest.fixture
async def room(database: Database, roundup: Roundup) -> AsyncIterator[Room]:
    """Ticketing without Kafka: its handler, its worker, its tables, and the real tracker."""
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = ticketing")
    await connection.execute(
        "TRUNCATE client, matter, standing, ticket, ticket_device, intent, history, outbox, aggregate_sequence, merge, "
        "merged"
    )
    await connection.execute("UPDATE round SET due_at = '1970-01-01 00:00:00+00', holder = NULL, completed_at = NULL")
    await connection.close()
    async with Room.on(database, roundup) as made:
        yield made


@pytest.fixture
def requirement(request: pytest.FixtureRequest) -> str:
    """A subject of its own for each test: they share one tracker."""
    return f"requirement of {request.node.nodeid}"[-200:]
