"""What a database refuses is sorted into later and never: a poisoned value must not stop a partition for ever."""

from datetime import datetime, timedelta, timezone

import asyncpg
import pytest

from chassis.errors import MayWorkLater, NeverWorks, may_work_later
from tests.parts import Database


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        pytest.param("SELECT $1::timestamptz", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), id="year 0"),
        pytest.param("SELECT $1::text", "\ud800", id="lone surrogate"),
        pytest.param("SELECT $1::integer", 2**40, id="too large"),
        pytest.param("SELECT $1::text::jsonb", '"\\u0000"', id="NUL in JSON"),
        pytest.param("SELECT $1::text", "\x00", id="NUL in text"),
        pytest.param("SELECT 1 / $1::integer", 0, id="division by zero"),
    ],
)
async def test_a_value_that_cannot_be_stored_never_works(database: Database, statement: str, value: object) -> None:
    connection = await asyncpg.connect(database.reader)
    try:
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as caught:
            await connection.fetchval(statement, value)
    finally:
        await connection.close()

    assert not may_work_later(caught.value)


async def test_a_closed_connection_may_work_later(database: Database) -> None:
    connection = await asyncpg.connect(database.reader)
    await connection.close()

    with pytest.raises(asyncpg.InterfaceError) as caught:
        await connection.fetchval("SELECT 1")

    assert may_work_later(caught.value)


@pytest.mark.parametrize(
    ("error", "later"),
    [
        (MayWorkLater("wait"), True),
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (asyncpg.DeadlockDetectedError("deadlock"), True),
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), True),
        (NeverWorks("no"), False),
        (asyncpg.UniqueViolationError("twice"), False),
        (KeyError("bug"), False),
    ],
)
def test_errors_are_sorted(error: Exception, later: bool) -> None:  # noqa: FBT001 - a table's column
    assert may_work_later(error) is later
