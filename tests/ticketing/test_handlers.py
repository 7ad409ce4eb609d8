"""The handler on a real database: it does it, repeats change nothing, late ones too, bad neighbours are refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings

from chassis.batch import Batch
from chassis.postgres import Pool, open_pool, tenant_transaction, transaction
from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from contracts.events.obligation import State
from services.ticketing.handlers import TicketingHandler
from tests.builders import ACME, BIRCH, HOUR, NOON, batch_of, client_changed, event
from tests.parts import Database
from tests.ticketing.findings import (
    REQUIREMENT,
    catalogued,
    failed_again,
    label,
    state_changed,
    uncatalogued,
)
from tests.ticketing.test_rules_fold_histories import histories, repeated_histories

HANDLER = TicketingHandler(look_every=timedelta(seconds=30))
TABLES = ("client", "matter", "standing", "ticket", "ticket_device", "intent", "history")


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    opened = await open_pool(database.writer("ticketing"), application="test")
    yield opened
    opened.terminate()


@pytest.fixture(autouse=True)
async def empty(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = ticketing")
    await connection.execute(f"TRUNCATE {', '.join(TABLES)}, outbox, outbox_pack, aggregate_sequence, merge, merged")
    await connection.close()


async def handle(pool: Pool, *events: Envelope, recorded_at: Any = NOON + HOUR) -> Batch[Envelope]:
    batch = batch_of(events, recorded_at=recorded_at)
    async with transaction(pool) as tx:
        await HANDLER.on_batch(tx, batch)
    return batch


async def rows(pool: Pool, table: str) -> list[dict[str, Any]]:
    """Return a whole table, sorted."""
    found = await pool.fetch(f"SELECT to_jsonb(t) AS row FROM {table} AS t ORDER BY to_jsonb(t)::text")
    return [record["row"] for record in found]


async def everything(pool: Pool) -> dict[str, list[dict[str, Any]]]:
    return {table: await rows(pool, table) for table in TABLES}


async def test_a_failure_becomes_a_ticket_a_listing_and_an_intent(pool: Pool) -> None:
    await handle(pool, state_changed("a", State.FAILED, 1))

    [ticket], [device], [intent] = [await rows(pool, each) for each in ("ticket", "ticket_device", "intent")]
    assert (ticket["state"], ticket["kind"], ticket["subject"]) == ("open", "patch_failed", REQUIREMENT)
    assert (device["label"]["hostname"], device["failures"], device["noted_failures"]) == ("A-PC", 1, None)
    assert (intent["kind"], intent["state"], intent["number"]) == ("open", "pending", 1)


async def test_the_same_batch_again_changes_nothing(pool: Pool) -> None:
    events = [
        state_changed("a", State.FAILED, 1),
        failed_again("a", 2, failures=2),
        state_changed("b", State.FAILED, 1),
        uncatalogued("c", 1),
        client_changed("Acme Dental", sequence=1),
    ]
    await handle(pool, *events)
    before = await everything(pool)

    await handle(pool, *events, recorded_at=NOON + 2 * HOUR)

    assert await everything(pool) == before


async def test_an_event_twice_in_one_batch_counts_once(pool: Pool) -> None:
    failed = state_changed("a", State.FAILED, 1)

    await handle(pool, failed, failed)

    assert len(await rows(pool, "history")) == 1
    assert len(await rows(pool, "intent")) == 1


async def test_what_is_told_once_more_in_other_words_ends_as_it_did(pool: Pool) -> None:
    """Compliance's database was put back: what it tells anew has another id where its events fell otherwise."""
    failed, again = state_changed("a", State.FAILED, 1), state_changed("a", State.FAILED, 3, failures=2)
    proven = state_changed("a", State.VERIFIED, 2, at=NOON + HOUR)
    await handle(pool, failed, proven)

    await handle(pool, again._replace(id=uuid4()), proven._replace(sequence=4))

    [device], [ticket] = await rows(pool, "ticket_device"), await rows(pool, "ticket")
    assert (device["cleared_as"], ticket["state"]) == ("VERIFIED", "resolved")
    pending = sorted(each["kind"] for each in await rows(pool, "intent") if each["state"] == "pending")
    assert pending == ["open", "resolve"]


