"""What is due is found without reading what waits, however much that is and however old the statistics are."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from services.ticketing.store_intents import DUE
from tests.parts import Database

TENANTS: Final = [UUID(int=number) for number in range(1, 11)]
PER_TENANT: Final = 4
WAITING: Final = 2_000
AT_MOST: Final = 1_000
"""Rows that the plan may touch in all, for ten tenants: far fewer than wait."""

ADDED: Final = """
    INSERT INTO intent (ticket_key, number, tenant_id, kind, state, lane, due_at,
                        cause_id, occurred_at, received_at, created_at)
    SELECT $1 || md5(n::text), 1, $2, 'open', $3, $4, now() - n * $5::interval,
           gen_random_uuid(), now(), now(), now()
    FROM generate_series(1, $6::integer) AS n
"""


@pytest.mark.parametrize("apart", ["1 millisecond", "0"], ids=["one after the other", "all at one moment"])
async def test_what_is_due_is_found_without_reading_what_waits(database: Database, apart: str) -> None:
    connection = await asyncpg.connect(database.admin)
    try:
        await connection.execute("SET search_path TO ticketing, public; SET session_replication_role TO replica")
        await connection.execute("TRUNCATE intent, client")
        clients = [(tenant, str(tenant)) for tenant in TENANTS]
        await connection.executemany("INSERT INTO client (tenant_id, name, sequence) VALUES ($1, $2, 1)", clients)
        for tenant in TENANTS:
            await _add(connection, tenant, "done", "live", 60)
        await connection.execute("ANALYZE intent, client")  # what a quiet day leaves: nothing waits
        for lane in ("live", "bulk"):
            await _add(connection, TENANTS[0], "pending", lane, WAITING, apart)

        plan = await _plan(connection)
    finally:
        await connection.close()

    assert plan["Actual Rows"] == 2 * PER_TENANT
    assert sum(_touched(node) for node in _nodes(plan)) <= AT_MOST


async def _add(  # noqa: PLR0917 - what tells one row from another
    connection: asyncpg.Connection, tenant: UUID, state: str, lane: str, count: int, apart: str = "1 second"
) -> None:
    interval = await connection.fetchval("SELECT $1::text::interval", apart)
    await connection.execute(ADDED, f"{lane}-{state}-{tenant}-", tenant, state, lane, interval, count)


async def _plan(connection: asyncpg.Connection) -> Mapping[str, Any]:
    """Return the plan that a pooled connection comes to, and what it did: one for all parameters."""
    await connection.execute("SET plan_cache_mode TO force_generic_plan")
    await connection.execute(f"PREPARE due (timestamptz, integer) AS {DUE}")
    told = await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE due (now(), {PER_TENANT})")
    plan: Mapping[str, Any] = json.loads(told)[0]["Plan"]
    return plan


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _touched(node: Mapping[str, Any]) -> float:
    """Return how many rows a node gave and threw away, over all its loops."""
    thrown = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
    return float((node["Actual Rows"] + thrown) * node["Actual Loops"])
