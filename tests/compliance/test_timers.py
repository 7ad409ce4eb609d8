"""What becomes true because time passed."""

import asyncio
import json

from contracts import ids
from contracts.events.event import Tier
from contracts.events.obligation import ObligationStateChanged, State
from services.compliance import store_timers
from tests.compliance.house import House, asset_changed, with_release
from tests.compliance.stories import (
    DEC_BUILD,
    JANUARY_AT,
    SERVER_2022,
    A,
    booted,
    gone,
    hour,
    listed,
    read,
    reported,
    scanned,
)

LACKING = (asset_changed(build=DEC_BUILD), scanned(-1), read(-1, DEC_BUILD), listed(0))


async def test_what_is_lacking_becomes_overdue_at_its_deadline(house: House) -> None:
    await house.hear(*LACKING)
    before = await house.state()

    await house.pass_time(13)

    due_at = hour(22)
    assert (before, await house.state()) == ("MISSING_IN_SLA", "MISSING_OVERDUE")
    event = (await house.published())[-1]
    subject = f"{ids.asset_id(A, 'dc01')}/{ids.requirement_id(SERVER_2022.name, 'cumulative')}"
    assert event.id == ids.timer_fact_id(subject, ObligationStateChanged.TYPE, due_at)
    assert (event.time, event.causation) == (due_at, None)


async def test_ringing_again_changes_nothing(house: House) -> None:
    await house.hear(*LACKING)
    await house.pass_time(13)
    before = await house.everything(), await house.published()

    await house.settle()

    assert (await house.everything(), await house.published()) == before


async def test_a_timer_that_rings_late_tells_the_moment_that_passed(house: House) -> None:
    await house.hear(*LACKING)

    await house.pass_time(100)

    [row] = await house.rows("SELECT occurred_at, recorded_at FROM obligation_history WHERE state = 'MISSING_OVERDUE'")
    assert (row["occurred_at"], row["recorded_at"]) == (hour(22), hour(110))


async def test_what_was_proven_meanwhile_does_not_become_overdue(house: House) -> None:
    await house.hear(*LACKING)
    await house.hear(reported(1), booted(2), gone(3))

    await house.pass_time(24)

    assert await house.state() == "VERIFIED"


async def test_two_weeks_after_the_last_scan_nobody_knows(house: House) -> None:
    await house.hear(asset_changed(tier=Tier.DO_NOT_DISRUPT), listed(0))

    await house.pass_time(24 * 14)

    assert await house.state() == "STALE"
    assert (await house.told(ObligationStateChanged))[-1].state is State.STALE
    await house.hear(scanned(24 * 14))
    assert await house.state() == "MISSING_OVERDUE"


async def test_a_scan_that_changes_nothing_writes_nothing_and_the_timer_goes_on(house: House) -> None:
    await house.hear(asset_changed(tier=Tier.DO_NOT_DISRUPT), listed(0))
    version = "SELECT xmin::text AS version, next_change_at FROM obligation"
    before = await house.rows(version)

    await house.hear(scanned(24))
    same = await house.rows(version)
    await house.pass_time(24 * 14)
    [rung] = await house.rows("SELECT state, next_change_at FROM obligation")
    await house.pass_time(24)

    assert same == before
    assert (rung["state"], rung["next_change_at"]) == ("MISSING_OVERDUE", hour(24 * 15))
    assert await house.state() == "STALE"


async def test_a_release_in_the_catalogs_future_is_owed_from_its_first_second(house: House) -> None:
    await house.load_catalog(with_release("Windows Server 2022", kb="5051979", released_at="2025-02-11T18:00:00Z"))
    await house.hear(asset_changed(), listed(0), reported(1), booted(2), gone(3))
    before = await house.state()
    await house.hear(scanned(24 * 27))

    await house.pass_time(24 * 28)

    assert (before, await house.state()) == ("VERIFIED", "MISSING_IN_SLA")


async def test_the_few_that_are_due_are_found_by_their_index_among_many(house: House) -> None:
    many = "SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'p', 't', 'windows', 'server', 'low',"
    await house.rows(
        "INSERT INTO obligation (asset_id, requirement_id, tenant_id, product, train, os_family, tier, severity, state,"
        f" why, since_at, next_change_at, failures, moments) {many} 'MISSING_IN_SLA', '', now(),"
        " now() + make_interval(hours => n), 0, '{}' FROM generate_series(1, 20000) AS n"
    )
    await house.rows("ANALYZE obligation")

    plan = await house.rows("EXPLAIN (FORMAT JSON) " + store_timers.DUE.replace("$1", "now()").replace("$2", "500"))

    text = json.dumps(plan)
    assert "obligation_next_change" in text
    assert "Seq Scan" not in text


async def test_an_asset_that_a_batch_holds_is_left_for_the_next_ring(house: House) -> None:
    await house.hear(*LACKING)
    house.now = hour(30)
    async with house.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT * FROM asset FOR UPDATE")

        async with asyncio.timeout(5):
            has_more = await house.timers.ring()

    assert has_more is False
    assert await house.state() == "MISSING_IN_SLA"
    await house.timers.ring()
    assert await house.state() == "MISSING_OVERDUE"
    assert hour(22) - JANUARY_AT == hour(24) - hour(0)
