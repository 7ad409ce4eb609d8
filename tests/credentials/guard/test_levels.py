"""Promises begin with a case, follow what is told of it, and are told once when they break."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.events.credential import (
    CaseClosed,
    CaseDecided,
    CaseEvent,
    CaseStep,
    CaseStepDone,
    Decision,
    PromiseBroken,
)
from services.credentials.records import Fact
from tests.builders import ACME, MINUTE, NOON
from tests.credentials.guard.conftest import CAUSE, Room, case, opened


def of_case(name: str, event: type[CaseEvent], *, minutes: float, **fields: Any) -> Fact:
    at = NOON + minutes * MINUTE
    if event is CaseStepDone:
        fields |= {"done_at": at, "proof": "seen"}
    told = event.model_validate({"case": str(case(name)), "login": f"{name}@acme.example", **fields})
    return Fact(tenant=ACME, key=str(case(name)), event=told, at=at, cause=CAUSE)


def done(name: str, step: CaseStep, *, minutes: float) -> Fact:
    return of_case(name, CaseStepDone, minutes=minutes, step=step)


async def standing(room: Room, name: str) -> dict[str, str]:
    """Return how each promise of a case stands."""
    rows = await room.pool.fetch(
        "SELECT promise, CASE WHEN kept_at IS NOT NULL THEN 'kept' WHEN waived_at IS NOT NULL THEN 'waived' "
        "WHEN broken_at IS NOT NULL THEN 'broken' ELSE 'running' END AS standing FROM promise WHERE case_id = $1",
        case(name),
    )
    return {row["promise"]: row["standing"] for row in rows}


async def broken(room: Room) -> list[tuple[str, float]]:
    """Return the promises that were told as broken, with the minute after the alert in which they were due."""
    return [
        (each.data.promise.value, (each.data.due_at - NOON) / MINUTE)
        for each in await room.told(PromiseBroken)
        if isinstance(each.data, PromiseBroken)
    ]


class TestFollowing:
    async def test_a_case_begins_what_its_decision_owes(self, room: Room) -> None:
        await room.tell(opened("ada"), opened("bob", decision=Decision.NOTIFY), opened("eve", dry_run=True))

        assert set((await standing(room, "ada")).values()) == {"running"}
        assert await standing(room, "bob") == {
            "ticket": "running",
            "reset": "waived",
            "notice": "running",
            "verified": "waived",
        }
        assert set((await standing(room, "eve")).values()) == {"waived"}

    async def test_it_is_due_as_the_clients_policy_says(self, room: Room) -> None:
        await room.set_policy(levels={"ticket": 5, "reset": 30})

        await room.tell(opened("ada"))

        rows = await room.pool.fetch("SELECT promise, due_at FROM promise ORDER BY due_at, promise")
        assert [(row["promise"], (row["due_at"] - NOON) / MINUTE) for row in rows] == [
            ("ticket", 5),
            ("reset", 30),
            ("notice", 120),
            ("verified", 240),
        ]

    async def test_the_same_case_opened_again_begins_nothing(self, room: Room) -> None:
        await room.tell(opened("ada"))
        await room.set_policy(levels={"ticket": 5})

        await room.tell(opened("ada"))

        due = await room.pool.fetchval("SELECT due_at FROM promise WHERE promise = 'ticket'")
        assert due == NOON + 15 * MINUTE

    async def test_steps_keep_promises_and_the_first_time_counts(self, room: Room) -> None:
        await room.tell(opened("ada"))

        await room.tell(
            done("ada", CaseStep.TICKETED, minutes=2),
            done("ada", CaseStep.INVALIDATED, minutes=3),
            done("ada", CaseStep.REVOKED, minutes=4),
            done("ada", CaseStep.NOTIFIED, minutes=6),
            done("ada", CaseStep.NOTIFIED, minutes=9),
        )
        await room.tell(done("ada", CaseStep.INVALIDATED, minutes=50))

        rows = await room.pool.fetch("SELECT promise, kept_at FROM promise WHERE kept_at IS NOT NULL ORDER BY kept_at")
        assert [(row["promise"], row["kept_at"] - NOON) for row in rows] == [
            ("ticket", 2 * MINUTE),
            ("reset", 3 * MINUTE),
            ("notice", 6 * MINUTE),
        ]

    async def test_opened_and_done_in_one_breath(self, room: Room) -> None:
        await room.tell(opened("ada"), done("ada", CaseStep.INVALIDATED, minutes=1))

        assert (await standing(room, "ada"))["reset"] == "kept"

    @pytest.mark.parametrize(
        ("decision", "reset"),
        [(Decision.NOTIFY, "waived"), (Decision.REFUSE, "waived"), (Decision.RESET, "running")],
    )
    async def test_a_new_decision_changes_what_is_owed(self, room: Room, decision: Decision, reset: str) -> None:
        await room.tell(opened("ada", decision=Decision.ASK))

        await room.tell(
            of_case("ada", CaseDecided, minutes=9, before=Decision.ASK, decision=decision, why="they decided")
        )

        assert (await standing(room, "ada"))["reset"] == reset

    async def test_what_was_waived_is_owed_again(self, room: Room) -> None:
        await room.tell(opened("ada", decision=Decision.NOTIFY))

        await room.tell(
            of_case("ada", CaseDecided, minutes=9, before=Decision.NOTIFY, decision=Decision.RESET, why="new evidence")
        )

        assert set((await standing(room, "ada")).values()) == {"running"}

    async def test_a_dry_run_owes_nothing_whatever_is_decided(self, room: Room) -> None:
        await room.tell(opened("ada", dry_run=True, decision=Decision.NOTIFY))

        await room.tell(
            of_case("ada", CaseDecided, minutes=9, before=Decision.NOTIFY, decision=Decision.RESET, why="new evidence")
        )

        assert set((await standing(room, "ada")).values()) == {"waived"}

    async def test_a_case_that_ends_as_remediated_owes_nothing_more(self, room: Room) -> None:
        await room.tell(opened("ada"), done("ada", CaseStep.NOTIFIED, minutes=2))

        await room.tell(of_case("ada", CaseClosed, minutes=5, decision=Decision.REMEDIATED, proof="changed before"))

        assert await standing(room, "ada") == {
            "ticket": "waived",
            "reset": "waived",
            "notice": "kept",
            "verified": "waived",
        }

    async def test_a_closed_reset_without_a_ticket_still_owes_it(self, room: Room) -> None:
        await room.tell(opened("ada"))

        await room.tell(of_case("ada", CaseClosed, minutes=5, decision=Decision.RESET, proof="seen"))

        assert (await standing(room, "ada"))["ticket"] == "running"


class TestBreaking:
    async def test_what_is_missing_when_its_moment_passes_is_told(self, room: Room) -> None:
        await room.tell(opened("ada"), done("ada", CaseStep.INVALIDATED, minutes=3))
        room.later(125)

        await room.look()

        assert await broken(room) == [("ticket", 15), ("notice", 120)]

    async def test_it_is_told_once(self, room: Room) -> None:
        await room.tell(opened("ada"))
        room.later(16)

        for _ in range(3):
            await room.look()

        assert await broken(room) == [("ticket", 15)]

    async def test_two_that_look_at_once_tell_it_once(self, room: Room) -> None:
        await room.tell(*(opened(f"person {n}") for n in range(20)))
        room.later(16)

        async with room.pool.acquire(), room.pool.acquire():
            await room.look()
            await room.look()

        assert len(await broken(room)) == 20

    async def test_what_is_kept_or_waived_is_never_told(self, room: Room) -> None:
        await room.tell(opened("ada", dry_run=True), opened("bob", decision=Decision.REMEDIATED))
        room.later(1000)

        await room.look()

        assert await broken(room) == []

    async def test_what_comes_late_is_kept_late(self, room: Room) -> None:
        await room.tell(opened("ada"))
        room.later(61)
        await room.look()

        await room.tell(done("ada", CaseStep.INVALIDATED, minutes=62))

        row = await room.pool.fetchrow("SELECT kept_at, due_at, broken_at FROM promise WHERE promise = 'reset'")
        assert row is not None
        assert row["kept_at"] - row["due_at"] == timedelta(minutes=2)
        assert row["broken_at"] is not None

    async def test_it_says_who_and_when_it_was_due(self, room: Room) -> None:
        await room.tell(opened("ada", foreign=True))
        room.later(16)
        await room.look()

        [told] = await room.told(PromiseBroken)

        assert isinstance(told.data, PromiseBroken)
        assert (told.subject, told.tenant, told.causation) == (str(case("ada")), ACME, CAUSE.id)
        assert (told.time, told.data.due_at) == (NOON + 15 * MINUTE, NOON + 15 * MINUTE)
        assert (told.data.login, told.data.foreign) == ("ada@acme.example", True)
