"""What falls due is found by an index on the moment, not by looking through what is owed."""

from datetime import timedelta

import asyncpg

from services.compliance import store_timers
from tests.builders import ACME, NOON
from tests.parts import Database

MANY = """
    INSERT INTO obligation (asset_id, requirement_id, tenant_id, product, train, os_family, tier, severity, state, why,
                            since_at, next_change_at, failures, moments)
    SELECT md5(n::text)::uuid, md5('one')::uuid, $1, 'p', 't', 'windows', 'server', 'critical', 'MISSING_IN_SLA', '',
           $2::timestamptz, $2::timestamptz + n * interval '1 minute', 0, '{}'
    FROM generate_series(-4, 5000) AS n
"""


async def test_what_is_due_is_found_by_the_index_on_its_moment(database: Database) -> None:
    owner = await asyncpg.connect(database.admin)  # statistics are the owner's to gather
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("SET LOCAL search_path = compliance")
    await owner.execute(MANY, ACME, NOON)
    await owner.execute("ANALYZE obligation")

    plan = await owner.fetchval(f"EXPLAIN (FORMAT json) {store_timers.DUE}", NOON, 500)
    found = await store_timers.due(owner, NOON, 500)

    await transaction.rollback()
    await owner.close()
    assert "obligation_next_change" in plan
    assert [each.at for each in found] == [NOON + timedelta(minutes=n) for n in range(-4, 1)]