@pytest.mark.parametrize("both_at_once", [True, False])
async def test_a_failure_told_once_more_in_other_words_stays_one(pool: Pool, *, both_at_once: bool) -> None:
    proven = state_changed("a", State.VERIFIED, 1)
    failed = state_changed("a", State.FAILED, 2, at=NOON + HOUR)
    await handle(pool, proven, failed)
    anew = [proven._replace(id=uuid4(), sequence=3), failed._replace(sequence=4)]

    for events in [anew] if both_at_once else [[each] for each in anew]:
        await handle(pool, *events)

    [device], [ticket] = await rows(pool, "ticket_device"), await rows(pool, "ticket")
    assert (device["cleared_as"], ticket["state"]) == (None, "open")


async def test_the_way_to_where_it_stands_changes_nothing_when_it_is_told_once_more(pool: Pool) -> None:
    failed = state_changed("a", State.FAILED, 1)
    proven = state_changed("a", State.VERIFIED, 2, at=NOON + HOUR)
    await handle(pool, failed, proven)
    before = await everything(pool)

    for anew in (failed._replace(sequence=3), proven._replace(sequence=4)):
        await handle(pool, anew, recorded_at=NOON + 2 * HOUR)

    assert await everything(pool) == before


async def test_a_late_failure_opens_nothing(pool: Pool) -> None:
    await handle(pool, state_changed("a", State.VERIFIED, 9))

    await handle(pool, state_changed("a", State.FAILED, 8))

    assert await rows(pool, "ticket") == []


async def test_a_late_proof_clears_nothing(pool: Pool) -> None:
    await handle(pool, state_changed("a", State.FAILED, 9))

    await handle(pool, state_changed("a", State.VERIFIED, 8))

    [device] = await rows(pool, "ticket_device")
    assert device["cleared_as"] is None


async def test_a_bad_neighbour_is_refused_and_the_others_go_on(pool: Pool) -> None:
    good = state_changed("a", State.FAILED, 1)
    nobody = state_changed("b", State.FAILED, 1, tenant=None)
    unordered = state_changed("c", State.FAILED, 1)._replace(sequence=None)
    nameless = client_changed("Acme Dental", sequence=1)._replace(tenant=None)

    batch = await handle(pool, nobody, unordered, good, nameless)

    assert [reason.split(":")[0] for _, reason in batch.refused] == [
        "ce_tenantid, ce_sequence",
        "ce_tenantid",
        "ce_sequence",
    ]
    assert [each["label"]["device"] for each in await rows(pool, "ticket_device")] == ["a"]
    assert [each["subject"] for each in await rows(pool, "history")] == [label("a").asset]


async def test_the_newest_record_of_a_client_is_kept(pool: Pool) -> None:
    def client(name: str, sequence: int) -> Envelope:
        content = ClientChanged(name=name, zone="Europe/Berlin", psa_company=f"{name} (PSA)")
        return event(content, subject=str(ACME), sequence=sequence)

    await handle(pool, client("third", 3), client("second", 2))
    await handle(pool, client("first", 1))

    [kept] = await rows(pool, "client")
    assert (kept["name"], kept["psa_company"], kept["sequence"]) == ("third", "third (PSA)", 3)


async def test_proof_of_every_device_asks_for_resolution(pool: Pool) -> None:
    await handle(pool, state_changed("a", State.FAILED, 1), state_changed("b", State.FAILED, 1))

    await handle(pool, state_changed("a", State.VERIFIED, 2), state_changed("b", State.RETIRED, 2))

    [ticket] = await rows(pool, "ticket")
    assert ticket["state"] == "resolved"
    assert [each["kind"] for each in await rows(pool, "intent")] == ["open", "resolve"]


async def test_the_catalog_hands_a_ticket_over_to_the_requirement(pool: Pool) -> None:
    await handle(pool, uncatalogued("a", 1), uncatalogued("b", 1))

    await handle(pool, catalogued("a", 2), state_changed("a", State.FAILED, 3), catalogued("b", 2))

    [ticket] = await rows(pool, "ticket")
    assert (ticket["kind"], ticket["adopted_by"]) == ("failed_uncatalogued", REQUIREMENT)
    assert {each["ticket_key"] for each in await rows(pool, "matter")} == {ticket["ticket_key"]}
    assert len(await rows(pool, "ticket_device")) == 2


