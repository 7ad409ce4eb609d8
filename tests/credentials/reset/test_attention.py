"""What waits for people is counted as it stands, each kind alone, and a gauge that was high goes back to zero."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from uuid import UUID

import pytest

from chassis.postgres import transaction
from chassis.telemetry import METERS, Level
from services.credentials import attention
from services.credentials.attention import Attention
from tests.builders import MINUTE
from tests.credentials.room import Room, exposed

NOTHING = {"breaker": 0, "case": 0, "promise": 0, "directory": 0}
BREAK = "UPDATE promise SET broken_at = $2 WHERE case_id = $1 AND promise = 'reset'"


async def counted(room: Room) -> Mapping[str, int]:
    async with transaction(room.pool) as tx:
        return await attention.counted(tx, room.now)


async def a_case(room: Room) -> UUID:
    """Open a case and return its id."""
    await room.hear(exposed("ann@acme.example"))
    found: UUID = await room.pool.fetchval("SELECT case_id FROM exposure_case")
    return found


async def test_nothing_waits_where_nothing_is_wrong(room: Room) -> None:
    await a_case(room)

    assert await counted(room) == NOTHING


@pytest.mark.parametrize("state", ["tripped", "killed"])
async def test_a_breaker_waits_until_a_person_arms_it(
    room: Room, throw: Callable[[str], Awaitable[None]], state: str
) -> None:
    await throw(state)
    thrown = await counted(room)
    await throw("armed")

    assert thrown == NOTHING | {"breaker": 1}
    assert await counted(room) == NOTHING


async def test_a_parked_case_waits_as_long_as_it_is_open(room: Room) -> None:
    case = await a_case(room)
    await room.pool.execute("UPDATE case_step SET state = 'parked' WHERE case_id = $1 AND step = 'ticketed'", case)
    parked = await counted(room)
    await room.pool.execute("UPDATE exposure_case SET closed_at = $1", room.now)

    assert parked == NOTHING | {"case": 1}
    assert await counted(room) == NOTHING


async def test_a_late_promise_waits_until_it_is_kept(room: Room) -> None:
    case = await a_case(room)
    await room.pool.execute(BREAK, case, room.now)
    late = await counted(room)
    await room.pool.execute("UPDATE promise SET kept_at = $1", room.now)

    assert late == NOTHING | {"promise": 1}
    assert await counted(room) == NOTHING


@pytest.mark.parametrize(
    ("fresh_minutes", "after_minutes", "stale"),
    [(60, 59, 0), (60, 70, 1), (240, 70, 0)],
    ids=["in time", "late", "set"],
)
async def test_a_directory_waits_when_it_is_stale_by_its_clients_policy(
    room: Room, fresh_minutes: int, after_minutes: int, stale: int
) -> None:
    await room.allow(fresh_minutes=fresh_minutes)
    await room.sync()
    room.now += after_minutes * MINUTE

    assert await counted(room) == NOTHING | {"directory": stale}


async def test_a_directory_that_is_not_read_any_more_on_purpose_waits_for_nobody(room: Room) -> None:
    await room.pool.execute("UPDATE directory SET enabled = false")
    room.now += timedelta(days=1)

    assert await counted(room) == NOTHING


async def test_the_gauges_are_set_to_zero_too(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Level, float, str]] = []
    monkeypatch.setattr(METERS, "set", lambda level, value, *, kind: told.append((level, value, kind)))

    await Attention(room.on).look()

    assert {kind: value for _, value, kind in told} == NOTHING
    assert {level for level, _, _ in told} == {Level.FOR_PEOPLE}
