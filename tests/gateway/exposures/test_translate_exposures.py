"""Batches of what feeds delivered on a real database: done once, repeated, late, beside a bad one, parked, released."""

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from chassis import outbox
from chassis.postgres import Pool, open_pool, transaction
from contracts.envelope import Envelope, decode
from contracts.events.exposure import ApprovalGiven, ExposureFound
from contracts.raw import RawDelivery
from services.gateway.exposures.fingerprint import FingerprintKey
from services.gateway.exposures.redaction import Redaction
from services.gateway.translation.parked import release
from services.gateway.translation.translate_exposures import TranslateExposures
from services.gateway.vendors import exposure_feeds
from tests.builders import HOUR, NOON, delivery, raw_batch_of
from tests.gateway.exposures.bodies import CANARY, notification, spycloud, written
from tests.parts import Database

FEED = "exposure/spycloud/main"
GRAPH = "exposure/graph/main"
REDACTION = Redaction(FingerprintKey(b"f" * 32))
ACME, GLOBEX = uuid4(), uuid4()


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = gateway")
    await admin.execute(
        "TRUNCATE translated, flow, unknown_code, source_health, outbox, refused, parked, exposure_hint, "
        "client_mapping, client, source CASCADE"
    )
    await admin.execute(
        "INSERT INTO source (source_id, vendor, name, scheme, header_name, added_at) "
        "VALUES ($1, 'spycloud', 'main', 'static-header', 'x', $2)",
        FEED,
        NOON,
    )
    for tenant, name in ((ACME, "Acme"), (GLOBEX, "Globex")):
        await admin.execute(
            "INSERT INTO client (tenant_id, name, zone, added_at, changed_at) VALUES ($1, $2, 'Etc/UTC', $3, $3)",
            tenant,
            name,
            NOON,
        )
    await admin.close()
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


async def map_(pool: Pool, tenant: UUID, organisation: str, valid_from: datetime | None = None) -> None:
    await pool.execute(
        "INSERT INTO client_mapping (source_id, organisation, tenant_id, valid_from) VALUES ($1, $2, $3, $4)",
        FEED,
        organisation,
        tenant,
        valid_from,
    )


def of_feed(*records: dict[str, Any], **about: Any) -> RawDelivery:
    body = REDACTION.redacted("spycloud", written({"results": records})).body
    return delivery(body, vendor="spycloud", source=FEED, **about)


async def handle(pool: Pool, *deliveries: RawDelivery) -> list[str]:
    """Handle one batch and return the reasons of what was refused."""
    batch = raw_batch_of(deliveries)
    async with transaction(pool) as tx:
        await TranslateExposures(exposure_feeds.translated).on_batch(tx, batch)
    return [reason for _, reason in batch.refused]


async def published(pool: Pool) -> list[tuple[str, str, Envelope]]:
    rows = await pool.fetch("SELECT topic, key, headers, value FROM outbox ORDER BY id")
    assert not any(CANARY.encode() in row["value"] for row in rows)
    return [
        (row["topic"], row["key"].decode(), decode(outbox.headers_of(row["headers"]), row["value"])) for row in rows
    ]


async def flow(pool: Pool) -> tuple[int, int, int, int, int]:
    row = await pool.fetchrow(
        "SELECT sum(translated)::int, sum(duplicate)::int, sum(parked)::int, sum(dead_lettered)::int, "
        "sum(ignored)::int FROM flow"
    )
    assert row is not None
    return row[0], row[1], row[2], row[3], row[4]


async def test_an_exposure_goes_to_the_client_whose_domain_it_is(pool: Pool) -> None:
    await map_(pool, ACME, "acme.example")
    told = of_feed(spycloud())

    await handle(pool, told)

    [(topic, key, event)] = await published(pool)
    assert (topic, key, event.tenant) == ("exposures", f"{ACME}/bob@acme.example", ACME)
    assert (event.subject, event.source, event.causation) == ("bob@acme.example", FEED, told.raw_id)
    assert isinstance(event.data, ExposureFound)
    assert event.data.fingerprint
    assert event.received == told.received


async def test_the_same_record_again_is_a_duplicate(pool: Pool) -> None:
    await map_(pool, ACME, "acme.example")
    await handle(pool, of_feed(spycloud()))

    await handle(pool, of_feed(spycloud()), of_feed(spycloud(severity=25)))

    assert len(await published(pool)) == 1
    assert await flow(pool) == (1, 2, 0, 0, 0)


