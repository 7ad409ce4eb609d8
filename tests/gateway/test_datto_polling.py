"""A poll of the simulated Datto RMM over HTTP on a real database: kept, told and counted once, or not at all."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from chassis import outbox
from chassis.health import Progress
from chassis.postgres import Pool, open_pool, transaction
from contracts.events import rmm
from contracts.raw import RawDelivery, delivery_of
from services.gateway import vendors
from services.gateway.keys.bodies import Bodies
from services.gateway.keys.data_keys import CurrentKeys, KeyRing
from services.gateway.keys.key_sealing import FILE, FileSealer
from services.gateway.keys.sealing import Purpose, SealingKey, new_sealing_key, read_sealing_key, sealed
from services.gateway.polling import store_poll
from services.gateway.polling.poll import Poll
from services.gateway.polling.readers import Readers
from services.gateway.polling.rules_collect import ScanMoment
from services.gateway.vendors.translation import Said
from simulators.datto_api import CLIENT_ID, CLIENT_SECRET, Api, Setting
from simulators.datto_webhooks import Monitors
from simulators.script import NOW
from tests.builders import HOUR, delivery
from tests.gateway.held import HeldBlobs
from tests.gateway.test_datto_api import ACCOUNT, DAY, DEVICES, MORNING, served
from tests.parts import Database

SOURCE = ACCOUNT.full_name
SEALERS = {FILE: FileSealer(SealingKey(b"k" * 32))}
LOSER = DAY.happenings[-1]
WHOLE = replace(DAY, happenings=tuple(replace(each, told=each is not LOSER) for each in DAY.happenings))


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


@pytest.fixture
async def simulation() -> AsyncIterator[tuple[Api, str]]:
    app = Api(WHOLE, [ACCOUNT])
    async with served(app) as url:
        yield app, url


class House:
    """One polled source, and what came of each poll."""

    def __init__(self, pool: Pool, app: Api, readers: Readers) -> None:
        self.pool = pool
        self.app = app
        self._readers = readers

    async def poll(self, at: datetime) -> list[Said]:
        """Poll once at a moment of the simulated day; return the events of what was written."""
        self.app.instances["main"].set(Setting(source="main", moment=at))
        on: Any = SimpleNamespace(
            pool=self.pool, clock=lambda: at, progress=Progress(), relay=SimpleNamespace(wake=lambda: None)
        )
        async with transaction(self.pool) as tx:
            [due] = await store_poll.claim(tx, vendors.POLLED, now=at, lease=uuid4(), until=at + HOUR, most=9)
        await Poll(on, vendors.POLLED, self._readers.of, keys=CurrentKeys(SEALERS, FILE)).poll(due)
        rows = await self.pool.fetch("DELETE FROM outbox RETURNING id, headers, value")
        found = [delivery_of(outbox.headers_of(row["headers"]), row["value"]) for row in rows]
        opened = await Bodies(KeyRing(self.pool.acquire, SEALERS), HeldBlobs()).opened(found)
        translations = [
            vendors.translated(each, vendors.adapters()) for each in opened if isinstance(each, RawDelivery)
        ]
        assert not any(each.problems for each in translations)
        return [said for each in translations for said in each.said]

    async def state(self) -> asyncpg.Record:
        row = await self.pool.fetchrow("SELECT * FROM poll_state WHERE source = $1", SOURCE)
        assert row is not None
        return row


@pytest.fixture
async def house(database: Database, pool: Pool, simulation: tuple[Api, str], tmp_path: Path) -> AsyncIterator[House]:
    app, url = simulation
    key_file = tmp_path / "key"
    key_file.write_text(new_sealing_key())
    key = read_sealing_key(key_file)
    box = sealed(key, CLIENT_SECRET.encode(), source_id=SOURCE, purpose=Purpose.API)
    connection = await asyncpg.connect(database.admin)
    await connection.execute("SET search_path = gateway")
    await connection.execute(
        "TRUNCATE source, source_secret, data_key, client_mapping, poll_state, poll_snapshot, outbox"
    )
    await connection.execute(
        "INSERT INTO source (source_id, vendor, name, scheme, header_name, api_url, client_id, "
        "sealed_client_secret, poll_seconds, added_at) "
        "VALUES ($1, 'datto', 'main', 'static-header', 'x', $2, $3, $4, 60, now())",
        SOURCE,
        url,
        CLIENT_ID,
        box,
    )
    await connection.close()
    readers = Readers(key, ScanMoment.ROWS)
    yield House(pool, app, readers)
    await readers.close()


def types(said: list[Said]) -> set[str]:
    return {each.event.TYPE.removesuffix(".v1") for each in said}


async def test_a_day_is_told_once_and_lost_webhooks_are_counted(house: House, caplog: pytest.LogCaptureFixture) -> None:
    first = await house.poll(MORNING)
    second = await house.poll(NOW)
    third = await house.poll(NOW + HOUR)

    assert types(first) == {"device.updated", "device.online", "device.booted"}
    assert types(second) == {"alert.raised", "alert.reset", "patch.install_failed"}
    assert len([each for each in second if each.event.TYPE == "patch.install_failed.v1"]) == DEVICES
    assert third == []
    assert (await house.state())["lost_webhooks"] == 1
    assert "webhooks lost" in caplog.messages


async def test_the_poll_finds_what_the_lost_webhook_meant(house: House) -> None:
    await house.poll(MORNING)
    monitors = Monitors(WHOLE)
    bodies = [monitors.message(each, number) for number, each in enumerate(WHOLE.happenings) if each.told]
    webhooks = [delivery(body, vendor="datto", source=SOURCE, received=NOW) for body in bodies if body is not None]
    told = [said for each in webhooks for said in vendors.translated(each, vendors.adapters()).said]

    found = await house.poll(NOW)

    def failures(said: list[Said]) -> set[tuple[str, str]]:
        events = [each.event for each in said]
        return {(each.device, each.patch.patch) for each in events if isinstance(each, rmm.PatchInstallFailed)}

    missed = (LOSER.device.vendor_id, f"KB{LOSER.release.kb if LOSER.release else ''}")
    assert failures(found) - failures(told) == {missed}
    assert failures(told) < failures(found)
    assert {each.correlation for each in told} < {each.correlation for each in found}


async def test_a_failing_account_keeps_nothing_and_says_why(house: House) -> None:
    house.app.instances["main"].set(Setting(source="main", mood="blocked"))

    assert await house.poll(NOW) == []

    state = await house.state()
    assert (state["failures"], state["lost_webhooks"]) == (1, 0)
    assert state["last_error"].startswith("blocked or not permitted: HTTP 403")
    assert state["next_at"] >= NOW + timedelta(seconds=300)
    assert await house.pool.fetchval("SELECT count(*) FROM poll_snapshot") == 0


async def test_what_a_lost_lease_found_is_counted_by_nobody(house: House) -> None:
    await house.poll(MORNING)
    async with transaction(house.pool) as tx:
        [due] = await store_poll.claim(tx, vendors.POLLED, now=NOW, lease=uuid4(), until=NOW, most=1)
        assert not await store_poll.succeed(tx, replace(due, lease=uuid4()), next_at=NOW, at=NOW, lost_webhooks=5)

    assert (await house.state())["lost_webhooks"] == 0
