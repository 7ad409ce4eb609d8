"""A stage begins when the product has nothing left to do at the tracker, and PostgreSQL is put in order."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bench.quiet import quiet
from tests.parts import Database

DUE = """
    WITH made AS (
        INSERT INTO ticketing.ticket (ticket_key, tenant_id, kind, subject, generation, state, last_number, created_at)
        VALUES ('pl-1', gen_random_uuid(), 'failed', 'r', 1, 'open', 1, now()) RETURNING ticket_key, tenant_id
    )
    INSERT INTO ticketing.intent (ticket_key, number, tenant_id, kind, state, due_at, cause_id, occurred_at,
                                  received_at, created_at)
    SELECT ticket_key, 1, tenant_id, 'open', 'pending', now() + make_interval(secs => $1), gen_random_uuid(), now(),
           now(), now()
    FROM made
"""
DONE = "UPDATE ticketing.intent SET state = 'done'"
VACUUMED = "SELECT count(*) FROM pg_stat_user_tables WHERE schemaname = 'ticketing' AND last_vacuum IS NOT NULL"


@pytest.fixture
async def admin(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.admin)
    await connection.execute("TRUNCATE ticketing.ticket CASCADE")
    yield connection
    await connection.close()


async def test_it_waits_until_what_is_due_is_done(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    told: list[str] = []
    await admin.execute(DUE, 0.0)
    waiting = asyncio.create_task(quiet(database.admin, longest_seconds=30, say=told.append))
    await asyncio.sleep(0.2)
    assert not waiting.done()

    await admin.execute(DONE)
    await waiting

    assert told[0].startswith("quiet: 1 acts were due at the tracker, 0 are")


async def test_what_is_due_later_is_not_waited_for(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute(DUE, 3600.0)

    async with asyncio.timeout(20):
        await quiet(database.admin, longest_seconds=3600, say=lambda _line: None)


async def test_a_tracker_that_is_behind_for_too_long_is_told_of(
    database: Database, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    told: list[str] = []
    await admin.execute(DUE, 0.0)

    await quiet(database.admin, longest_seconds=0, say=told.append)

    assert told[0].startswith("quiet: 1 acts were due at the tracker, 1 are")


async def test_the_tables_are_vacuumed(database: Database, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await quiet(database.admin, longest_seconds=0, say=lambda _line: None)

    assert await admin.fetchval(VACUUMED) > 0
