"""Every way in which a tracker's answers go wrong, at once and in storms: one ticket per key, ended by itself."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import pytest

from chassis.http import Policy
from chassis.turns import caller
from contracts.envelope import Envelope
from contracts.events.obligation import State
from simulators.faulty_proxy import Fault, Seen, Where, faulty_proxy
from tests.builders import ACME, BIRCH, client_changed
from tests.ticketing.desk import POLICY, Desk, Room, until
from tests.ticketing.findings import state_changed

KNOWN = client_changed("Acme Dental", sequence=1)
HASTY = Policy(calls_per_second=500, burst=500, timeout_seconds=0.5, attempts=2, breaker_seconds=0.3)
FAULTS = [each for each in Fault if each not in {Fault.NONE, Fault.HOLD_AFTER}]


async def all_done(room: Room) -> bool:
    return bool(await room.pool.fetchval("SELECT bool_and(state = 'done') FROM intent"))


def about(word: str, *, path: str) -> Where:
    """Return whether a write below `path` has `word` in its body."""

    def matches(seen: Seen) -> bool:
        return seen.is_write and path in seen.path and word.encode() in seen.body

    return matches


def failed(device: str, requirement: str) -> Envelope:
    return state_changed(device, State.FAILED, 1, requirement=requirement)


async def test_whatever_happens_to_creations_each_key_gets_one_ticket(room: Room, desk: Desk, requirement: str) -> None:
    await room.handle(KNOWN, *(failed("a", f"{fault} {requirement}") for fault in FAULTS))
    key_by_subject = {
        row["subject"]: row["ticket_key"] for row in await room.pool.fetch("SELECT subject, ticket_key FROM ticket")
    }
    async with faulty_proxy(urlsplit(room.roundup.url).port or 80) as between:
        between.faults.retry_after_seconds = 0.2
        for fault in FAULTS:
            between.faults.inject(fault, where=about(key_by_subject[f"{fault} {requirement}"], path="/issue/@poe/"))
        tracker = room.tracker(url=between.url, policy=HASTY)
        async with room.working(tracker):
            await until(lambda: all_done(room), seconds=40)
        await tracker.close()

    assert {each.fault for each in between.faults.injected} == set(FAULTS)
    assert {subject: len(desk.numbers(key)) for subject, key in key_by_subject.items()} == dict.fromkeys(
        key_by_subject, 1
    )
    assert len(await room.published()) == len(FAULTS)


async def test_whatever_happens_to_notes_each_is_said_once(room: Room, desk: Desk, requirement: str) -> None:
    await room.done(KNOWN, *(failed("a", f"{fault} {requirement}") for fault in FAULTS))
    rows = await room.pool.fetch("SELECT subject, external FROM ticket")
    number_by_subject = {row["subject"]: row["external"] for row in rows}
    async with faulty_proxy(urlsplit(room.roundup.url).port or 80) as between:
        between.faults.retry_after_seconds = 0.2
        for fault in FAULTS:
            number = number_by_subject[f"{fault} {requirement}"]
            between.faults.inject(fault, where=_change_of(number))
        tracker = room.tracker(url=between.url, policy=HASTY)
        await room.handle(*(failed("b", f"{fault} {requirement}") for fault in FAULTS))
        async with room.working(tracker):
            await until(lambda: all_done(room), seconds=40)
        await tracker.close()

    assert {each.fault for each in between.faults.injected} == set(FAULTS)
    assert {number: len(desk.issue_of(number).notes) for number in number_by_subject.values()} == dict.fromkeys(
        number_by_subject.values(), 2
    )


def _change_of(number: str) -> Where:
    return lambda seen: seen.method == "PATCH" and seen.path.endswith(f"/issue/{number}")


async def test_a_storm_of_500s_is_waited_out_by_itself(room: Room, desk: Desk, requirement: str) -> None:
    await room.handle(KNOWN, *(failed("a", f"{requirement} {number}") for number in range(10)))
    async with faulty_proxy(urlsplit(room.roundup.url).port or 80) as between:
        for _ in range(30):
            between.faults.inject(Fault.ERROR_AFTER, where=lambda seen: seen.is_write)
            between.faults.inject(Fault.ERROR_BEFORE)
        tracker = room.tracker(url=between.url, policy=HASTY)
        async with room.working(tracker):
            await until(lambda: _has(room, "reason IS NOT NULL"))
            await asyncio.sleep(2)
            between.faults.stop()
            stopped_at = time.monotonic()
            await until(lambda: all_done(room), seconds=40)
        await tracker.close()

    assert time.monotonic() - stopped_at < 15
    assert len(between.faults.injected) > 5
    assert [len(desk.numbers(key)) for key in await room.keys()] == [1] * 10


@pytest.mark.parametrize("fault", [Fault.LIMIT_SECONDS, Fault.LIMIT_DATE])
async def test_nobody_calls_while_the_tracker_asks_to_be_left_alone(
    room: Room, desk: Desk, requirement: str, fault: Fault
) -> None:
    other = client_changed("Birch Law", sequence=1, tenant=BIRCH)
    of_both = [state_changed("b", State.FAILED, 1, requirement=requirement, tenant=BIRCH), failed("a", requirement)]
    async with faulty_proxy(urlsplit(room.roundup.url).port or 80) as between:
        between.faults.retry_after_seconds = 6
        between.faults.inject(fault)
        tracker = room.tracker(url=between.url, policy=replace(HASTY, timeout_seconds=5))
        await room.handle(KNOWN, failed("a", f"{requirement} first"))
        async with room.working(tracker):
            await until(lambda: _has(room, "reason IS NOT NULL"))
            await room.handle(other, *of_both)
            await asyncio.sleep(1)
            called = len(between.faults.seen)
            await until(lambda: all_done(room), seconds=40)
        await tracker.close()

    assert called == 1
    assert [len(desk.numbers(key)) for key in await room.keys()] == [1] * 3


async def _has(room: Room, condition: str) -> bool:
    return bool(await room.pool.fetchval(f"SELECT bool_or({condition}) FROM intent"))


class OneClientSuffers(httpx.AsyncHTTPTransport):
    """Lets the calls made for one client meet a fault; the others' go through."""

    def __init__(self, suffering: str, meet: Callable[[], httpx.Response | None]) -> None:
        super().__init__()
        self._suffering = suffering
        self._meet = meet
        self.met = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if caller().name == self._suffering:
            self.met += 1
            answer = self._meet()
            if answer is not None:
                return answer
            await asyncio.sleep(1)
            raise httpx.ReadTimeout("nothing came", request=request)
        return await super().handle_async_request(request)


