"""A ticket of ConnectWise is created as it was meant, once, and read back."""

from dataclasses import replace
from typing import Any

import pytest

from chassis.errors import NeverWorks
from chassis.http import Refused, Unavailable
from services.ticketing.adapters.connectwise import ConnectWise, Words
from services.ticketing.adapters.connectwise_places import UnknownCompany
from services.ticketing.adapters.tracker import NotAsWritten
from services.ticketing.records import TicketRef
from simulators.connectwise import BOARD, OTHER_BOARD, Sandbox
from tests.ticketing.connectwise.tickets import DRAFT, KEY, writes
from tests.ticketing.psa import of


class TestCreate:
    async def test_a_ticket_is_what_was_written(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(replace(DRAFT, title="x" * 200), None)

        ticket = psa.records.ticket(int(ref.id))
        assert (ticket["externalXRef"], ticket["company"]["identifier"]) == (KEY, "ACME")
        assert (ticket["board"]["name"], ticket["status"]["name"]) == (BOARD, "New")
        assert ticket["summary"] == "x" * 99 + "…"
        [note] = psa.records.notes[int(ref.id)]
        assert (note["internalAnalysisFlag"], note["detailDescriptionFlag"]) == (True, False)
        assert note["text"] == f"body\n\nPatchline: {DRAFT.marker}"
        assert await desk.find(KEY) == [ref] == [TicketRef(id=ref.id, is_open=True)]

    async def test_the_settings_choose_status_priority_and_who_sees_it(self, psa: Sandbox) -> None:
        words = Words(
            board=OTHER_BOARD,
            new_status="in progress",
            notes="discussion",
            skips_callbacks=True,
            priority_by_severity={"critical": "Priority 1 - Emergency"},
        )
        desk = of(psa, words=words)
        ref = await desk.create(DRAFT, None)
        await desk.close()

        ticket = psa.records.ticket(int(ref.id))
        assert (ticket["board"]["name"], ticket["status"]["name"]) == (OTHER_BOARD, "In Progress")
        assert ticket["priority"]["name"] == "Priority 1 - Emergency"
        assert psa.records.notes[int(ref.id)][0]["detailDescriptionFlag"]
        [created] = writes(psa)
        assert (created.fields()["skipCallback"], created.fields()["processNotifications"]) == (True, False)

    @pytest.mark.parametrize("company", ["Nobody", 'ACME" or identifier!="', "Ac\nme", ""])
    async def test_an_unknown_company_is_named_with_what_to_do(
        self, psa: Sandbox, desk: ConnectWise, company: str
    ) -> None:
        with pytest.raises(UnknownCompany, match="--psa-company") as caught:
            await desk.create(replace(DRAFT, company=company, title="Update fails at Acme Dental"), None)

        assert isinstance(caught.value, NeverWorks)
        assert repr(company) in str(caught.value)
        assert "Acme Dental" in str(caught.value)
        assert writes(psa) == []

    async def test_a_company_that_left_is_unknown(self, psa: Sandbox, desk: ConnectWise) -> None:
        await desk.create(DRAFT, None)
        psa.records.companies[0]["deletedFlag"] = True

        with pytest.raises(Refused, match="company"):
            await desk.create(replace(DRAFT, key=f"{KEY}0"), None)
        with pytest.raises(UnknownCompany):
            await desk.create(replace(DRAFT, key=f"{KEY}0"), None)

    async def test_numbers_are_looked_up_once(self, psa: Sandbox, desk: ConnectWise) -> None:
        await desk.create(DRAFT, None)
        psa.calls.clear()

        await desk.create(replace(DRAFT, key=f"{KEY}0"), None)

        assert [call.method for call in psa.calls] == ["POST", "GET"]

    @pytest.mark.parametrize(
        "words",
        [
            pytest.param(Words(board="Nowhere"), id="no such board"),
            pytest.param(Words(board='x" or name!="'), id="a board that is none"),
            pytest.param(Words(board=BOARD, new_status="Closed"), id="a new ticket's status that closes"),
            pytest.param(Words(board=BOARD, new_status="Fresh"), id="no such status"),
            pytest.param(Words(board=BOARD, priority_by_severity={"critical": "Red"}), id="no such priority"),
        ],
    )
    async def test_a_wrong_setting_makes_everyone_wait_and_makes_nothing(self, psa: Sandbox, words: Words) -> None:
        desk = of(psa, words=words)
        with pytest.raises(Unavailable, match="not set up") as caught:
            await desk.create(DRAFT, None)
        await desk.close()

        assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (30, False)
        assert psa.records.tickets == {}

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param({"externalXRef": None}, id="without our key"),
            pytest.param({"company": {"id": 3, "name": "Other"}}, id="for another company"),
            pytest.param({"closedFlag": True}, id="closed"),
        ],
    )
    async def test_a_ticket_that_is_not_as_written_needs_a_person(
        self, psa: Sandbox, desk: ConnectWise, spoil: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        create = psa.records.create

        def spoilt(*arguments: Any, **named: Any) -> Any:
            ticket = create(*arguments, **named)
            ticket.update(spoil)
            return ticket

        monkeypatch.setattr(type(psa.records), "create", lambda _self, *a, **n: spoilt(*a, **n))

        with pytest.raises(NotAsWritten, match="ticket"):
            await desk.create(DRAFT, None)

    @pytest.mark.parametrize("fault", ["broken_after", "lost_after"])
    async def test_a_lost_creation_may_have_happened(self, psa: Sandbox, desk: ConnectWise, fault: str) -> None:
        setattr(psa.faults, fault, 1)

        with pytest.raises(Unavailable) as caught:
            await desk.create(DRAFT, None)

        assert caught.value.ambiguous
        assert len(await desk.find(KEY)) == 1

    async def test_a_creation_that_cannot_be_read_back_leaves_open_whether_it_happened(
        self, psa: Sandbox, desk: ConnectWise
    ) -> None:
        await desk._places.company(DRAFT)
        await desk._places.board()
        psa.faults.broken_reads = 1

        with pytest.raises(Unavailable, match="not read back") as caught:
            await desk.create(DRAFT, None)

        assert caught.value.ambiguous
