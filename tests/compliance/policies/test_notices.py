"""A policy comes into force at its moment: told once, followed by every obligation, ended by itself."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from chassis.postgres import transaction
from contracts.events.policy import PolicyApplied
from services.compliance.policies import store_policies
from services.compliance.policies.compile import Applied, Version, applied
from services.compliance.policies.notices import PolicyNotices
from services.compliance.policies.store_policies import PolicyShelf
from tests.builders import ACME, BIRCH
from tests.compliance.house import asset_changed, client_in
from tests.compliance.policies.room import Room
from tests.compliance.stories import JANUARY_AT, hour, listed

WEEK = [{"tiers": ["server"], "due": "P7D"}]
MONTH = [{"tiers": ["server"], "due": "P1M"}]


@pytest.fixture
async def lacking(room: Room) -> Room:
    """A server that lacks January's release, which the built-in policy gives until hour 22."""
    await room.house.hear(client_in("UTC"), asset_changed(), listed(0))
    assert await room.due_at() == hour(22)
    return room


async def test_a_policy_is_followed_from_its_first_moment_on_and_not_before(lacking: Room) -> None:
    await lacking.record(sla=WEEK, regimes=[], valid_from=hour(12).isoformat())
    await lacking.notice()
    before = await lacking.due_at()

    lacking.house.now = hour(12)
    await lacking.notice()

    assert (before, await lacking.due_at()) == (hour(22), JANUARY_AT + timedelta(days=7))
    [told] = await lacking.house.told(PolicyApplied)
    assert (told.version, told.before, told.valid_from) == (1, None, hour(12))
    [envelope] = [each for each in await lacking.house.published() if isinstance(each.data, PolicyApplied)]
    assert (envelope.time, envelope.tenant) == (hour(12), ACME)


async def test_what_was_noticed_is_not_told_again_by_nobody(lacking: Room) -> None:
    await lacking.record(sla=WEEK, regimes=[], valid_from=hour(9).isoformat())
    another = PolicyNotices(lacking.house.on)

    for _ in range(2):
        await lacking.notice()
        await another.notice()

    assert len(await lacking.house.told(PolicyApplied)) == 1
    assert await lacking.house.rows("SELECT * FROM recheck") == []


async def test_a_newer_version_replaces_the_one_before(lacking: Room) -> None:
    await lacking.record(sla=WEEK, regimes=[], valid_from=hour(9).isoformat())
    await lacking.notice()
    lacking.house.now = hour(11)

    await lacking.record(sla=MONTH, regimes=[], valid_from=hour(9).isoformat())
    await lacking.notice()

    assert await lacking.due_at() == JANUARY_AT.replace(month=2)
    first, second = await lacking.house.told(PolicyApplied)
    assert (first.version, second.version, second.before) == (1, 2, 1)
    assert first.policy != second.policy


async def test_a_policy_that_ends_leaves_the_built_in_one(lacking: Room) -> None:
    await lacking.record(sla=WEEK, regimes=[], valid_from=hour(9).isoformat(), valid_until=hour(15).isoformat())
    await lacking.notice()

    lacking.house.now = hour(15)
    await lacking.notice()

    assert await lacking.due_at() == hour(22)
    _, ended = await lacking.house.told(PolicyApplied)
    assert (ended.version, ended.before, ended.client) == (None, 1, "Acme Dental")


async def test_one_recorded_for_a_moment_long_ago_holds_from_when_it_is_recorded(lacking: Room) -> None:
    await lacking.record(sla=WEEK, regimes=[], valid_from="2024-01-01T00:00:00+00:00")

    await lacking.notice()

    [envelope] = [each for each in await lacking.house.published() if isinstance(each.data, PolicyApplied)]
    assert envelope.time == lacking.house.now


