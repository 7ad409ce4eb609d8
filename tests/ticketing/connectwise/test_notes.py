"""Notes of ConnectWise: what is written lands, is found again, and is read back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.http import Unavailable
from services.ticketing.adapters.connectwise import ConnectWise
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from simulators.connectwise import Sandbox
from tests.ticketing.connectwise.tickets import CLOSING, DRAFT, KEY, NOTE, OPENING, do, status_of
from tests.ticketing.psa import Person, texts


class TestNotes:
    async def test_a_note_is_added_and_the_status_kept(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        Person(psa).set_status(ref.id, "In Progress")

        await desk.append(ref, NOTE)

        assert status_of(psa, ref) == "In Progress"
        assert texts(psa, ref.id)[1:] == [f"more\n\nPatchline: {NOTE.marker}"]
        assert await desk.has_note(ref, NOTE.marker)
        assert not await desk.has_note(ref, f"{KEY}/2/append/other")
        assert await desk.last_note(ref, KEY) == NOTE.marker

    async def test_notes_beyond_a_page_are_found(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref, jane = await desk.create(DRAFT, None), Person(psa)
        for number in range(1100):
            jane.say(ref.id, f"note {number}")
        await desk.append(ref, NOTE)

        assert await desk.has_note(ref, NOTE.marker)

    async def test_a_person_who_quotes_a_note_did_not_write_it(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        Person(psa).say(ref.id, f"more\n\nPatchline: {NOTE.marker}")

        assert not await desk.has_note(ref, NOTE.marker)
        assert await desk.last_note(ref, KEY) == DRAFT.marker

    async def test_a_note_that_is_cut_off_needs_a_person(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        psa.records.workflow.cut_notes_at = 40

        with pytest.raises(NotAsWritten, match="cut off"):
            await desk.append(ref, NOTE)

    @pytest.mark.parametrize(
        ("fault", "is_ambiguous"),
        [("broken_after", True), ("lost_after", True), ("broken_before", True), ("limited", False)],
    )
    async def test_a_lost_note_may_have_been_said(
        self, psa: Sandbox, desk: ConnectWise, fault: str, *, is_ambiguous: bool
    ) -> None:
        ref = await desk.create(DRAFT, None)
        setattr(psa.faults, fault, 1)

        with pytest.raises(Unavailable) as caught:
            await desk.append(ref, NOTE)

        assert caught.value.ambiguous is is_ambiguous

    async def test_a_person_in_between_makes_us_look_again(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref, gone = await desk.create(DRAFT, None), await desk.create(replace(DRAFT, key=f"{KEY}0"), None)
        Person(psa).set_status(ref.id, "Closed")
        psa.records.delete(int(gone.id))

        for each, note in ((ref, NOTE), (ref, CLOSING), (gone, NOTE), (replace(gone, is_open=False), OPENING)):
            with pytest.raises(ChangedMeanwhile):
                await do(desk, each, note)

        assert len(texts(psa, ref.id)) == 1

    async def test_a_note_that_meets_a_closing_was_said_to_nobody(
        self, psa: Sandbox, desk: ConnectWise, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ref, say = await desk.create(DRAFT, None), desk._wire.say

        async def after_jane(*arguments: Any) -> None:
            Person(psa).set_status(ref.id, "Closed")
            await say(*arguments)

        monkeypatch.setattr(desk._wire, "say", after_jane)
        with pytest.raises(ChangedMeanwhile, match="a person closed"):
            await desk.append(ref, NOTE)

        assert not await desk.has_note(replace(ref, is_open=False), NOTE.marker)

    async def test_a_note_that_was_there_before_a_closing_was_said(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        await desk.append(ref, NOTE)
        later = datetime.now(UTC) + timedelta(seconds=2)
        psa.clock = lambda: later
        Person(psa).set_status(ref.id, "Closed")

        assert await desk.has_note(replace(ref, is_open=False), NOTE.marker)
