"""Batches of what PSAs delivered on a real database: done once, repeated, late, beside a bad one."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import asyncpg
import pytest

from chassis import outbox
from chassis.postgres import Pool, open_pool, transaction
from contracts.envelope import Envelope, decode
from contracts.events.psa import TicketChange, TicketTold
from contracts.raw import RawDelivery
from services.gateway import vendors
from services.gateway.translation.translate_psa import TranslatePsa
from tests.builders import HOUR, NOON, delivery, raw_batch_of
from tests.parts import Database

DESK = "psa/request-tracker/desk"
KEY = "pl-patch_failed-7254fa23-1241-5de0-b12a-3f282902621c-g1"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = gateway")
    await admin.execute("TRUNCATE translated, flow, unknown_code, source_health, outbox, refused")
    await admin.close()
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


def transaction_of(number: int, *, ticket: int = 7, kind: str = "Comment", **told: Any) -> RawDelivery:
    body = {"ticket": ticket, "txn": number, "type": kind, "key": KEY, "status": "open", "at": NOON.isoformat(), **told}
    return delivery(json.dumps(body).encode(), vendor="request-tracker", source=DESK)


async def handle(pool: Pool, *deliveries: RawDelivery) -> list[str]:
    """Handle one batch and return the reasons of what was refused."""
    translate = TranslatePsa(partial(vendors.translated, by_vendor=vendors.adapters()))
    batch = raw_batch_of(deliveries)
    async with transaction(pool) as tx:
        await translate.on_batch(tx, batch)
    return [reason for _, reason in batch.refused]


async def published(pool: Pool) -> list[tuple[str, str, Envelope]]:
    rows = await pool.fetch("SELECT topic, key, headers, value FROM outbox ORDER BY id")
    return [
        (row["topic"], row["key"].decode(), decode(outbox.headers_of(row["headers"]), row["value"])) for row in rows
    ]


async def flow(pool: Pool) -> tuple[int, int, int, int]:
    row = await pool.fetchrow(
        "SELECT sum(translated)::int, sum(duplicate)::int, sum(dead_lettered)::int, sum(ignored)::int FROM flow"
    )
    assert row is not None
    return row[0], row[1], row[2], row[3]


async def test_a_closing_becomes_one_event_about_its_ticket(pool: Pool) -> None:
    closing = transaction_of(41, kind="Status", old="open", new="resolved", by="jordan")

    await handle(pool, closing)

    [(topic, key, told)] = await published(pool)
    assert (topic, key, told.subject) == ("psa.events", f"{DESK}/7", "7")
    assert told.data == TicketTold(number="7", change=TicketChange.CLOSED, key=KEY, by="jordan", status="open")
    assert (told.source, told.tenant, told.causation, told.correlation) == (DESK, None, closing.raw_id, KEY)
    assert (told.time, told.received) == (NOON, closing.received)


async def test_the_same_transaction_again_is_a_duplicate(pool: Pool) -> None:
    await handle(pool, transaction_of(41))

    await handle(pool, transaction_of(41), transaction_of(41))

    assert len(await published(pool)) == 1
    assert await flow(pool) == (1, 2, 0, 0)


async def test_an_earlier_transaction_that_comes_late_is_told_all_the_same(pool: Pool) -> None:
    await handle(pool, transaction_of(42))

    await handle(pool, transaction_of(41, at=(NOON - HOUR).isoformat()))

    assert [told.time for _, _, told in await published(pool)] == [NOON, NOON - HOUR]


async def test_a_bad_neighbour_is_dead_lettered_alone(pool: Pool) -> None:
    broken = delivery(b"<ticket>", vendor="request-tracker", source=DESK)
    mail = transaction_of(43, kind="EmailRecord")

    reasons = await handle(pool, transaction_of(41), broken, mail, transaction_of(42))

    assert len(reasons) == 1
    assert "not JSON" in reasons[0]
    assert len(await published(pool)) == 2
    assert await flow(pool) == (2, 0, 1, 1)