async def test_an_empty_window_and_an_accepted_infeasibility_are_told(lacking: Room) -> None:
    await lacking.record(feasible=False, windows={"never": {}}, valid_from=hour(9).isoformat())

    await lacking.notice()

    [told] = await lacking.house.told(PolicyApplied)
    assert (told.feasible, told.accepted, told.empty_windows) == (False, "the owner knows", ("never",))


async def test_the_same_file_again_is_no_new_version(room: Room) -> None:
    first = await room.record(sla=WEEK)
    again = await room.record(sla=WEEK)
    other = await room.record(sla=MONTH)
    back = await room.record(sla=WEEK)

    assert (first, again, other, back) == ((1, True), (1, False), (2, True), (3, True))


async def test_the_shelf_answers_as_of_the_moment_that_is_asked(room: Room) -> None:
    shelf = PolicyShelf()
    await room.record(sla=WEEK, valid_from=hour(12).isoformat(), valid_until=hour(20).isoformat())
    await room.notice()

    async with transaction(room.house.pool) as tx:
        held = [ACME in await shelf.all_at(tx, hour(at)) for at in (11, 12, 19, 20)]
        whole = (await shelf.all_applied(tx, hour(13)))[ACME]
        of_others = await shelf.policies_for(tx, [BIRCH], hour(13))

    assert held == [False, True, True, False]
    assert whole.policy.id.startswith("acme-dental-v1-")
    assert whole.document.client == "Acme Dental"
    assert of_others == {}


async def test_what_is_recorded_but_not_noticed_is_not_followed_yet(room: Room) -> None:
    shelf = PolicyShelf()
    await room.record(sla=WEEK, valid_from=hour(1).isoformat())

    async with transaction(room.house.pool) as tx:
        before = await shelf.all_at(tx, hour(13))
    await room.notice()
    async with transaction(room.house.pool) as tx:
        after = await shelf.all_at(tx, hour(13))

    assert (list(before), list(after)) == ([], [ACME])


COPIES = """
    INSERT INTO policy_version (tenant_id, version, document, presets, digest, valid_from, recorded_at, recorded_by,
                                reason, feasible, lint)
    SELECT gen_random_uuid(), 1, document, presets, digest, valid_from, recorded_at, recorded_by, reason, feasible, lint
    FROM policy_version, generate_series(1, 99)
"""


async def test_others_get_their_turn_while_the_first_look_makes_many_policies_ready(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.record(sla=WEEK, valid_from=hour(1).isoformat())
    async with room.house.pool.acquire() as connection:
        await connection.execute(COPIES)
    await room.notice()
    turns, turns_by_policy = [0], list[int]()

    def made_ready(version: Version) -> Applied:
        turns_by_policy.append(turns[0])
        return applied(version)

    monkeypatch.setattr(store_policies, "applied", made_ready)
    others = asyncio.create_task(_count_turns(turns))

    async with transaction(room.house.pool) as tx:
        held = await PolicyShelf().all_at(tx, hour(13))

    others.cancel()
    assert len(held) == 100
    assert len(set(turns_by_policy)) == 100


async def _count_turns(turns: list[int]) -> None:
    while True:
        turns[0] += 1
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE compliance.policy_version SET reason = 'x'", id="change"),
        pytest.param("DELETE FROM compliance.policy_version", id="remove"),
        pytest.param("UPDATE compliance.policy_noticed SET number = 0", id="pretend that it was not noticed"),
    ],
)
async def test_an_operator_can_add_versions_only(room: Room, statement: str) -> None:
    connection = await asyncpg.connect(room.house.database.operator)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_an_infeasible_policy_without_a_reason_cannot_be_stored(room: Room) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        async with room.house.pool.acquire() as connection:
            await connection.execute(
                "INSERT INTO policy_version (tenant_id, version, document, presets, digest, valid_from, recorded_at, "
                "recorded_by, reason, feasible, lint) "
                "VALUES ($1, 1, '{}', '[]', 'x', now(), now(), 'jane', 'agreed', false, '{}')",
                ACME,
            )
