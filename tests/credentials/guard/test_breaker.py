"""A breaker is asked before each act: it counts, trips, holds, and tells why."""

import asyncio
from typing import Any

import pytest

from contracts.events.credential import CaseStep
from services.credentials.guard.records import EVERYONE, Held, Permit
from tests.builders import ACME, BIRCH, HOUR, NOON
from tests.credentials.guard.conftest import HIBP, Room

LOOSE = {"per_hour": 100, "share": 1, "per_delivery": 1000, "surge_least": 1000}


def caps(**said: Any) -> dict[str, Any]:
    return {"caps": LOOSE | said}


class TestAsking:
    async def test_what_is_within_the_caps_may_begin_for_a_second(self, room: Room) -> None:
        permit = await room.ask("ada")

        assert isinstance(permit, Permit)
        assert (permit.until - room.now).total_seconds() == 1

    async def test_one_account_too_many_trips_and_is_told_once(self, room: Room) -> None:
        await room.set_policy(**caps(per_hour=2))

        assert await room.allowed("a", "b", "c", "d") == ["a", "b"]

        assert await room.moves() == [("tenant", "tripped", "more than 2 accounts in one hour")]
        assert (await room.guarding()).held == "the client's breaker is tripped: more than 2 accounts in one hour"

    async def test_asking_again_for_the_same_case_counts_once(self, room: Room) -> None:
        await room.set_policy(**caps(per_hour=2))

        assert await room.allowed("a", "a", "a", "b", "a", "b") == ["a", "a", "a", "b", "a", "b"]

    async def test_a_case_that_was_allowed_is_held_after_the_trip_like_any_other(self, room: Room) -> None:
        await room.set_policy(**caps(per_hour=1))
        await room.allowed("a", "b")

        assert isinstance(await room.ask("a"), Held)

    async def test_sessions_are_ended_still_where_the_password_is_invalid_already(self, room: Room) -> None:
        await room.set_policy(**caps(per_hour=1))
        await room.allowed("a", "b")

        assert isinstance(await room.ask("a", step=CaseStep.REVOKED), Permit)

    async def test_an_hour_later_the_count_begins_anew_and_the_breaker_stays_tripped(self, room: Room) -> None:
        await room.set_policy(**caps(per_hour=1))
        await room.allowed("a", "b")
        room.later(61)

        held = await room.ask("b")

        assert (await room.guarding()).counts.acted == 0
        assert isinstance(held, Held)

    async def test_accounts_of_the_hour_before_do_not_count(self, room: Room) -> None:
        await room.set_policy(**caps(per_hour=1))
        await room.allowed("a")
        room.later(60)

        assert await room.allowed("b") == ["b"]

    async def test_privileged_accounts_have_a_cap_of_their_own(self, room: Room) -> None:
        await room.set_policy(**caps(privileged_per_hour=1))
        await room.allowed("person")

        assert await room.allowed("admin", "other admin", privileged=True) == ["admin"]
        assert await room.moves() == [("tenant", "tripped", "more than 1 privileged accounts in one hour")]

    async def test_a_share_of_the_persons_is_a_cap(self, room: Room) -> None:
        await room.set_policy(**caps(share=0.05))
        await room.pool.execute(
            "INSERT INTO directory (name, tenant_id, kind, options, secret, every_seconds, added_at, next_at) "
            "VALUES ('ad', $1, 'openldap', '{}', 's', 60, $2, $2)",
            ACME,
            room.now,
        )
        await room.pool.execute(
            "INSERT INTO identity (directory, object_id, tenant_id, logins, account, enabled, kind, kind_why, "
            "privileged, read_at) SELECT 'ad', 'p' || n, $1, '{}', '{}', n <= 80, "
            "CASE WHEN n <= 85 THEN 'person' ELSE 'service' END, '', false, $2 FROM generate_series(1, 100) AS n",
            ACME,
            room.now,
        )

        assert await room.allowed("a", "b", "c", "d", "e") == ["a", "b", "c", "d"]
        [(_, _, why)] = await room.moves()
        assert why == "more than 5% of 80 persons in one hour, which is 4 accounts"

    async def test_two_workers_at_once_do_not_get_more_than_one(self, room: Room) -> None:
        await room.set_policy(**caps(per_hour=3))

        answers = await asyncio.gather(*(room.ask(f"person {n}") for n in range(8)))

        assert sum(isinstance(each, Permit) for each in answers) == 3
        assert len(await room.moves()) == 1

    async def test_one_clients_breaker_is_not_anothers(self, room: Room) -> None:
        await room.set_policy(**caps(per_hour=1))
        await room.allowed("a", "b")

        assert await room.allowed("c", tenant=BIRCH) == ["c"]


