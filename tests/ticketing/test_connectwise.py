"""ConnectWise PSA over HTTP, in its wire format: what is written lands, is found again, and is read back."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from chassis.errors import NeverWorks
from chassis.http import Refused, Unavailable
from services.ticketing.adapters.connectwise import ConnectWise, Words
from services.ticketing.adapters.connectwise_places import UnknownCompany
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Draft, Note, TicketRef
from simulators.connectwise import BOARD, CLIENT_ID, OTHER_BOARD, Sandbox
from simulators.connectwise_wire import Call
from tests.ticketing.psa import LOGIN, WORDS, Person, numbers, of, renewed, texts

KEY = "pl-patch_failed-5d2f0a4e-0000-4000-8000-000000000000-g1"
DRAFT = Draft(key=KEY, title="T", text="body", company="ACME", severity="critical", marker=f"{KEY}/1/open/e1")
NOTE = Note(marker=f"{KEY}/2/append/e2", text="more")
CLOSING = Note(marker=f"{KEY}/3/resolve/e3", text="done")
OPENING = Note(marker=f"{KEY}/4/reopen/e4", text="again")


@pytest.fixture
def psa(connectwise: Sandbox) -> Sandbox:
    return renewed(connectwise)


@pytest.fixture
async def desk(psa: Sandbox) -> AsyncIterator[ConnectWise]:
    connected = of(psa)
    yield connected
    await connected.close()


def writes(psa: Sandbox) -> list[Call]:
    return [call for call in psa.calls if call.is_write]


def status_of(psa: Sandbox, ref: TicketRef) -> str:
    return str(psa.records.ticket(int(ref.id))["status"]["name"])


class TestWire:
    async def test_every_call_carries_what_connectwise_wants(self, psa: Sandbox, desk: ConnectWise) -> None:
        await desk.find(KEY)

        card, call = psa.calls
        assert card.path == "/login/companyinfo/sandbox"
        assert call.path == "/v2026_1/apis/3.0/service/tickets"
        assert call.headers["clientid"] == CLIENT_ID
        assert call.headers["accept"] == "application/vnd.connectwise.com+json; version=2025.16"
        login = base64.b64decode(call.headers["authorization"].removeprefix("Basic ")).decode()
        assert login == f"sandbox+{LOGIN.public_key}:{LOGIN.private_key.get_secret_value()}"
        assert call.query["conditions"] == f'externalXRef="{KEY}"'

    async def test_a_new_codebase_is_found_once_and_used_from_then_on(self, psa: Sandbox, desk: ConnectWise) -> None:
        ref = await desk.create(DRAFT, None)
        psa.codebase = "v2026_2/"
        psa.calls.clear()

        await desk.append(ref, NOTE)
        await desk.append(ref, replace(NOTE, marker=f"{KEY}/5/append/e5"))

        assert len([call for call in psa.calls if call.path.startswith("/login/")]) == 1
        assert len(texts(psa, ref.id)) == 3

    async def test_a_write_that_met_the_old_codebase_is_done_once(self, psa: Sandbox, desk: ConnectWise) -> None:
        await desk.find(KEY)
        await desk._places.company(DRAFT)
        await desk._places.board()
        psa.codebase = "v2026_2/"

        await desk.create(DRAFT, None)

        assert len(numbers(psa, KEY)) == 1

    async def test_a_404_is_believed_if_the_codebase_is_the_same(self, psa: Sandbox, desk: ConnectWise) -> None:
        assert await desk.key_of("4711") is None
        assert [call.path.rpartition("/")[2] for call in psa.calls] == ["sandbox", "4711", "sandbox"]

    @pytest.mark.parametrize(
        ("login", "reason"),
        [
            pytest.param(replace(LOGIN, private_key=SecretStr("s3cret")), "refused", id="another key"),
            pytest.param(replace(LOGIN, client_id="x" * 36), "refused", id="another client id"),
            pytest.param(replace(LOGIN, company="nobody"), "no company 'nobody'", id="another company"),
        ],
    )
    async def test_a_wrong_login_is_nobodys_tickets_fault(self, psa: Sandbox, login: Any, reason: str) -> None:
        desk = of(psa, login=login)
        with pytest.raises(Unavailable, match=reason) as caught:
            await desk.create(DRAFT, None)
        await desk.close()

        assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (30, False)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("answer", "reason", "retry_after_seconds"),
        [
            pytest.param(
                httpx.Response(302, headers={"location": "https://evil.example/"}), "elsewhere", 30, id="moved"
            ),
            pytest.param(httpx.Response(409, json={"code": "Conflict"}), "in use", None, id="in use"),
            pytest.param(httpx.Response(200, text="<html>soon</html>"), "not ConnectWise's", None, id="a page"),
        ],
    )
    async def test_an_answer_that_is_no_refusal_is_waited_out(
        self, psa: Sandbox, answer: httpx.Response, reason: str, retry_after_seconds: float | None
    ) -> None:
        def respond(request: httpx.Request) -> httpx.Response:
            is_card = request.url.path.startswith("/login/")
            return httpx.Response(200, json={"Codebase": "v1/"}) if is_card else answer

        desk = of(psa, transport=httpx.MockTransport(respond))
        with pytest.raises(Unavailable, match=reason) as caught:
            await desk.find(KEY)
        await desk.close()

        assert (caught.value.retry_after_seconds, caught.value.ambiguous) == (retry_after_seconds, False)

    async def test_a_codebase_that_leads_elsewhere_is_not_followed(self, psa: Sandbox, desk: ConnectWise) -> None:
        psa.codebase = "../../evil/"

        with pytest.raises(Unavailable, match="codebase"):
            await desk.find(KEY)

    async def test_a_limit_is_waited_out(self, psa: Sandbox, desk: ConnectWise) -> None:
        await desk.find(KEY)
        psa.faults.limited = 1
        psa.faults.retry_after_seconds = 7

        with pytest.raises(Unavailable) as caught:
            await desk.find(KEY)

        assert (caught.value.limited, caught.value.retry_after_seconds) == (True, 7)

    async def test_a_refusal_says_what_connectwise_said(self, psa: Sandbox, desk: ConnectWise) -> None:
        psa.records.statuses[1][0]["inactive"] = True

        with pytest.raises(Refused, match="must be an active one of the board"):
            await desk.create(DRAFT, None)


class TestFind:
    async def test_only_the_exact_key_counts_and_the_oldest_comes_first(self, psa: Sandbox, desk: ConnectWise) -> None:
        jane = Person(psa)
        first, other = jane.plant(KEY), jane.plant(KEY.upper())
        second = jane.plant(KEY)
        jane.set_status(second, "Closed")
        jane.plant(f"{KEY}0")

        found = await desk.find(KEY)

        assert found == [TicketRef(id=first, is_open=True), TicketRef(id=second, is_open=False)]
        assert other not in {ref.id for ref in found}

    async def test_what_is_no_key_asks_nothing(self, psa: Sandbox, desk: ConnectWise) -> None:
        Person(psa).plant(KEY)

        assert await desk.find('x" or externalXRef!="') == []
        assert not psa.calls

    async def test_marked_tickets_come_page_by_page(
        self, psa: Sandbox, desk: ConnectWise, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.ticketing.adapters.connectwise.PAGE_TICKETS", 2)
        jane = Person(psa)
        ours = [jane.plant(f"pl-x-{number}-g1") for number in range(5)]
        jane.plant("theirs-1")
        jane.set_status(ours[1], "Closed")

        pages = [await desk.marked(changed_since=None, page=page) for page in (1, 2, 3)]

        assert pages == [[ours[0], ours[2]], [ours[3], ours[4]], []]

    async def test_marked_tickets_that_changed_are_closed_ones_too(self, psa: Sandbox, desk: ConnectWise) -> None:
        jane, now = Person(psa), datetime.now(UTC)
        psa.clock = lambda: now - timedelta(days=5)
        old = jane.plant("pl-x-1-g1")
        psa.clock = lambda: now
        new = jane.plant("pl-x-2-g1")
        jane.set_status(new, "Closed")

        assert await desk.marked(changed_since=now - timedelta(days=2), page=1) == [new]
        jane.say(old, "again")
        assert await desk.marked(changed_since=now - timedelta(days=2), page=1) == [old, new]

    async def test_the_key_of_a_number(self, psa: Sandbox, desk: ConnectWise) -> None:
        number = Person(psa).plant(KEY)

        assert await desk.key_of(number) == KEY
        assert await desk.key_of("../1") is None
        assert await desk.reserve() is None


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
                await _do(desk, each, note)

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


async def _do(desk: ConnectWise, ref: TicketRef, note: Note) -> None:
    match note.marker.split("/")[2]:
        case "append":
            await desk.append(ref, note)
        case "resolve":
            await desk.resolve(ref, note)
        case _:
            await desk.reopen(ref, note)


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
