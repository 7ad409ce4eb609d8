"""Tickets in ConnectWise PSA through the real worker and database: each thing once, whatever goes wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from chassis.http import Policy
from contracts import ids
from contracts.envelope import Envelope
from contracts.events.client import ClientChanged
from contracts.events.credential import BreakerState
from contracts.events.obligation import State
from contracts.events.ticket import TicketOpened, TicketParked, TicketResolved
from services.ticketing import store_save
from simulators.connectwise import Sandbox
from simulators.faulty_proxy import Fault, Seen, Where, faulty_proxy
from tests.builders import ACME, BIRCH, client_changed, event
from tests.parts import Database
from tests.ticketing.cases import breaker
from tests.ticketing.desk import emptied, until
from tests.ticketing.findings import failed_again, state_changed
from tests.ticketing.psa import POLICY, Person, numbers, renewed, texts
from tests.ticketing.psa_desk import PsaRoom

KNOWN = event(
    ClientChanged(name="Acme Dental", zone="Europe/Paris", psa_company="ACME"),
    subject=str(ACME),
    tenant=ACME,
    sequence=1,
)
HASTY = replace(POLICY, timeout_seconds=0.5)
FAULTS = [each for each in Fault if each not in {Fault.NONE, Fault.HOLD_AFTER}]


@pytest.fixture
async def room(database: Database, connectwise: Sandbox) -> AsyncIterator[PsaRoom]:
    await emptied(database)
    async with PsaRoom.on(database, renewed(connectwise)) as made:
        yield made


def failed(device: str, requirement: str, sequence: int = 1) -> Envelope:
    return state_changed(device, State.FAILED, sequence, requirement=requirement)


def proven(device: str, requirement: str, sequence: int = 2) -> Envelope:
    return state_changed(device, State.VERIFIED, sequence, requirement=requirement)


async def number_of(room: PsaRoom, key: str | None = None) -> str:
    """Return the only ticket of a key, or of the only key."""
    [wanted] = [key] if key else await room.keys()
    [number] = numbers(room.psa, wanted)
    return number


async def all_done(room: PsaRoom) -> bool:
    return bool(await room.pool.fetchval("SELECT bool_and(state = 'done') FROM intent"))


def is_open(room: PsaRoom, number: str) -> bool:
    return not room.psa.records.ticket(int(number))["closedFlag"]


def _is(method: str, path: str, *, word: str = "") -> Where:
    def matches(seen: Seen) -> bool:
        return seen.method == method and seen.path.endswith(path) and word.encode() in seen.body

    return matches


class TestStorm:
    async def test_whatever_happens_to_creations_each_key_gets_one_ticket(self, room: PsaRoom) -> None:
        await room.handle(KNOWN, *(failed("a", f"creation {fault}") for fault in FAULTS))
        rows = await room.pool.fetch("SELECT subject, ticket_key FROM ticket")
        key_by_subject = {row["subject"]: row["ticket_key"] for row in rows}
        async with faulty_proxy(urlsplit(room.psa.url).port or 80) as between:
            between.faults.retry_after_seconds = 0.2
            for fault in FAULTS:
                word = key_by_subject[f"creation {fault}"]
                between.faults.inject(fault, where=_is("POST", "/service/tickets", word=word))
            await _done_through(room, between.url)

        assert {each.fault for each in between.faults.injected} == set(FAULTS)
        assert [len(numbers(room.psa, key)) for key in key_by_subject.values()] == [1] * len(FAULTS)
        assert len(await room.published()) == len(FAULTS)

    @pytest.mark.parametrize(
        ("method", "path", "state"),
        [
            pytest.param("POST", "/service/tickets/{}/notes", State.FAILED, id="notes"),
            pytest.param("POST", "/service/tickets/{}/notes", State.VERIFIED, id="notes of closings"),
            pytest.param("PATCH", "/service/tickets/{}", State.VERIFIED, id="statuses of closings"),
        ],
    )
    async def test_whatever_happens_to_changes_each_is_said_and_done_once(
        self, room: PsaRoom, method: str, path: str, state: State
    ) -> None:
        await room.done(KNOWN, *(failed("a", f"change {fault}") for fault in FAULTS))
        rows = await room.pool.fetch("SELECT subject, external FROM ticket")
        number_by_subject = {row["subject"]: row["external"] for row in rows}
        device = "b" if state is State.FAILED else "a"
        async with faulty_proxy(urlsplit(room.psa.url).port or 80) as between:
            between.faults.retry_after_seconds = 0.2
            for fault in FAULTS:
                number = number_by_subject[f"change {fault}"]
                between.faults.inject(fault, where=_is(method, path.format(number)))
            changes = [state_changed(device, state, 2, requirement=f"change {fault}") for fault in FAULTS]
            await room.handle(*changes)
            await _done_through(room, between.url)

        assert {each.fault for each in between.faults.injected} == set(FAULTS)
        for number in number_by_subject.values():
            assert (len(texts(room.psa, number)), is_open(room, number)) == (2, state is State.FAILED)
        assert await room.pool.fetchval("SELECT count(*) FROM ticket WHERE state = 'closed'") == 0
        assert len(await room.published()) == 2 * len(FAULTS)

    async def test_limits_and_errors_at_once_are_waited_out(self, room: PsaRoom) -> None:
        room.psa.faults = replace(
            room.psa.faults, limited=3, broken_before=2, broken_after=3, lost_after=3, broken_reads=4
        )
        await room.handle(KNOWN, *(failed("a", f"storm {number}") for number in range(6)))
        await _done_through(room, room.psa.url)

        assert [len(numbers(room.psa, key)) for key in await room.keys()] == [1] * 6
        assert [type(each.data) for each in await room.published()] == [TicketOpened] * 6

    async def test_nobody_calls_while_connectwise_asks_to_be_left_alone(self, room: PsaRoom) -> None:
        room.psa.faults = replace(room.psa.faults, limited=1, retry_after_seconds=4)
        await room.handle(KNOWN, failed("a", "left alone"))
        tracker = room.tracker(policy=replace(HASTY, timeout_seconds=5))
        async with room.working(tracker):
            await until(lambda: _waits(room))
            await room.handle(*(failed("a", f"left alone {number}") for number in range(3)))
            await asyncio.sleep(1.5)
            assert len(room.psa.calls) == 1
            await until(lambda: all_done(room), seconds=30)
        await tracker.close()

        assert [len(numbers(room.psa, key)) for key in await room.keys()] == [1] * 4

    async def test_a_new_codebase_in_the_midst_of_it_is_noticed_by_nobody(self, room: PsaRoom) -> None:
        await room.done(KNOWN, failed("a", "before"))
        room.psa.codebase = "v2026_2/"
        await room.done(failed("b", "before"), failed("a", "after"))

        assert [len(numbers(room.psa, key)) for key in await room.keys()] == [1, 1]
        assert await all_done(room)


async def _done_through(room: PsaRoom, url: str, *, policy: Policy = HASTY) -> None:
    tracker = room.tracker(url=url, policy=policy)
    async with room.working(tracker):
        await until(lambda: all_done(room), seconds=60)
    await tracker.close()


async def _waits(room: PsaRoom) -> bool:
    return bool(await room.pool.fetchval("SELECT bool_or(reason IS NOT NULL) FROM intent"))


class TestCrash:
    """The worker is gone after a write of which it never heard."""

    @pytest.mark.parametrize("act", ["create", "append", "resolve"])
    async def test_after_a_write_leaves_it_done_once(
        self, room: PsaRoom, monkeypatch: pytest.MonkeyPatch, act: str
    ) -> None:
        if act != "create":
            await room.done(KNOWN, failed("a", "crash"))
        last = {"create": failed("a", "crash"), "append": failed("b", "crash"), "resolve": proven("a", "crash")}[act]
        await room.handle(KNOWN, last)
        dying = room.tracker()
        done = getattr(dying, act)

        async def dies(*arguments: object) -> None:
            await done(*arguments)
            await asyncio.Event().wait()

        monkeypatch.setattr(dying, act, dies)
        task = asyncio.create_task(room.worker(dying).run(asyncio.Event()))
        await until(lambda: _acted(room))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await dying.close()
        room.clock.move(seconds=10)

        await room.done()

        number = await number_of(room)
        assert len(texts(room.psa, number)) == (1 if act == "create" else 2)
        assert is_open(room, number) is (act != "resolve")
        assert await room.pool.fetchval("SELECT state FROM ticket") == ("resolved" if act == "resolve" else "open")

    async def test_between_the_note_and_the_status_of_a_closing_closes_it_and_says_it_once(
        self, room: PsaRoom, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await room.done(KNOWN, failed("a", "between"))
        await room.handle(proven("a", "between"))
        dying, reached = room.tracker(), asyncio.Event()

        async def dies(*_: object, **__: object) -> None:
            reached.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(dying._acts, "move", dies)
        task = asyncio.create_task(room.worker(dying).run(asyncio.Event()))
        await reached.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await dying.close()
        number = await number_of(room)
        assert (len(texts(room.psa, number)), is_open(room, number)) == (2, True)
        room.clock.move(seconds=10)

        await room.done()

        assert (len(texts(room.psa, number)), is_open(room, number)) == (2, False)
        [_, resolved] = await room.published()
        assert isinstance(resolved.data, TicketResolved)
        assert not resolved.data.by_person


async def _acted(room: PsaRoom) -> bool:
    return bool(await room.pool.fetchval("SELECT bool_or(state = 'leased' AND acted_at IS NOT NULL) FROM intent"))


class TestPerson:
    async def test_a_closing_that_meets_our_note_is_believed_and_the_failure_gets_the_next_ticket(
        self, room: PsaRoom
    ) -> None:
        await room.done(KNOWN, failed("a", "race"))
        number = await number_of(room)
        meddling = Meddling("POST", lambda: Person(room.psa).set_status(number, "Closed"))
        tracker = room.tracker(transport=meddling)
        await room.done(failed("b", "race"), tracker=tracker)
        await tracker.close()

        [_, second] = await room.keys()
        assert meddling.left == 0
        assert room.psa.records.ticket(int(number))["status"]["name"] == "Closed"
        assert "- B-PC" in texts(room.psa, await number_of(room, second))[0]

    async def test_a_ticket_that_a_workflow_keeps_open_is_parked_and_then_closed_by_a_person(
        self, room: PsaRoom
    ) -> None:
        await room.done(KNOWN, failed("a", "workflow"))
        room.psa.records.workflow.swallow_statuses = 99
        await room.done(proven("a", "workflow"))
        parked = (await room.published())[-1].data
        assert isinstance(parked, TicketParked)
        assert "workflow rules" in parked.reason

        room.psa.records.workflow.swallow_statuses = 0
        Person(room.psa).set_status(await number_of(room), "Closed")
        await _retried(room)

        last = (await room.published())[-1].data
        assert isinstance(last, TicketResolved)
        assert last.by_person

    async def test_a_closed_ticket_and_a_new_failure_make_the_next_generation(self, room: PsaRoom) -> None:
        await room.done(KNOWN, failed("a", "closed"))
        [first] = await room.keys()
        Person(room.psa).set_status(await number_of(room), "Completed")

        room.clock.move(minutes=1)
        await room.done(failed_again("a", 2, failures=2, requirement="closed"))

        [_, second] = await room.keys()
        assert second == first.removesuffix("g1") + "g2"
        assert len(texts(room.psa, await number_of(room, first))) == 1


class Meddling(httpx.AsyncHTTPTransport):
    """Lets a person in just before the first request of a method is sent."""

    def __init__(self, method: str, person: Callable[[], None]) -> None:
        super().__init__()
        self._method = method
        self._person = person
        self.left = 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == self._method and self.left:
            self.left -= 1
            self._person()
        return await super().handle_async_request(request)


class TestClient:
    async def test_a_client_that_connectwise_does_not_know_is_parked_alone_and_opened_once_it_is_named(
        self, room: PsaRoom
    ) -> None:
        unknown = state_changed("b", State.FAILED, 1, requirement="unknown", tenant=BIRCH)
        await room.done(KNOWN, client_changed("Birch Law", sequence=1, tenant=BIRCH), unknown, failed("a", "unknown"))
        parked = next(each.data for each in await room.published() if isinstance(each.data, TicketParked))
        assert "no company with the identifier 'Birch Law'" in parked.reason
        assert len(room.psa.ledger()) == 1

        named = ClientChanged(name="Birch Law", zone="Europe/Paris", psa_company="BIRCH-0042")
        await room.handle(event(named, subject=str(BIRCH), tenant=BIRCH, sequence=2))
        await _retried(room)

        assert sorted(row["company"]["identifier"] for row in room.psa.ledger()) == ["ACME", "BIRCH-0042"]

    async def test_what_is_about_all_clients_waits_for_our_own_company_and_says_which_setting_names_it(
        self, room: PsaRoom
    ) -> None:
        await store_save.know_everyone(room.pool)
        await room.done(breaker(BreakerState.TRIPPED, tenant=ids.EVERYONE))
        [parked] = [each.data for each in await room.published() if isinstance(each.data, TicketParked)]
        assert "PATCHLINE_MSP_COMPANY" in parked.reason
        assert room.psa.ledger() == []

        room.msp_company = "BIRCH-0042"
        await _retried(room)

        assert [row["company"]["identifier"] for row in room.psa.ledger()] == ["BIRCH-0042"]


async def _retried(room: PsaRoom) -> None:
    """Try what is parked again, as `patchline ticket retry` does."""
    await room.pool.execute("UPDATE intent SET state = 'pending', due_at = $1 WHERE state = 'parked'", room.clock())
    await room.done()


class TestDuplicate:
    async def test_a_planted_ticket_gives_way_once(self, room: PsaRoom) -> None:
        await room.done(KNOWN, failed("a", "planted"))
        [key], ours, jane = await room.keys(), await number_of(room), Person(room.psa)
        planted = jane.plant(key, text="I called them.")

        for _ in range(2):
            await room.merged()
            room.clock.move(minutes=11)

        assert (is_open(room, ours), is_open(room, planted)) == (True, False)
        assert sum("I called them." in text for text in texts(room.psa, ours)) == 1
        assert sum("has the same key" in text for text in texts(room.psa, planted)) == 1
