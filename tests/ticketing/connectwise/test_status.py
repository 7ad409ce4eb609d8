"""A ticket of ConnectWise is closed and opened again, unless a person was first; two become one."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chassis.http import Unavailable
from services.ticketing.adapters.connectwise import ConnectWise
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Note, TicketRef
from simulators.connectwise import OTHER_BOARD, Sandbox
from tests.ticketing.connectwise.tickets import CLOSING, DRAFT, KEY, NOTE, OPENING, status_of
from tests.ticketing.psa import WORDS, Person, of, texts


class TestStatus:
    async def test_closing_sets_the_first_status_that_closes(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)

        await desk.resolve(ref, CLOSING)

        assert status_of(psa, ref) == "Completed"
        assert psa.records.ticket(int(ref.id))["closedFlag"]
        [patch] = [call for call in psa.calls if call.method == "PATCH"]
        assert json.loads(patch.body) == [{"op": "replace", "path": "status", "value": {"id": 103}}]

    async def test_what_closes_is_the_flag_and_not_the_name(self, psa: Sandbox, desk: ConnectWise) -> None:
        for status in psa.records.statuses[1]:
            status["closedStatus"] = status["name"] == "Waiting Customer"

        ref = await desk.create(DRAFT, None)
        await desk.resolve(ref, CLOSING)

        assert status_of(psa, ref) == "Waiting Customer"

    async def test_the_settings_choose_the_statuses(self, psa: Sandbox) -> None:
        desk = of(psa, words=replace(WORDS, resolved_status="closed", reopened_status="In Progress"))
        ref = await desk.create(DRAFT, None)

        await desk.resolve(ref, CLOSING)
        closed = status_of(psa, ref)
        await desk.reopen(replace(ref, is_open=False), OPENING)
        await desk.close()

        assert (closed, status_of(psa, ref)) == ("Closed", "In Progress")

    @pytest.mark.parametrize("name", ["Done", "In Progress"], ids=["not there", "one that does not close"])
    async def test_a_status_that_does_not_fit_is_not_set(self, psa: Sandbox, name: str) -> None:
        desk = of(psa, words=replace(WORDS, resolved_status=name))
        ref = await desk.create(DRAFT, None)

        with pytest.raises(Unavailable, match="Completed, Closed"):
            await desk.resolve(ref, CLOSING)
        await desk.close()

        assert status_of(psa, ref) == "New"

    async def test_a_ticket_on_another_board_gets_that_boards_status(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        Person(psa).move(ref.id, OTHER_BOARD)

        await desk.resolve(ref, CLOSING)

        assert psa.records.ticket(int(ref.id))["status"] == {"id": 203, "name": "Completed"}

    async def test_reopening_what_a_person_opened_says_so_and_leaves_the_status(
        self, psa: Sandbox, desk: ConnectWise
    ) -> None:
        ref = await desk.create(DRAFT, None)
        Person(psa).set_status(ref.id, "In Progress")

        await desk.reopen(ref, OPENING)

        assert (status_of(psa, ref), len(texts(psa, ref.id))) == ("In Progress", 2)

    async def test_a_status_that_a_workflow_swallows_is_set_again(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        psa.records.workflow.swallow_statuses = 1

        await desk.resolve(ref, CLOSING)

        assert status_of(psa, ref) == "Completed"

    async def test_a_status_that_never_lands_needs_a_person(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        psa.records.workflow.swallow_statuses = 99

        with pytest.raises(NotAsWritten, match="workflow rules"):
            await desk.resolve(ref, CLOSING)

        psa.records.workflow.swallow_statuses = 0
        await desk.resolve(ref, CLOSING)
        assert (status_of(psa, ref), len(texts(psa, ref.id))) == ("Completed", 2)

    async def test_a_person_who_moves_the_ticket_at_the_same_moment_makes_us_look_again(
        self, psa: Sandbox, desk: ConnectWise, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ref = await desk.create(DRAFT, None)
        patch = desk._wire.patch

        async def and_jane(*arguments: Any) -> None:
            await patch(*arguments)
            Person(psa).set_status(ref.id, "In Progress")

        monkeypatch.setattr(desk._wire, "patch", and_jane)

        with pytest.raises(ChangedMeanwhile, match="a person"):
            await desk.resolve(ref, CLOSING)

    @pytest.mark.parametrize("fault", ["broken_before", "broken_after", "lost_after"])
    async def test_a_closing_whose_status_was_lost_is_not_done_and_its_second_try_says_nothing_again(
        self, psa: Sandbox, desk: ConnectWise, fault: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ref = await desk.create(DRAFT, None)
        patch = desk._wire.patch

        async def faulty(*arguments: Any) -> None:
            setattr(psa.faults, fault, 1)
            await patch(*arguments)

        with monkeypatch.context() as during:
            during.setattr(desk._wire, "patch", faulty)
            with pytest.raises(Unavailable) as caught:
                await desk.resolve(ref, CLOSING)
        [found] = await desk.find(KEY)

        assert caught.value.ambiguous
        assert found.is_open is (fault == "broken_before")
        assert await desk.has_note(found, CLOSING.marker) is not found.is_open
        if found.is_open:
            await desk.resolve(found, CLOSING)
        assert (status_of(psa, ref), len(texts(psa, ref.id))) == ("Completed", 2)

    async def test_a_ticket_that_a_person_closed_in_the_end_was_not_closed_by_us(
        self, psa: Sandbox, desk: ConnectWise
    ) -> None:
        ref = await desk.create(DRAFT, None)
        psa.records.workflow.swallow_statuses = 99
        with pytest.raises(NotAsWritten):
            await desk.resolve(ref, CLOSING)
        psa.records.workflow.swallow_statuses = 0
        Person(psa).set_status(ref.id, "Closed")

        closed = replace(ref, is_open=False)
        assert await desk.last_note(closed, KEY) == DRAFT.marker
        assert not await desk.has_note(closed, CLOSING.marker)

    async def test_a_ticket_that_we_closed_says_so(self, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        await desk.resolve(ref, CLOSING)

        closed = replace(ref, is_open=False)
        assert await desk.last_note(closed, KEY) == CLOSING.marker
        assert await desk.has_note(closed, CLOSING.marker)


class TestMerge:
    ON_KEPT, ON_OTHER = Note(marker=f"{KEY}/merged/2", text="kept"), Note(marker=f"{KEY}/merged-into/1", text="gone")

    async def merge(self, desk: ConnectWise, kept: TicketRef, other: TicketRef) -> None:
        await desk.take_over(kept, other, key=KEY, note=self.ON_KEPT)
        await desk.give_way(other, kept, key=KEY, note=self.ON_OTHER)

    async def test_what_people_wrote_is_shown_on_the_kept_ticket_once(self, psa: Sandbox, desk: ConnectWise) -> None:
        psa.clock = lambda: datetime(2026, 11, 22, 10, tzinfo=UTC)
        kept, jane = await desk.create(DRAFT, None), Person(psa)
        other = TicketRef(id=jane.plant(KEY, text="planted by hand"), is_open=True)
        jane.say(other.id, "I called them", "detailDescriptionFlag")
        await desk.append(other, NOTE)

        for _ in range(2):
            await self.merge(desk, kept, other)

        shown = psa.records.notes[int(kept.id)][1:]
        assert [note["text"].splitlines()[0] for note in shown] == [
            f"jane wrote on 2026-11-22T10:00:00Z on ticket {other.id}:",
            f"jane wrote on 2026-11-22T10:00:00Z on ticket {other.id}:",
            "kept",
        ]
        assert ["planted by hand" in shown[0]["text"], "I called them" in shown[1]["text"]] == [True, True]
        assert [note["detailDescriptionFlag"] for note in shown] == [True, True, False]
        assert (status_of(psa, other), status_of(psa, kept)) == ("Completed", "New")
        assert [text.splitlines()[0] for text in texts(psa, other.id)][-1] == "gone"
        assert len(texts(psa, other.id)) == 4
        assert await desk.last_note(kept, KEY) == DRAFT.marker

    async def test_a_person_who_writes_in_between_is_not_lost(self, psa: Sandbox, desk: ConnectWise) -> None:
        kept, jane = await desk.create(DRAFT, None), Person(psa)
        other = TicketRef(id=jane.plant(KEY), is_open=True)
        await desk.take_over(kept, other, key=KEY, note=self.ON_KEPT)
        jane.say(other.id, "wait")

        with pytest.raises(ChangedMeanwhile, match="a person wrote"):
            await desk.give_way(other, kept, key=KEY, note=self.ON_OTHER)
        assert status_of(psa, other) == "New"

        await self.merge(desk, kept, other)
        assert (status_of(psa, other), len(texts(psa, kept.id))) == ("Completed", 3)

    async def test_a_merge_that_was_cut_off_anywhere_is_finished_and_says_nothing_twice(
        self, psa: Sandbox, desk: ConnectWise
    ) -> None:
        kept, jane = await desk.create(DRAFT, None), Person(psa)
        other = TicketRef(id=jane.plant(KEY, text="one"), is_open=True)
        jane.say(other.id, "two")
        lost = 0
        for _ in range(10):
            psa.faults.lost_after = 1
            try:
                await self.merge(desk, kept, other)
            except Unavailable:
                lost += 1

        assert lost == 5  # two copies, two notes, one status
        assert len(texts(psa, kept.id)) == 4
        assert (status_of(psa, other), len(texts(psa, other.id))) == ("Completed", 3)
