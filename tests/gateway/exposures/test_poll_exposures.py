"""Polls of feeds on a real database: told once, repeated, late, beside a bad one; hints; leases; and no secret kept."""

import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from chassis import outbox
from chassis.errors import NeverWorks, WrongSetting
from chassis.health import Progress
from chassis.http import Unavailable
from chassis.postgres import Pool, open_pool, transaction
from contracts.events.exposure import ExposureFound
from contracts.raw import PLAIN, RawDelivery, delivery_of
from services.gateway.exposures.offline_key import new_pair, opened, read_public
from services.gateway.exposures.quarantine import Quarantine
from services.gateway.exposures.redaction import Redaction
from services.gateway.keys.bodies import Bodies
from services.gateway.keys.data_keys import CurrentKeys, KeyRing
from services.gateway.keys.key_sealing import FILE, FileSealer
from services.gateway.keys.sealing import Purpose, SealingKey, new_sealing_key, read_sealing_key, sealed
from services.gateway.polling import store_poll
from services.gateway.polling.poll_exposures import FeedKeys, PollExposures
from services.gateway.polling.readers import FeedReaders
from services.gateway.polling.rules_exposed import Batch, Before, Found
from services.gateway.polling.rules_snapshot import Snapshot
from services.gateway.polling.store_poll import Due
from services.gateway.translation.translate_exposures import TranslateExposures
from services.gateway.vendors import exposure_feeds
from simulators.graph_risks import detection
from tests.builders import HOUR, MINUTE, NOON, delivery, raw_batch_of
from tests.gateway.exposures.bodies import CANARY, notification, written
from tests.gateway.exposures.knocking import FINGERPRINT_KEY
from tests.gateway.held import HeldBlobs
from tests.parts import Database

GRAPH, HIBP = "exposure/graph/main", "exposure/hibp/main"
ACME = uuid4()
TENANT = "11111111-2222-4333-8444-555555555555"
SEALERS = {FILE: FileSealer(SealingKey(b"k" * 32))}
ALERT = "security/alerts_v2/a-1"


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Fake:
    """Finds what it is told to, or fails, and remembers what it was asked with."""

    answer: Callable[[Before], Found]
    asked: list[Before] = field(default_factory=list)

    async def read(self, before: Before) -> Found:
        self.asked.append(before)
        return self.answer(before)


@dataclass
class Room:
    """A poller of the Graph source with everything behind it."""

    pool: Pool
    clock: Clock
    keys: FeedKeys
    private_key: str

    def poller(self, fake: Fake) -> PollExposures:
        async def reader_of(_: Due) -> Fake:
            return fake

        relay = SimpleNamespace(wake=lambda: None)
        on: Any = SimpleNamespace(pool=self.pool, clock=self.clock, progress=Progress(), relay=relay)
        keys = CurrentKeys(SEALERS, FILE)
        return PollExposures(on, exposure_feeds.POLLED, reader_of, keys=keys, feed_keys=self.keys)

    async def due(self) -> list[Due]:
        async with transaction(self.pool) as tx:
            until = self.clock.at + 2 * MINUTE
            return await store_poll.claim(
                tx, exposure_feeds.POLLED, now=self.clock.at, lease=uuid4(), until=until, most=9
            )

    async def poll(self, answer: Callable[[Before], Found]) -> Fake:
        fake = Fake(answer)
        for one in await self.due():
            if one.source == GRAPH:
                await self.poller(fake).poll(one)
        return fake

    async def raw(self) -> list[RawDelivery]:
        """Return and take away what stands in the outbox."""
        rows = await self.pool.fetch("DELETE FROM outbox RETURNING id, topic, key, headers, value")
        assert {(row["topic"], row["key"]) for row in rows} <= {("exposures.raw", None)}
        read = [delivery_of(outbox.headers_of(row["headers"]), row["value"]) for row in rows]
        assert all(each.key_id != PLAIN for each in read)
        unsealed = await Bodies(KeyRing(self.pool.acquire, SEALERS), HeldBlobs()).opened(read)
        return [each for each in unsealed if isinstance(each, RawDelivery)]

    async def translate(self, *deliveries: RawDelivery) -> list[str]:
        """Translate one batch and return the types of what was published."""
        async with transaction(self.pool) as tx:
            await TranslateExposures(exposure_feeds.translated).on_batch(tx, raw_batch_of(deliveries))
        rows = await self.pool.fetch("DELETE FROM outbox RETURNING topic, key")
        return [row["topic"] for row in rows]

    async def state(self) -> dict[str, Any]:
        row = await self.pool.fetchrow("SELECT * FROM poll_state WHERE source = $1", GRAPH)
        assert row is not None
        return dict(row)


@pytest.fixture(scope="module")
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("gateway"), application="test")
    yield pool
    await pool.close()


