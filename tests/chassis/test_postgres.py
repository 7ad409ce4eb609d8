"""Computing while the server works: both results, and a connection that is free whichever of them fails."""

import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from chassis.postgres import Connection, meanwhile
from tests.parts import Database

MOMENT = "SELECT extract(epoch FROM clock_timestamp())::float8"


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    opened = await asyncpg.connect(database.writer("inventory"))
    yield opened
    await opened.close()


async def test_the_answer_and_what_was_computed_are_returned(connection: Connection) -> None:
    assert await meanwhile(connection.fetchval("SELECT 1"), lambda: "two") == (1, "two")


async def test_the_server_works_while_something_is_computed(connection: Connection) -> None:
    await connection.fetchval(MOMENT)  # prepared: from now on it is sent at once

    def computed() -> float:
        time.sleep(0.2)
        return time.time()

    worked_at, done_at = await meanwhile(connection.fetchval(MOMENT), computed)

    assert worked_at < done_at - 0.15


async def test_the_connection_is_free_when_the_computation_fails(connection: Connection) -> None:
    with pytest.raises(ZeroDivisionError):
        await meanwhile(connection.fetchval("SELECT pg_sleep(0.05)"), lambda: 1 // 0)

    assert await connection.fetchval("SELECT 3") == 3


async def test_what_is_wrong_with_the_statement_is_raised(connection: Connection) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        await meanwhile(connection.fetchval("SELECT * FROM nowhere"), lambda: "computed")

    assert await connection.fetchval("SELECT 3") == 3
