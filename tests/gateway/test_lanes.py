"""Live and bulk at the gateway: they part at the door and at the poll, and stay apart through `translate`."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial

import asyncpg
import pytest

from chassis.postgres import Pool, open_pool, transaction
from contracts.envelope import Envelope, decode
from contracts.events.rmm import DeviceBooted, PatchInstallFailed
from contracts.raw import RawDelivery
from contracts.topics import RMM_RAW_BULK, Lane
from services.gateway import vendors
from services.gateway.rules_lanes import LIVE_FAILURES, MOST_RELEASED_LIVE, Rate
from services.gateway.translation.parked import release
from services.gateway.translation.translate import Translate
from tests.builders import ACME, HOUR, NOON, SOURCE, delivery, ninjaone_activity, raw_batch_of
from tests.gateway.doors import SIGNING, SOURCES, OpenDoor, header, open_door, raw_topic, signed
from tests.parts import Database
from tests.waiting import messages_in

BODY = b'{"type":"device.seen"}'
BULK = f"{SIGNING}/bulk"
BOTH = {**SOURCES, BULK: replace(SOURCES[SIGNING], lane=Lane.BULK)}
INSTALL_FAILED = "PATCH_MANAGEMENT_INSTALL_FAILED"


async def post(door: OpenDoor, path: str, name: str) -> int:
    answer = await door.client.post(path, content=BODY, headers=signed(BODY, delivery=name))
    return answer.status_code


async def test_what_comes_by_the_bulk_route_is_bulk_and_believed_no_easier(kafka: str) -> None:
    async with (
        open_door(kafka, sources=BOTH) as door,
        raw_topic(kafka) as live,
        raw_topic(kafka, "rmm.raw.bulk") as bulk,
    ):
        assert await post(door, BULK, "msg_bulk") == 202
        assert await post(door, SIGNING, "msg_live") == 202
        forged = await door.client.post(BULK, content=BODY, headers=signed(b"other", delivery="msg_forged"))
        nobody = await door.client.post("/webhooks/rmm/patchline/none/bulk", content=BODY, headers=signed(BODY))

        assert [header(record, "delivery") for record in await bulk.standing()] == ["msg_bulk"]
        assert [header(record, "delivery") for record in await live.standing()] == ["msg_live"]
        assert (forged.status_code, nobody.status_code) == (401, 401)


async def test_what_exceeds_a_sources_rate_is_bulk_and_the_next_source_stays_live(kafka: str) -> None:
    other = "/webhooks/rmm/patchline/other"
    sources = {**SOURCES, other: replace(SOURCES[SIGNING], source_id="rmm/patchline/other")}
    door_ = open_door(kafka, sources=sources, rate=Rate(0.001, 3))
    async with door_ as door, raw_topic(kafka) as live, raw_topic(kafka, RMM_RAW_BULK.name) as bulk:
        for number in range(5):
            assert await post(door, SIGNING, f"msg_{number}") == 202
        assert await post(door, other, "msg_other") == 202

        assert {header(record, "delivery") for record in await live.standing()} == {
            "msg_0",
            "msg_1",
            "msg_2",
            "msg_other",
        }
        assert {header(record, "delivery") for record in await bulk.standing()} == {"msg_3", "msg_4"}


async def test_a_source_with_a_rate_of_its_own_keeps_to_that(kafka: str) -> None:
    sources = {SIGNING: replace(SOURCES[SIGNING], rate=Rate(0.001, 1))}
    async with open_door(kafka, sources=sources) as door, raw_topic(kafka, RMM_RAW_BULK.name) as bulk:
        await asyncio.gather(*(post(door, SIGNING, f"msg_{number}") for number in range(3)))

        assert len(await bulk.standing()) == 2


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


@pytest.fixture
async def admin(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """An administrator of a gateway that knows one source and one client, whose organisation 17 is not mapped yet."""
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = gateway")
    await connection.execute(
        "TRUNCATE source, client CASCADE; TRUNCATE translated, parked, device_organisation, flow, outbox, outbox_pack"
    )
    await connection.execute(
        "INSERT INTO source (source_id, vendor, name, scheme, header_name, added_at) "
        "VALUES ($1, 'ninjaone', 'main', 'static-header', 'x-secret', now())",
        SOURCE,
    )
    await connection.execute("INSERT INTO client VALUES ($1, 'Acme', 'UTC', NULL, NULL, now(), now())", ACME)
    yield connection
    await connection.close()


async def mapped(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    await admin.execute("INSERT INTO client_mapping VALUES ($1, '17', NULL, $2, NULL, NULL)", SOURCE, ACME)


async def handle(pool: Pool, lane: Lane, deliveries: Sequence[RawDelivery]) -> list[str]:
    """Handle one batch of a lane and return the reasons of what was refused."""
    return await handled(pool, translating(lane), deliveries)


def translating(lane: Lane) -> Translate:
    return Translate(partial(vendors.translated, by_vendor=vendors.adapters()), lane)


async def handled(pool: Pool, translate: Translate, deliveries: Sequence[RawDelivery]) -> list[str]:
    batch = raw_batch_of(deliveries)
    async with transaction(pool) as tx:
        await translate.on_batch(tx, batch)
    return [reason for _, reason in batch.refused]


async def published(pool: Pool) -> list[tuple[str, str, Envelope]]:
    """Return what stands in the outbox with its topic and key, in order."""
    return [
        (topic, (each.key or b"").decode(), decode(each.headers, each.value)) for topic, each in await messages_in(pool)
    ]


def failed(number: int = 1, **changed: object) -> RawDelivery:
    return delivery(ninjaone_activity(INSTALL_FAILED, number=number, **changed))  # type: ignore[arg-type]  # a body


async def test_bulk_becomes_bulk_events_with_the_keys_of_live_ones(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await mapped(admin)

    assert await handle(pool, Lane.BULK, [failed(1)]) == []
    assert await handle(pool, Lane.LIVE, [failed(2)]) == []

    [(bulk_topic, bulk_key, bulk), (live_topic, live_key, live)] = await published(pool)
    assert (bulk_topic, live_topic) == ("rmm.events.bulk", "rmm.events")
    assert bulk_key == live_key == f"{SOURCE}/4821"
    assert (bulk.lane, live.lane) == (Lane.BULK, Lane.LIVE)


async def test_a_storm_of_one_clients_failures_goes_on_in_bulk_and_its_other_events_stay_live(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await mapped(admin)
    storm, translate = LIVE_FAILURES.burst + 3, translating(Lane.LIVE)

    booted = delivery(ninjaone_activity("SYSTEM_REBOOTED", number=storm))
    deliveries = [*(failed(number) for number in range(storm)), booted]
    for first in range(0, len(deliveries), 20):
        assert await handled(pool, translate, deliveries[first : first + 20]) == []

    events = [(topic, event) for topic, _, event in await published(pool)]
    assert Counter((topic, event.data.TYPE) for topic, event in events) == {
        ("rmm.events", PatchInstallFailed.TYPE): LIVE_FAILURES.burst,
        ("rmm.events.bulk", PatchInstallFailed.TYPE): 3,
        ("rmm.events", DeviceBooted.TYPE): 1,
    }
    assert all((event.lane is Lane.BULK) == topic.endswith(".bulk") for topic, event in events)


async def test_an_event_that_came_by_the_other_lane_is_a_repeat(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await mapped(admin)
    await handle(pool, Lane.LIVE, [failed(1)])

    await handle(pool, Lane.BULK, [failed(1), failed(2), failed(2)])
    await handle(pool, Lane.LIVE, [failed(2)])

    assert [topic for topic, _, _ in await published(pool)] == ["rmm.events", "rmm.events.bulk"]
    assert await pool.fetchval("SELECT sum(duplicate) FROM flow") == 3


async def test_a_late_delivery_in_bulk_is_an_event_of_its_time(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await mapped(admin)

    await handle(pool, Lane.BULK, [delivery(ninjaone_activity(INSTALL_FAILED, at=NOON - 900 * HOUR), received=NOON)])

    [(_, _, event)] = await published(pool)
    assert event.time.replace(microsecond=0) == NOON - 900 * HOUR


async def test_a_bad_neighbour_in_bulk_takes_nobody_along(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await mapped(admin)

    reasons = await handle(pool, Lane.BULK, [failed(1), delivery(b"<html>"), failed(2)])

    assert len(reasons) == 1
    assert [topic for topic, _, _ in await published(pool)] == ["rmm.events.bulk"] * 2


async def test_released_events_go_on_in_the_lane_they_came_by(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await handle(pool, Lane.BULK, [failed(1)])
    await handle(pool, Lane.LIVE, [failed(2)])
    assert await published(pool) == []
    await mapped(admin)

    assert await release(pool) == 2

    assert [(topic, event.tenant) for topic, _, event in await published(pool)] == [
        ("rmm.events", ACME),
        ("rmm.events.bulk", ACME),
    ]


async def test_of_many_released_at_once_the_most_go_to_bulk(
    pool: Pool, admin: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    many = MOST_RELEASED_LIVE + 400
    await handle(pool, Lane.LIVE, [failed(number) for number in range(many)])
    await mapped(admin)

    assert await release(pool) == many

    topics = [topic for topic, _, _ in await published(pool)]
    assert (topics.count("rmm.events"), topics.count("rmm.events.bulk")) == (MOST_RELEASED_LIVE, 400)
