"""The guard in the whole service: from exposures to what a directory was asked to do, and what it was spared."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from contracts.events.credential import BreakerMoved, BreakerState, CaseDecided, CaseOpened, Decision
from services.credentials.cases.releasing import Releasing
from services.credentials.guard import store_commands
from services.credentials.guard.store_commands import Said
from tests.builders import ACME
from tests.credentials.directories import KeptDirectory
from tests.credentials.room import SPYCLOUD, Room, exposed, opened_room, person
from tests.parts import Database

NAMES = [f"person{number}" for number in range(6)]
LOOSE = {"per_hour": 1000, "share": 1.0, "batches": [1000], "surge_least": 1000, "one_source_least": 1000}


@dataclass
class Interrupted(KeptDirectory):
    """A directory in which something else happens after so many passwords were made invalid."""

    after: int = 0
    room: Room | None = None
    state: BreakerState = BreakerState.KILLED
    seen: list[str] = field(default_factory=list)

    async def invalidate(self, object_id: str) -> None:
        await super().invalidate(object_id)
        if len(self.invalidated) == self.after and self.room is not None:
            await move(self.room, self.state)


@pytest.fixture
async def room(database: Database) -> AsyncIterator[Room]:
    async with opened_room(database) as room:
        yield room


async def move(room: Room, state: BreakerState) -> None:
    """Move the client's breaker as the command line does."""
    async with room.pool.acquire() as connection, connection.transaction():
        said = Said(by="operator of the test", reason="a test says so", at=room.now)
        assert await store_commands.move(connection, ACME, state, said) is None


async def staffed(room: Room, directory: KeptDirectory | None = None, **caps: object) -> KeptDirectory:
    """Connect a directory of six persons for a client with these caps."""
    kept = directory or KeptDirectory.of(*(person(name) for name in NAMES))
    await room.allow(caps=LOOSE | caps)
    await room.add(kept)
    return kept


async def all_exposed(room: Room, *, named: int = 1) -> None:
    for name in NAMES:
        await room.hear(exposed(f"{name}@acme.example", named=named))


async def test_no_more_accounts_than_the_cap_are_reset_until_a_person_arms_the_breaker_again(room: Room) -> None:
    directory = await staffed(room, per_hour=2)
    await all_exposed(room)

    await room.finish(seconds=90)

    assert len(directory.invalidated) == len(directory.revoked) == 2
    [moved] = await room.told(BreakerMoved)
    assert moved.why == "more than 2 accounts in one hour"
    decided = {each.login for each in await room.told(CaseDecided) if each.decision is Decision.NOTIFY}
    assert len(decided) == 4

    room.now += timedelta(seconds=1)
    await move(room, BreakerState.ARMED)
    await room.finish(seconds=150)

    assert len(directory.invalidated) == len(set(directory.invalidated)) == 4
    assert [each.state for each in await room.told(BreakerMoved)] == ["tripped", "tripped"]


async def test_a_kill_switch_in_the_middle_stops_every_write_and_the_sessions_end_once_it_is_armed(room: Room) -> None:
    directory = await staffed(room, Interrupted.of(*(person(name) for name in NAMES), after=2, room=room))
    await all_exposed(room)

    await room.finish(seconds=90)
    assert len(directory.invalidated) == 2
    assert len(directory.revoked) < 2

    await move(room, BreakerState.ARMED)
    await room.finish(seconds=150)
    assert sorted(directory.invalidated) == sorted(NAMES)
    assert set(directory.revoked) == set(NAMES)


async def test_a_trip_in_the_middle_lets_the_sessions_of_what_was_begun_end(room: Room) -> None:
    kept = Interrupted.of(*(person(name) for name in NAMES), after=2, room=room, state=BreakerState.TRIPPED)
    directory = await staffed(room, kept)
    await all_exposed(room)

    await room.finish(seconds=90)

    assert len(directory.invalidated) == 2
    assert set(directory.revoked) == set(directory.invalidated)


async def test_a_connector_without_rights_trips_before_everybody_was_tried(room: Room) -> None:
    forbidden = KeptDirectory.of(*(person(name) for name in NAMES), forbidden=frozenset(NAMES))
    directory = await staffed(room, forbidden, error_least=2, error_rate=0.3)
    await all_exposed(room)

    await room.finish(seconds=90)

    [moved] = await room.told(BreakerMoved)
    assert moved.why.endswith("resets failed; at most 30% may")
    assert directory.invalidated == []
    assert await room.pool.fetchval("SELECT count(*) FROM guard_act") < len(NAMES)


async def test_a_flood_that_a_person_releases_is_reset_in_batches(room: Room) -> None:
    directory = await staffed(room, per_delivery=5, batches=[1, 3])
    await all_exposed(room, named=6)
    await room.settle(seconds=60)
    assert await room.told(CaseOpened) == []

    room.now += timedelta(seconds=1)
    await move(room, BreakerState.ARMED)
    await room.pool.execute("UPDATE exposure SET released_at = $1 WHERE source = $2", room.now, SPYCLOUD)
    while await Releasing(room.on).look():
        continue
    reset: list[int] = []
    while len(directory.invalidated) < len(NAMES) and len(reset) < 30:
        await room.settle(seconds=20)
        reset.append(len(directory.invalidated))

    assert len(await room.told(CaseOpened)) == len(NAMES)
    assert sorted(directory.invalidated) == sorted(NAMES)
    assert {1, 4} < set(reset)


async def test_what_was_promised_is_kept_by_what_really_happens(room: Room) -> None:
    await staffed(room)
    await room.hear(exposed("person0@acme.example"))
    await room.ticket_opens()

    await room.finish(seconds=60)

    rows = await room.pool.fetch("SELECT promise, kept_at <= due_at AS in_time FROM promise ORDER BY promise")
    assert {row["promise"]: row["in_time"] for row in rows if row["promise"] != "verified"} == {
        "ticket": True,
        "reset": True,
        "notice": True,
    }