@pytest.fixture
async def room(database: Database, pool: Pool, tmp_path: Path) -> Room:
    admin = await asyncpg.connect(database.admin)
    await admin.execute("SET search_path = gateway")
    await admin.execute(
        "TRUNCATE source, source_secret, data_key, poll_state, poll_snapshot, translated, flow, unknown_code, "
        "source_health, outbox, refused, parked, exposure_hint, exposure_quarantine, client_mapping, client CASCADE"
    )
    for source in (GRAPH, HIBP):
        _, vendor, name = source.split("/")
        await admin.execute(
            "INSERT INTO source (source_id, vendor, name, scheme, api_url, client_id, sealed_client_secret, "
            "poll_seconds, added_at) VALUES ($1, $2, $3, 'client-state', 'https://x.example', 'id', '\\x00', 900, $4)",
            source,
            vendor,
            name,
            NOON,
        )
    await admin.execute(
        "INSERT INTO client (tenant_id, name, zone, added_at, changed_at) VALUES ($1, 'Acme', 'Etc/UTC', $2, $2)",
        ACME,
        NOON,
    )
    await admin.execute(
        "INSERT INTO client_mapping (source_id, organisation, tenant_id) VALUES ($1, $2, $3)", GRAPH, TENANT, ACME
    )
    await admin.close()
    private, public = new_pair()
    (tmp_path / "quarantine.pub").write_text(public)
    quarantine = Quarantine(dsn="", key=read_public(tmp_path / "quarantine.pub"), digest_key=FINGERPRINT_KEY)
    return Room(pool, Clock(), FeedKeys(Redaction(FINGERPRINT_KEY), quarantine), private)


def finding(*rows: dict[str, Any], problems: tuple[str, ...] = (), remember: bool = True) -> Callable[[Before], Found]:
    def answer(before: Before) -> Found:
        batch = Batch(feed="graph-detections", named=len(rows), rows=rows, organisation=TENANT)
        kept = [Snapshot("detections", TENANT, b"listed", before.read_at, {"seen": []})] if remember else []
        return Found([batch] if rows else [], kept, list(before.hints), list(problems))

    return answer


def down(_: Before) -> Found:
    raise Unavailable("graph.example: ConnectError")


BOB = detection("bob@acme.example", at=NOON - HOUR, password=CANARY, additionalInfo=f'{{"secret":"{CANARY}"}}')


async def test_what_is_new_is_told_redacted_and_becomes_an_exposure(room: Room) -> None:
    fake = await room.poll(finding(BOB))

    [record] = await room.raw()
    assert (record.vendor, record.source, record.channel) == ("graph", GRAPH, "poll")
    assert CANARY.encode() not in record.body
    assert fake.asked[0].organisations == [TENANT]
    assert await room.translate(record) == ["exposures"]
    [said] = exposure_feeds.translated(record).exposures
    assert isinstance(said.event, ExposureFound)
    assert said.event.login == "bob@acme.example"
    assert (await room.state())["last_succeeded_at"] == NOON


async def test_a_repeated_reading_is_no_second_exposure(room: Room) -> None:
    await room.poll(finding(BOB))
    first = await room.raw()
    assert await room.translate(*first) == ["exposures"]
    room.clock.at += HOUR

    await room.poll(finding(BOB))

    assert await room.translate(*await room.raw()) == []


async def test_a_detection_told_late_is_told_as_of_its_own_moment(room: Room) -> None:
    await room.poll(finding(detection("new@acme.example", at=NOON)))
    room.clock.at += HOUR
    await room.poll(finding(detection("old@acme.example", at=NOON - timedelta(days=6))))

    said = [each for record in await room.raw() for each in exposure_feeds.translated(record).exposures]

    assert [each.time for each in sorted(said, key=lambda each: each.event.login)] == [  # type: ignore[union-attr] # both are exposures
        NOON,
        NOON - timedelta(days=6),
    ]