@pytest.mark.parametrize("is_one_batch", [True, False])
async def test_a_device_stays_listed_for_a_patch_that_is_unknown_there(pool: Pool, *, is_one_batch: bool) -> None:
    await handle(pool, uncatalogued("a", 1), uncatalogued("b", 1))
    told = [catalogued("b", 2), state_changed("a", State.VERIFIED, 2)]

    for batch in [told] if is_one_batch else [[each] for each in told]:
        await handle(pool, *batch)

    assert [each["cleared_as"] for each in await rows(pool, "ticket_device")] == [None, None]


async def test_an_intent_that_is_under_way_keeps_its_lease(pool: Pool) -> None:
    await handle(pool, state_changed("a", State.FAILED, 1))
    lease_ends = NOON + 5 * HOUR
    await pool.execute("UPDATE intent SET state = 'leased', due_at = $1", lease_ends)

    await handle(pool, state_changed("b", State.FAILED, 1))

    assert await pool.fetchval("SELECT due_at FROM intent") == lease_ends


async def test_an_intent_whose_words_are_fixed_is_followed_by_another(pool: Pool) -> None:
    await handle(pool, state_changed("a", State.FAILED, 1))
    await pool.execute("UPDATE intent SET state = 'leased', plan = '{}'")

    await handle(pool, state_changed("b", State.FAILED, 1), state_changed("c", State.FAILED, 1))

    intents = sorted((each["number"], each["kind"]) for each in await rows(pool, "intent"))
    assert intents == [(1, "open"), (2, "append")]


async def test_two_consumers_open_one_ticket_for_the_same_failure(pool: Pool) -> None:
    devices = [f"d{number}" for number in range(20)]

    await asyncio.gather(*(handle(pool, state_changed(device, State.FAILED, 1)) for device in devices))

    assert len(await rows(pool, "ticket")) == 1
    assert len(await rows(pool, "ticket_device")) == 20


async def test_a_storm_of_one_device_leaves_one_intent(pool: Pool) -> None:
    await handle(pool, state_changed("a", State.FAILED, 1))

    for start in range(2, 3002, 1000):
        await handle(pool, *(failed_again("a", n, failures=n) for n in range(start, start + 1000)))

    [device] = await rows(pool, "ticket_device")
    assert (device["failures"], len(await rows(pool, "intent"))) == (3001, 1)


async def test_a_reader_sees_its_own_clients_only(pool: Pool, database: Database) -> None:
    await handle(pool, state_changed("a", State.FAILED, 1), state_changed("b", State.FAILED, 1, tenant=BIRCH))
    reader = await open_pool(database.reader, size=1, application="test")

    async with tenant_transaction(reader, [BIRCH]) as tx:
        seen = [
            set(await tx.fetch(f"SELECT tenant_id FROM ticketing.{table}")) for table in TABLES if table != "client"
        ]
    async with transaction(reader) as tx:
        unset = await tx.fetch("SELECT FROM ticketing.ticket")

    reader.terminate()
    assert all({row["tenant_id"] for row in each} == {BIRCH} for each in seen)
    assert unset == []


ON_A_DATABASE = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@given(pair=repeated_histories())
@ON_A_DATABASE
async def test_any_repetition_of_events_gives_the_same_rows(
    pool: Pool, database: Database, pair: tuple[list[Envelope], list[Envelope]]
) -> None:
    history, repeated = pair
    await truncated(database)
    await handle(pool, *history)
    once = await everything(pool)
    await truncated(database)

    for each in repeated:
        await handle(pool, each)

    assert _without_withdrawn(await everything(pool)) == _without_withdrawn(once)


def _without_withdrawn(kept: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Leave out acts that were withdrawn before the worker saw them: in one batch they are never written down."""
    return {**kept, "intent": [each for each in kept["intent"] if each["state"] != "done"]}


@given(history=histories())
@ON_A_DATABASE
async def test_what_is_loaded_again_is_what_was_saved(
    pool: Pool, database: Database, history: Sequence[Envelope]
) -> None:
    await truncated(database)
    for each in history:
        await handle(pool, each)
    before = await everything(pool)

    await handle(pool, *history)

    assert await everything(pool) == before


async def truncated(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = ticketing")
    await connection.execute(f"TRUNCATE {', '.join(TABLES)}, outbox, outbox_pack, aggregate_sequence, merge, merged")
    await connection.close()
