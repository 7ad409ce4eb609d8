"""Agents' reports through translate on a real database: done once, repeated, late, and beside a bad neighbour."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from chassis.postgres import Pool, open_pool
from contracts.events import rmm
from contracts.raw import RawDelivery
from tests.builders import ACME, BIRCH, delivery
from tests.gateway.agent_reports import DEVICE, RECEIVED, SOURCE, json_report, packed, xml_report
from tests.gateway.test_translate import empty, flow, handle, published
from tests.parts import Database

LATER = RECEIVED + timedelta(minutes=5)


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


@pytest.fixture(autouse=True)
async def agents(database: Database) -> None:
    """A source of agents: what has no tag is Acme's, what is tagged `birch` is Birch's."""
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = gateway")
    await empty(admin)
    await admin.execute(
        "INSERT INTO source (source_id, vendor, name, scheme, added_at) "
        "VALUES ($1, 'glpi-agent', 'acme', 'basic', now())",
        SOURCE,
    )
    for organisation, tenant in (("acme", ACME), ("birch", BIRCH)):
        await admin.execute(
            "INSERT INTO client_mapping VALUES ($1, $2, NULL, $3, NULL, NULL)", SOURCE, organisation, tenant
        )
    await admin.close()


def report(body: object, *, received: object = RECEIVED) -> RawDelivery:
    raw = packed(body) if isinstance(body, str) else body
    return delivery(raw, vendor="glpi-agent", source=SOURCE, received=received)  # type: ignore[arg-type]  # a moment


async def test_a_report_becomes_three_events_of_its_client(pool: Pool) -> None:
    assert await handle(pool, [report(xml_report())]) == []

    told = await published(pool)
    assert {key for key, _ in told} == {f"{SOURCE}/{DEVICE}"}
    assert {event.tenant for _, event in told} == {ACME}
    assert {type(event.data) for _, event in told} == {rmm.DeviceUpdated, rmm.DeviceBooted, rmm.ApplicationsListed}
    assert await flow(pool) == {"deliveries": 1, "translated": 1, "events": 3}


async def test_the_same_report_again_is_a_duplicate_and_the_next_one_tells_no_boot_again(pool: Pool) -> None:
    await handle(pool, [report(xml_report()), report(xml_report(), received=LATER)])
    assert len(await published(pool)) == 3

    await handle(pool, [report(xml_report({"accesslog": {"logdate": "2026-11-10 13:04:30"}}), received=LATER)])

    assert len(await published(pool)) == 5
    assert await flow(pool) == {"deliveries": 3, "translated": 2, "duplicate": 1, "events": 5, "events_duplicate": 4}


async def test_a_report_that_comes_late_keeps_the_moment_of_its_receipt(pool: Pool) -> None:
    later = report(json_report({"accesslog": {"logdate": "2026-11-10 13:03:00"}}), received=LATER)
    await handle(pool, [later])

    await handle(pool, [report(json_report())])

    moments = [event.time for _, event in await published(pool) if isinstance(event.data, rmm.ApplicationsListed)]
    assert moments == [LATER, RECEIVED]


async def test_a_bad_neighbour_is_a_dead_letter_alone(pool: Pool) -> None:
    bad = [report(packed(xml_report())[:-9]), report(xml_report(deviceid=None)), report("<!DOCTYPE x><REQUEST/>")]

    refused = await handle(pool, [bad[0], report(xml_report()), *bad[1:]])

    assert len(refused) == 3
    assert len(await published(pool)) == 3
    assert (await flow(pool))["dead_lettered"] == 3


async def test_a_partial_report_without_a_tag_stays_with_its_devices_client(pool: Pool) -> None:
    await handle(pool, [report(json_report(tag="birch"))])

    part = json_report({"accesslog": {"logdate": "2026-11-10 13:04:00"}}, partial=True)
    await handle(pool, [report(part, received=LATER)])

    assert {event.tenant for _, event in await published(pool)} == {BIRCH}
    assert len(await published(pool)) == 5


async def test_another_clients_tag_that_is_not_mapped_is_parked(pool: Pool) -> None:
    await handle(pool, [report(json_report(tag="somebody else"))])

    assert await published(pool) == []
    assert (await flow(pool))["events_parked"] == 3