class TestAllClients:
    @pytest.fixture(autouse=True)
    async def few_for_all(self, room: Room) -> None:
        await room.pool.execute(
            "INSERT INTO guard_document VALUES ($1, 1, $2, '', 'a test', $3)",
            EVERYONE,
            {"per_hour": 3, "tripped_clients": 2},
            room.now,
        )
        for tenant in (ACME, BIRCH):
            await room.set_policy(tenant, **caps(per_hour=2))

    async def test_their_accounts_are_counted_together(self, room: Room) -> None:
        await room.allowed("a", "b")

        assert await room.allowed("c", "d", tenant=BIRCH) == ["c"]
        assert await room.moves() == [("global", "tripped", "more than 3 accounts of all clients in one hour")]
        assert isinstance(await room.ask("a"), Held)
        assert (await room.guarding()).held is not None

    async def test_several_clients_that_trip_stop_all(self, room: Room) -> None:
        await room.arrive("x", named=5000)
        await room.arrive("y", named=5000, tenant=BIRCH)

        assert await room.state(EVERYONE) == "tripped"
        assert [scope for scope, _, _ in await room.moves()] == ["tenant", "tenant", "global"]


class TestEnding:
    async def test_too_many_failures_trip(self, room: Room) -> None:
        await room.set_policy(**caps(error_least=4, error_rate=0.3))
        await room.allowed("a", "b", "c", "d")
        for name in ("a", "b"):
            await room.ended(name, succeeded=True)
        await room.ended("c", succeeded=False)
        assert await room.state() == "armed"

        await room.ended("d", succeeded=False)

        assert await room.moves() == [("tenant", "tripped", "2 of the last 4 resets failed; at most 30% may")]

    async def test_a_failure_told_twice_is_one(self, room: Room) -> None:
        await room.set_policy(**caps(error_least=2, error_rate=0.5))
        await room.allowed("a", "b")
        await room.ended("b", succeeded=True)

        for _ in range(3):
            await room.ended("a", succeeded=False)

        assert await room.state() == "armed"
        assert (await room.guarding()).counts.failed == 1

    async def test_a_failure_that_a_retry_mended_is_none(self, room: Room) -> None:
        await room.allowed("a")
        await room.ended("a", succeeded=False)

        await room.ended("a", succeeded=True)

        counts = (await room.guarding()).counts
        assert (counts.finished, counts.failed) == (1, 0)

    async def test_the_end_of_what_was_never_allowed_changes_nothing(self, room: Room) -> None:
        await room.ended("nobody", succeeded=False)

        assert (await room.guarding()).counts.finished == 0


class TestArriving:
    async def test_a_delivery_that_names_thousands_trips_before_anybody_is_reset(self, room: Room) -> None:
        await room.set_policy(caps={"per_delivery": 25})

        await room.arrive(*(f"person {n}" for n in range(40)), named=10_000)

        [(_, state, why)] = await room.moves()
        assert (state, why) == ("tripped", "one delivery names 10000 accounts; more than 25 are not acted on")
        assert isinstance(await room.ask("person 1"), Held)

    async def test_the_rest_of_a_flood_is_told_no_more(self, room: Room) -> None:
        for batch in range(4):
            await room.arrive(*(f"person {batch}-{n}" for n in range(50)), named=10_000)

        assert len(await room.moves()) == 1

    async def test_a_sudden_volume_in_many_small_deliveries_trips_too(self, room: Room) -> None:
        for n in range(21):
            await room.arrive(f"person {n}")

        [(_, _, why)] = await room.moves()
        assert why == "sudden volume: 21 accounts named in one hour, no usual day is known yet"

    async def test_the_same_account_again_and_again_is_no_volume(self, room: Room) -> None:
        for _ in range(30):
            await room.arrive("ada", "bob")

        assert await room.moves() == []

    async def test_what_is_usual_is_learned_from_the_days_before(self, room: Room) -> None:
        for day in range(5):
            await room.arrive(*(f"person {day}-{n}" for n in range(4)))
            room.later(24 * 60)

        await room.arrive(*(f"new {n}" for n in range(40)))
        assert await room.moves() == []
        await room.arrive("one more")

        [(_, _, why)] = await room.moves()
        assert why == "sudden volume: 41 accounts named in one hour, 4 on a usual day"

    async def test_only_administrators_in_an_hour_trip(self, room: Room) -> None:
        await room.arrive("admin 1", "admin 2", privileged=True)
        assert await room.moves() == []

        await room.arrive("admin 3", privileged=True)

        assert (await room.moves())[0][2] == "all 3 accounts named in one hour are privileged"

    async def test_many_by_one_source_alone_trip_where_there_are_others(self, room: Room) -> None:
        await room.arrive("ada", source=HIBP)
        room.later(120)

        await room.arrive(*(f"person {n}" for n in range(10)))

        assert (await room.moves())[0][2] == "10 accounts named in one hour by one source alone, of 2 known"

    async def test_a_late_delivery_counts_for_its_own_hour(self, room: Room) -> None:
        for n in range(15):
            await room.arrive(f"person {n}")

        await room.arrive(*(f"late {n}" for n in range(15)), received_at=NOON - 2 * HOUR)
        await room.arrive("one more")

        assert await room.moves() == []

    async def test_a_bad_neighbour_trips_its_own_breaker_alone(self, room: Room) -> None:
        await room.arrive("x", tenant=BIRCH, named=10_000)
        await room.arrive("ada")

        assert (await room.state(BIRCH), await room.state(ACME)) == ("tripped", "armed")

    async def test_nobody_named_is_nothing(self, room: Room) -> None:
        await room.arrive()

        assert await room.moves() == []