async def test_a_row_that_nobody_can_read_is_set_aside_sealed_and_its_neighbours_are_told(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    odd = detection(f"not a login: {CANARY}", at=NOON)

    with caplog.at_level(logging.WARNING):
        await room.poll(finding(odd, BOB))

    [record] = await room.raw()
    assert len(exposure_feeds.translated(record).exposures) == 1
    [aside] = await room.pool.fetch("SELECT source, reason, unread, sealed FROM exposure_quarantine")
    assert (aside["source"], aside["unread"]) == (GRAPH, 1)
    assert CANARY.encode() not in aside["sealed"]
    assert CANARY.encode() in opened(room.private_key.encode(), aside["sealed"])
    assert "rows not understood" in caplog.messages


async def test_no_secret_stands_in_any_table_or_log(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await room.poll(finding(BOB, detection(CANARY + " :", at=NOON)))

    for table in ("outbox", "poll_snapshot", "poll_state", "exposure_quarantine"):
        rows = await room.pool.fetch(f"SELECT t::text AS row FROM {table} AS t")
        assert CANARY not in str(rows), table
        assert CANARY.encode().hex() not in str(rows), table
    assert CANARY not in caplog.text


async def test_without_keys_nothing_is_read(room: Room) -> None:
    room.keys = FeedKeys()

    fake = await room.poll(finding(BOB))

    assert fake.asked == []
    assert await room.raw() == []
    assert "PATCHLINE_FINGERPRINT_KEY_FILE" in (await room.state())["last_error"]


async def test_what_could_be_read_is_kept_and_what_could_not_is_told_with_its_reason(room: Room) -> None:
    await room.poll(finding(BOB, problems=("another tenant: HTTP 403",)))

    assert len(await room.raw()) == 1
    kept = await room.state()
    assert (kept["failures"], kept["lease"], kept["last_error"]) == (1, None, "another tenant: HTTP 403")
    assert NOON < kept["next_at"] <= NOON + MINUTE
    assert await room.pool.fetchval("SELECT count(*) FROM poll_snapshot") == 1


async def test_a_feed_that_is_away_keeps_nothing_and_is_tried_again(room: Room) -> None:
    await room.poll(down)

    assert await room.raw() == []
    assert (await room.state())["failures"] == 1


async def test_a_poll_whose_lease_was_taken_keeps_nothing(room: Room) -> None:
    [ours] = [one for one in await room.due() if one.source == GRAPH]
    room.clock.at += 3 * MINUTE
    [theirs] = [one for one in await room.due() if one.source == GRAPH]

    for problems in ((), ("another tenant: HTTP 403",)):
        await room.poller(Fake(finding(BOB, problems=problems))).poll(ours)

    assert await room.raw() == []
    assert (await room.state())["lease"] == theirs.lease


def hinted(resource: str = ALERT, *, at: datetime = NOON, tenant: str = TENANT) -> RawDelivery:
    body = written({"value": [notification(id=str(uuid4()), resource=resource, tenantId=tenant)]})
    redacted = Redaction(FINGERPRINT_KEY).redacted("graph", body).body
    return delivery(redacted, vendor="graph", source=GRAPH, received=at)


async def hints(room: Room) -> int:
    return int(await room.pool.fetchval("SELECT count(*) FROM exposure_hint"))


async def test_a_notification_brings_the_next_poll_about_and_is_followed_once(room: Room) -> None:
    await room.poll(finding())
    await room.translate(hinted(at=NOON + MINUTE))
    room.clock.at += MINUTE

    fake = await room.poll(finding(BOB, remember=False))

    assert [(each.organisation, each.resource) for each in fake.asked[0].hints] == [(TENANT, ALERT)]
    assert len(await room.raw()) == 1
    assert await hints(room) == 0
    assert (await room.state())["next_at"] > room.clock.at + 10 * MINUTE


async def test_a_notification_that_comes_while_its_resource_is_read_is_followed_again(room: Room) -> None:
    await room.translate(hinted())
    [due] = [one for one in await room.due() if one.source == GRAPH]
    answer = finding(BOB)

    class Slow(Fake):
        async def read(self, before: Before) -> Found:
            await room.translate(hinted(at=NOON + timedelta(seconds=1)))
            return answer(before)

    await room.poller(Slow(answer)).poll(due)

    assert await hints(room) == 1
    assert (await room.state())["next_at"] <= NOON + timedelta(seconds=2)


async def test_a_notification_of_a_tenant_that_nobody_mapped_waits_for_the_mapping(room: Room) -> None:
    other = "99999999-2222-4333-8444-555555555555"
    await room.translate(hinted(tenant=other))

    assert (await room.poll(finding())).asked[0].hints == []
    await room.pool.execute(
        "INSERT INTO client_mapping (source_id, organisation, tenant_id) VALUES ($1, $2, $3)", GRAPH, other, ACME
    )
    room.clock.at += HOUR

    fake = await room.poll(finding())

    assert [each.organisation for each in fake.asked[0].hints] == [other]
    assert await hints(room) == 0


async def test_a_notification_does_not_cut_a_back_off_short(room: Room) -> None:
    await room.poll(down)
    before = (await room.state())["next_at"]

    await room.translate(hinted(at=NOON + timedelta(seconds=1)))

    assert (await room.state())["next_at"] == before


def due_of(vendor: str, url: str, key: SealingKey) -> Due:
    source = f"exposure/{vendor}/main"
    box = sealed(key, b"a secret", source_id=source, purpose=Purpose.API)
    return Due(source, vendor, url, "id", box, timedelta(minutes=15), UUID(int=1), 0)


async def test_each_feed_has_its_reader_and_only_at_its_own_hosts(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(new_sealing_key())
    key = read_sealing_key(tmp_path / "key")
    readers = FeedReaders(key)

    hibp = await readers.of(due_of("hibp", "https://haveibeenpwned.com", key))

    assert await readers.of(due_of("graph", "https://graph.microsoft.com", key)) is not hibp
    with pytest.raises(WrongSetting):
        await readers.of(due_of("graph", "https://elsewhere.example", key))
    with pytest.raises(NeverWorks):
        await readers.of(due_of("spycloud", "https://spycloud.example", key))
    await readers.close()
