"""Batches of raw deliveries on a real database: done once, repeated, late, beside a bad one; quarantine; counters."""

import json
from collections.abc import AsyncIterator, Sequence
from functools import partial

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis import outbox
from chassis.batch import REPLAY_GROUP
from chassis.postgres import Pool, open_pool, transaction
from contracts.envelope import Envelope, decode
from contracts.events import rmm
from contracts.raw import RawDelivery
from services.gateway import vendors
from services.gateway.translation import rules_translate
from services.gateway.translation.parked import release
from services.gateway.translation.translate import Translate
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON, SOURCE, delivery, ninjaone_activity, raw_batch_of
from tests.parts import Database

INSTALL_FAILED = "PATCH_MANAGEMENT_INSTALL_FAILED"
OTHER_SOURCE = "rmm/ninjaone/other"
TABLES = (
    "translated, parked, device_organisation, flow, unknown_code, source_health, outbox, client_mapping, client, "
    "source_secret, data_key, poll_state, poll_snapshot, source"
)


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


@pytest.fixture
async def admin(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = gateway")
    yield connection
    await connection.close()


@pytest.fixture(autouse=True)
async def two_clients(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await empty(admin)


async def empty(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await admin.execute(f"TRUNCATE {TABLES}")
    for source in (SOURCE, OTHER_SOURCE):
        await admin.execute(
            "INSERT INTO source (source_id, vendor, name, scheme, header_name, added_at) "
            "VALUES ($1, 'ninjaone', $2, 'static-header', 'x-secret', now())",
            source,
            source.rpartition("/")[2],
        )
    for tenant, name in ((ACME, "Acme"), (BIRCH, "Birch")):
        await admin.execute("INSERT INTO client VALUES ($1, $2, 'UTC', NULL, NULL, now(), now())", tenant, name)
    await admin.execute("INSERT INTO client_mapping VALUES ($1, '17', NULL, $2, NULL, NULL)", SOURCE, ACME)


async def handle(pool: Pool, deliveries: Sequence[RawDelivery]) -> list[str]:
    """Handle one batch and return the reasons of what was refused."""
    translate = Translate(partial(vendors.translated, by_vendor=vendors.adapters()))
    batch = raw_batch_of(deliveries)
    async with transaction(pool) as tx:
        await translate.on_batch(tx, batch)
    return [reason for _, reason in batch.refused]


async def published(pool: Pool) -> list[tuple[str, Envelope]]:
    """Return what stands in the outbox, with its keys, in order."""
    rows = await pool.fetch("SELECT topic, key, headers, value FROM outbox ORDER BY id")
    assert {row["topic"] for row in rows} <= {"rmm.events"}
    return [(row["key"].decode(), decode(outbox.headers_of(row["headers"]), row["value"])) for row in rows]


async def flow(pool: Pool) -> dict[str, int]:
    """Return the sums of all counters that are not zero."""
    row = await pool.fetchrow(
        "SELECT sum(deliveries) AS deliveries, sum(translated) AS translated, sum(duplicate) AS duplicate, "
        "sum(parked) AS parked, sum(dead_lettered) AS dead_lettered, sum(quarantined) AS quarantined, "
        "sum(unknown) AS unknown, sum(ignored) AS ignored, sum(events) AS events, "
        "sum(events_duplicate) AS events_duplicate, sum(events_parked) AS events_parked, "
        "sum(events_released) AS events_released FROM flow"
    )
    assert row is not None
    return {name: int(value) for name, value in row.items() if value}


def failed(number: int = 1, **changed: object) -> RawDelivery:
    return delivery(ninjaone_activity(INSTALL_FAILED, number=number, **changed))  # type: ignore[arg-type]  # a body


async def test_a_delivery_becomes_an_event_of_its_client(pool: Pool) -> None:
    raw = failed()

    assert await handle(pool, [raw]) == []

    [(key, event)] = await published(pool)
    assert key == f"{SOURCE}/4821"
    assert (event.tenant, event.source, event.subject) == (ACME, SOURCE, "4821")
    assert (event.causation, event.received, event.time) == (raw.raw_id, NOON, NOON.replace(microsecond=250_000))
    assert isinstance(event.data, rmm.PatchInstallFailed)
    assert await flow(pool) == {"deliveries": 1, "translated": 1, "events": 1}


async def test_a_repeated_delivery_changes_nothing(pool: Pool) -> None:
    await handle(pool, [failed()])
    await handle(pool, [failed(), failed()])

    assert len(await published(pool)) == 1
    assert await flow(pool) == {
        "deliveries": 3,
        "translated": 1,
        "duplicate": 2,
        "events": 1,
        "events_duplicate": 2,
    }


async def test_a_repetition_within_one_batch_is_one_event(pool: Pool) -> None:
    await handle(pool, [failed(), failed()])

    assert len(await published(pool)) == 1
    assert (await flow(pool))["duplicate"] == 1


async def test_a_late_delivery_is_an_event_of_its_time_and_moves_no_device_back(pool: Pool) -> None:
    moved = failed(1, at=NOON, device={"organizationId": 17})
    late = delivery(
        ninjaone_activity(INSTALL_FAILED, number=2, at=NOON - HOUR, device={"organizationId": 99}),
        received=NOON + HOUR,
    )
    silent = delivery(ninjaone_activity("SYSTEM_REBOOTED", number=3, device={"organizationId": None}))

    await handle(pool, [moved])
    await handle(pool, [late])
    await handle(pool, [silent])

    assert [event.tenant for _, event in await published(pool)] == [ACME, ACME]
    assert await pool.fetchval("SELECT count(*) FROM parked") == 1


async def test_a_bad_neighbour_takes_nobody_along(pool: Pool) -> None:
    reasons = await handle(pool, [failed(1), delivery(b"<html>"), failed(2), delivery({"id": 10**400})])

    assert [reason.split(":")[0] for reason in reasons] == ["body", "id"]
    assert len(await published(pool)) == 2
    assert await flow(pool) == {"deliveries": 4, "translated": 2, "dead_lettered": 2, "events": 2}


async def test_a_copy_of_what_was_refused_is_no_second_dead_letter(pool: Pool) -> None:
    bad, other = delivery(b"<html>"), delivery(b"<html>")

    together = await handle(pool, [bad, bad, other])
    later = await handle(pool, [bad, failed(1), other])

    assert len(together) == 2, "equal bodies of two deliveries are two facts"
    assert later == []
    assert await flow(pool) == {"deliveries": 6, "translated": 1, "dead_lettered": 2, "duplicate": 3, "events": 1}


async def test_what_was_replayed_and_is_still_bad_is_refused_again(pool: Pool) -> None:
    bad = delivery(b"<html>")
    await handle(pool, [bad])

    batch = raw_batch_of([bad])
    batch.items[0].record.headers.append((REPLAY_GROUP, b"gateway"))  # type: ignore[attr-defined]  # a list here
    async with transaction(pool) as tx:
        await Translate(partial(vendors.translated, by_vendor=vendors.adapters())).on_batch(tx, batch)

    assert len(batch.refused) == 1


async def test_what_is_known_of_a_device_places_an_event_that_names_only_it(pool: Pool) -> None:
    unplaced = delivery(ninjaone_activity("SYSTEM_REBOOTED", number=2, device={"organizationId": None}))

    await handle(pool, [failed(1)])
    await handle(pool, [unplaced])

    assert [event.tenant for _, event in await published(pool)] == [ACME, ACME]


async def test_one_batch_may_place_its_own_events(pool: Pool) -> None:
    unplaced = delivery(ninjaone_activity("SYSTEM_REBOOTED", number=2, device={"organizationId": None}))

    await handle(pool, [unplaced, failed(1)])

    assert len(await published(pool)) == 2


@pytest.mark.parametrize(
    ("organisation", "reason"), [(99, "no client"), (18, "two clients"), (None, "no organisation")]
)
async def test_what_nobody_or_two_own_is_parked_and_counted(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]", organisation: int | None, reason: str
) -> None:
    for tenant, start in ((ACME, None), (BIRCH, NOON - HOUR)):
        await admin.execute("INSERT INTO client_mapping VALUES ($1, '18', NULL, $2, $3, NULL)", SOURCE, tenant, start)

    await handle(pool, [failed(device={"organizationId": organisation})])

    assert await published(pool) == []
    assert await pool.fetchval("SELECT reason FROM parked") == reason
    assert await flow(pool) == {"deliveries": 1, "parked": 1, "events_parked": 1}


async def test_a_mapping_releases_what_waited_for_it_in_order(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    waiting = [failed(number, device={"organizationId": 99, "id": 4821}) for number in (3, 1, 2)]
    await handle(pool, [*waiting, failed(4, device={"organizationId": 98})])
    assert await release(pool) == 0

    await admin.execute("INSERT INTO client_mapping VALUES ($1, '99', NULL, $2, NULL, NULL)", SOURCE, BIRCH)

    assert await release(pool) == 3
    assert await release(pool) == 0
    events = await published(pool)
    assert [event.causation for _, event in events] == [each.raw_id for each in waiting]
    assert {(key, event.tenant) for key, event in events} == {(f"{SOURCE}/4821", BIRCH)}
    assert await pool.fetchval("SELECT count(*) FROM parked") == 1
    assert (await flow(pool))["events_released"] == 3


async def test_a_released_event_is_not_parked_again(pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await handle(pool, [failed(device={"organizationId": 99})])
    await handle(pool, [failed(device={"organizationId": 99})])
    await admin.execute("INSERT INTO client_mapping VALUES ($1, '99', NULL, $2, NULL, NULL)", SOURCE, BIRCH)
    await release(pool)

    await handle(pool, [failed(device={"organizationId": 99})])

    assert len(await published(pool)) == 1
    assert (await flow(pool))["duplicate"] == 2


async def test_a_mapping_of_another_time_releases_nothing(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await handle(pool, [failed(device={"organizationId": 99})])

    await admin.execute("INSERT INTO client_mapping VALUES ($1, '99', NULL, $2, $3, NULL)", SOURCE, BIRCH, NOON + HOUR)

    assert await release(pool) == 0


async def test_what_two_own_waits_until_one_does_and_holds_nobody_up(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await handle(pool, [failed(1, device={"organizationId": 98}), failed(2, device={"organizationId": 99})])
    for organisation, tenant, start in (("98", ACME, None), ("98", BIRCH, NOON - HOUR), ("99", BIRCH, None)):
        await admin.execute(
            "INSERT INTO client_mapping VALUES ($1, $2, NULL, $3, $4, NULL)", SOURCE, organisation, tenant, start
        )

    assert await release(pool) == 1

    await admin.execute(
        "UPDATE client_mapping SET valid_to = $1 WHERE organisation = '98' AND valid_from IS NULL", NOON - MINUTE
    )
    assert await release(pool) == 1
    assert [event.tenant for _, event in await published(pool)] == [BIRCH, BIRCH]


async def test_news_of_a_device_releases_what_named_only_it(pool: Pool) -> None:
    unplaced = delivery(ninjaone_activity("SYSTEM_REBOOTED", number=2, device={"organizationId": None}))
    await handle(pool, [unplaced])

    await handle(pool, [failed(1)])

    assert await release(pool) == 1
    assert {event.tenant for _, event in await published(pool)} == {ACME}


async def test_a_new_device_event_is_no_later_client_of_an_older_event(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await admin.execute("UPDATE client_mapping SET valid_to = $1", NOON)
    await admin.execute("INSERT INTO client_mapping VALUES ($1, '17', NULL, $2, $3, NULL)", SOURCE, BIRCH, NOON)

    await handle(pool, [failed(1, at=NOON - MINUTE), failed(2, at=NOON + MINUTE)])

    assert [event.tenant for _, event in await published(pool)] == [ACME, BIRCH]


async def test_unknown_codes_are_kept_verbatim_and_counted_once_each(pool: Pool) -> None:
    first, second = (delivery(ninjaone_activity("NEW_CODE", number=number)) for number in (1, 2))

    await handle(pool, [first])
    await handle(pool, [first, second])

    rows = await pool.fetch("SELECT source, code, count, first_raw_id FROM unknown_code")
    assert [tuple(row) for row in rows] == [(SOURCE, "PATCH_MANAGEMENT.NEW_CODE", 2, first.raw_id)]
    assert await flow(pool) == {"deliveries": 3, "unknown": 2, "duplicate": 1, "events_duplicate": 1}


async def test_a_known_code_without_an_event_is_ignored(pool: Pool) -> None:
    await handle(pool, [delivery(ninjaone_activity("PATCH_MANAGEMENT_SCAN_STARTED"))])

    assert await flow(pool) == {"deliveries": 1, "ignored": 1}


async def test_a_mostly_bad_source_is_quarantined_and_the_others_go_on(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    garbage = [delivery(b"<html>") for _ in range(rules_translate.MOST_BAD + 1)]
    await admin.execute("INSERT INTO client_mapping VALUES ($1, '17', NULL, $2, NULL, NULL)", OTHER_SOURCE, BIRCH)
    other = delivery(ninjaone_activity(INSTALL_FAILED), source=OTHER_SOURCE)

    reasons = await handle(pool, [*garbage, failed(1), other])

    assert reasons[-1] == rules_translate.QUARANTINED_REASON
    assert [event.source for _, event in await published(pool)] == [OTHER_SOURCE]
    row = await pool.fetchrow("SELECT quarantined_at, quarantine_reason FROM source WHERE source_id = $1", SOURCE)
    assert row is not None
    assert row["quarantined_at"] == NOON + HOUR
    assert "more than 100 of its last 200" in row["quarantine_reason"]
    assert await handle(pool, [failed(2)]) == [rules_translate.QUARANTINED_REASON]
    assert (await flow(pool))["quarantined"] == 2


async def test_a_released_source_starts_with_a_good_name(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await handle(pool, [delivery(b"") for _ in range(rules_translate.MOST_BAD + 1)])
    await admin.execute("UPDATE source SET quarantined_at = NULL, quarantine_reason = NULL")

    assert await handle(pool, [delivery(b""), failed(1)]) == [
        "body: not JSON in UTF-8: EOF while parsing a value at line 1 column 0"
    ]

    assert len(await published(pool)) == 1


async def test_bad_records_are_remembered_from_batch_to_batch(pool: Pool) -> None:
    for _ in range(3):
        await handle(pool, [delivery(b"") for _ in range(34)])

    assert await pool.fetchval("SELECT quarantined_at IS NOT NULL FROM source WHERE source_id = $1", SOURCE)
    assert await pool.fetchval("SELECT count(*) FROM source_health") == 0


async def test_good_records_clear_a_source_again(pool: Pool) -> None:
    await handle(pool, [delivery(b"")])
    assert await pool.fetchval("SELECT recent FROM source_health") == "1"

    await handle(pool, [delivery(ninjaone_activity("NODE_UPDATED", number=number)) for number in range(200)])

    assert await pool.fetchval("SELECT count(*) FROM source_health") == 0


async def test_a_batch_of_many_events_in_one_body_counts_as_one_delivery(pool: Pool) -> None:
    told = [{"type": "device.online", "data": {"device": str(number), "organisation": "17"}} for number in range(3)]
    raw = delivery({"events": [*told, {"type": "device.online", "data": {}}]}, vendor="patchline", source=SOURCE)

    [reason] = await handle(pool, [raw])

    assert reason.startswith("events.3.data.device")
    assert len(await published(pool)) == 3
    assert await flow(pool) == {"deliveries": 1, "dead_lettered": 1, "events": 3}


CODES = ("SYSTEM_REBOOTED", "NODE_UPDATED", INSTALL_FAILED, "NEW_CODE", "PATCH_MANAGEMENT_SCAN_STARTED")
numbers = st.lists(st.integers(0, 9), min_size=1, max_size=25)


@given(numbers, st.integers(1, 5))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_order_and_repetition_is_the_same_set_of_events(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]", order: list[int], batch_size: int
) -> None:
    await empty(admin)
    bodies = {number: json.dumps(ninjaone_activity(CODES[number % 5], number=number)).encode() for number in order}

    for start in range(0, len(order), batch_size):
        await handle(pool, [delivery(bodies[number]) for number in order[start : start + batch_size]])

    expected = {number for number in order if number % 5 < 3}
    assert len(await published(pool)) == len(expected)
    assert await pool.fetchval("SELECT coalesce(sum(count), 0) FROM unknown_code") == len(
        {n for n in order if n % 5 == 3}
    )
    counts = await flow(pool)
    assert counts.pop("deliveries") == len(order)
    assert sum(value for name, value in counts.items() if not name.startswith("events")) == len(order)
