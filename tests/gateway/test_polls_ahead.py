"""The clock ran an hour ahead and goes right again: sources are polled at their usual intervals."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from chassis.ahead import pull_back
from chassis.postgres import Pool, open_pool
from services.gateway.polling import store_ahead
from tests.builders import HOUR, MINUTE, NOON, SOURCE
from tests.parts import Database

LEASE = timedelta(minutes=2)
EVERY = timedelta(minutes=15)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """One source that is polled every quarter of an hour."""
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = gateway")
    await connection.execute("TRUNCATE source, source_secret, data_key, client_mapping, poll_state, poll_snapshot")
    await connection.execute(
        "INSERT INTO source (source_id, vendor, name, scheme, header_name, api_url, poll_seconds, added_at) "
        "VALUES ($1, 'ninjaone', 'main', 'static-header', 'x', 'https://ninja.example', 900, now())",
        SOURCE,
    )
    await connection.execute("INSERT INTO poll_state (source, next_at) VALUES ($1, $2)", SOURCE, NOON)
    await connection.close()
    made = await open_pool(database.writer("gateway"), application="test")
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("planned", "failures", "expected"),
    [
        pytest.param(EVERY, 0, EVERY, id="as usual"),
        pytest.param(HOUR + EVERY, 0, EVERY, id="by a clock ahead"),
        pytest.param(HOUR + EVERY, 3, HOUR + EVERY, id="after failures, perhaps at the vendor's word"),
    ],
)
async def test_the_next_poll(pool: Pool, planned: timedelta, failures: int, expected: timedelta) -> None:
    await pool.execute("UPDATE poll_state SET next_at = $1, failures = $2", NOON + planned, failures)

    await pull_back(pool, store_ahead.planned(LEASE), NOON)

    assert await pool.fetchval("SELECT next_at FROM poll_state") == NOON + expected


@pytest.mark.parametrize(("ends", "expected"), [(MINUTE, MINUTE), (HOUR, LEASE)], ids=["usual", "by a clock ahead"])
async def test_a_lease_ends_a_lease_from_now_at_the_latest(pool: Pool, ends: timedelta, expected: timedelta) -> None:
    await pool.execute("UPDATE poll_state SET lease = gen_random_uuid(), leased_until = $1", NOON + ends)

    await pull_back(pool, store_ahead.planned(LEASE), NOON)

    assert await pool.fetchval("SELECT leased_until FROM poll_state") == NOON + expected