async def test_an_earlier_exposure_that_comes_late_is_told_all_the_same(pool: Pool) -> None:
    await map_(pool, ACME, "acme.example")
    await handle(pool, of_feed(spycloud()))

    await handle(pool, of_feed(spycloud(document_id="old", spycloud_publish_date=(NOON - HOUR).isoformat())))

    assert [event.time for _, _, event in await published(pool)][1] == NOON - HOUR


async def test_a_bad_neighbour_is_dead_lettered_alone(pool: Pool) -> None:
    await map_(pool, ACME, "acme.example")
    broken = delivery(b'{"records": 7}', vendor="spycloud", source=FEED)

    reasons = await handle(pool, of_feed(spycloud()), broken, of_feed(spycloud(document_id="another")))

    assert reasons == ["records: not what the door writes"]
    assert len(await published(pool)) == 2
    assert await flow(pool) == (2, 0, 0, 1, 0)


async def test_a_domain_that_nobody_mapped_waits_and_its_mapping_releases_it(pool: Pool) -> None:
    await handle(pool, of_feed(spycloud(), spycloud(email="eve@globex.example")))
    assert await published(pool) == []
    assert await flow(pool) == (0, 0, 1, 0, 0)

    await map_(pool, GLOBEX, "globex.example")

    assert await release(pool) == 1
    [(topic, key, event)] = await published(pool)
    assert (topic, key, event.tenant) == ("exposures", f"{GLOBEX}/eve@globex.example", GLOBEX)
    assert await pool.fetchval("SELECT array_agg(device) FROM parked") == ["bob@acme.example"]


async def test_a_domain_of_two_clients_waits_for_a_person(pool: Pool) -> None:
    await map_(pool, ACME, "acme.example")
    await map_(pool, GLOBEX, "acme.example", valid_from=NOON - HOUR)

    await handle(pool, of_feed(spycloud()))

    assert await published(pool) == []
    assert await pool.fetchval("SELECT reason FROM parked") == "two clients"


async def test_an_old_exposure_is_of_the_client_who_has_the_domain_now(pool: Pool) -> None:
    await map_(pool, ACME, "acme.example", valid_from=NOON - HOUR)

    await handle(pool, of_feed(spycloud(spycloud_publish_date="2019-01-01T00:00:00Z")))

    assert [event.tenant for _, _, event in await published(pool)] == [ACME]


async def test_a_login_without_a_domain_goes_to_whom_all_such_of_its_feed_belong(pool: Pool) -> None:
    await map_(pool, ACME, "no domain")

    await handle(pool, of_feed(spycloud(email="", username="bob")))

    assert [key for _, key, _ in await published(pool)] == [f"{ACME}/bob"]


async def test_what_graph_hints_at_is_kept_once_for_whom_reads_it_again(pool: Pool) -> None:
    told = REDACTION.redacted("graph", written({"value": [notification(), notification(id="n-2")]})).body
    first, second = (delivery(told, vendor="graph", source=GRAPH, received=NOON + n * HOUR) for n in (0, 1))

    await handle(pool, first, second)
    await handle(pool, first)

    [row] = await pool.fetch("SELECT * FROM exposure_hint")
    assert (row["source"], row["resource"], row["raw_id"]) == (GRAPH, notification()["resource"], first.raw_id)
    assert await published(pool) == []
    assert await flow(pool) == (0, 2, 0, 0, 1)


async def test_a_newer_hint_takes_the_place_of_an_older_one_in_any_order(pool: Pool) -> None:
    bodies = [REDACTION.redacted("graph", written({"value": [notification(id=each)]})).body for each in ("a", "b")]
    old, new = (delivery(body, vendor="graph", source=GRAPH, received=NOON + n * HOUR) for n, body in enumerate(bodies))

    await handle(pool, new)
    await handle(pool, old)

    assert await pool.fetchval("SELECT raw_id FROM exposure_hint") == new.raw_id


async def test_an_answer_of_an_approver_is_published_under_its_case(pool: Pool) -> None:
    body = json.dumps({"case": "c-1", "token": "f" * 64, "approve": False}).encode()
    answer = delivery(body, vendor="approval", source="exposure/approval/links")

    await handle(pool, answer, answer)

    [(topic, key, event)] = await published(pool)
    assert (topic, key, event.tenant) == ("exposures", "c-1", None)
    assert event.data == ApprovalGiven(case="c-1", token="f" * 64, approve=False)