@pytest.mark.parametrize(
    "meet",
    [pytest.param(lambda: httpx.Response(500), id="500s"), pytest.param(lambda: None, id="time-outs")],
)
async def test_one_clients_outage_and_storm_does_not_make_another_wait(
    room: Room, requirement: str, meet: Callable[[], httpx.Response | None]
) -> None:
    """Two hundred tickets of one client fail and fail; those of another are done long before a breaker lets one try."""
    suffering = OneClientSuffers(str(ACME), meet)
    tracker = room.tracker(transport=suffering, policy=replace(POLICY, breaker_seconds=60))
    other = client_changed("Birch Law", sequence=1, tenant=BIRCH)
    await room.handle(KNOWN, other, *(failed("a", f"{requirement} {number}") for number in range(200)))

    async with room.working(tracker):
        await until(lambda: _has(room, "reason IS NOT NULL"))
        waits = [await _waited(room, f"{requirement} birch {number}") for number in range(6)]
    await tracker.close()

    assert suffering.met >= 5
    assert max(waits) < 8


async def _waited(room: Room, subject: str) -> float:
    """Open one ticket of the other client and return how long it took."""
    started = time.monotonic()
    await room.handle(state_changed("b", State.FAILED, 1, requirement=subject, tenant=BIRCH))
    await until(lambda: _is_done(room, subject))
    return time.monotonic() - started


async def _is_done(room: Room, subject: str) -> bool:
    asked = (
        "SELECT bool_and(i.state = 'done') FROM intent AS i JOIN ticket AS t USING (ticket_key) WHERE t.subject = $1"
    )
    return bool(await room.pool.fetchval(asked, subject))
