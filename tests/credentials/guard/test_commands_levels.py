"""`patchline case levels`: the report of the service level, as an operator types it."""

from datetime import timedelta

import pytest

from contracts.events.credential import CaseStep
from services.credentials.guard.commands_levels import spoken
from tests.builders import BIRCH, MINUTE, NOON
from tests.credentials.guard.conftest import Room, opened
from tests.credentials.guard.test_levels import done
from tests.credentials.guard.typed import Typed, rows, run


class TestLevels:
    async def test_the_report_shows_each_promise_of_each_client(self, typed: Typed, room: Room) -> None:
        await room.tell(opened("ada"), opened("bob"), opened("cid", tenant=BIRCH))
        await room.tell(done("ada", CaseStep.INVALIDATED, minutes=10), done("bob", CaseStep.INVALIDATED, minutes=90))
        room.later(100)

        report = await rows(typed, "levels")

        reset = {row["client"]: row for row in report if row["promise"] == "reset"}
        acme, birch = reset["Acme Dental"], reset["Birch Law"]
        assert (acme["in_time"], acme["late"], acme["percent"]) == (1, 1, 50.0)
        assert (acme["p50_seconds"], acme["worst_seconds"]) == (600, 5400)
        assert (birch["missing"], birch["percent"]) == (1, 0.0)

    async def test_one_client_and_an_interval(self, typed: Typed, room: Room) -> None:
        await room.tell(opened("old", at=NOON - timedelta(days=9)), opened("new"), opened("cid", tenant=BIRCH))
        room.later(1)

        report = await rows(typed, "levels", "--client", "Acme Dental", "--since", f"{NOON - MINUTE:%Y-%m-%dT%H:%M:%S}")

        assert [(row["client"], row["owed"]) for row in report] == [("Acme Dental", 1)] * 4

    async def test_an_interval_that_ends_before_it_begins(self, typed: Typed) -> None:
        answer = await run(typed, "levels", "--since", "2026-11-09", "--until", "2026-11-08", code=2)

        assert "--since is not before --until" in answer.stderr

    async def test_a_table_for_people(self, typed: Typed, room: Room) -> None:
        await room.tell(opened("ada"), done("ada", CaseStep.INVALIDATED, minutes=10))
        room.later(1)

        assert "10 min" in (await run(typed, "levels")).stdout

    @pytest.mark.parametrize(
        ("seconds", "text"), [(None, None), (0, "0 s"), (119, "119 s"), (600, "10 min"), (9000, "2.5 h")]
    )
    def test_lengths_of_time_are_spoken(self, seconds: float | None, text: str | None) -> None:
        assert spoken(seconds) == text
