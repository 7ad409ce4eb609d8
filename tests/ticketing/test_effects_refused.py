"""Limits, refusals, races and absence of a real Roundup: one ticket, nothing lost, nothing said twice."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import httpx

from contracts.events.obligation import State
from contracts.events.ticket import TicketOpened, TicketParked
from patchline.local.roundup import Roundup as LocalRoundup
from services.ticketing.adapters.roundup import Words
from services.ticketing.records import Draft, TicketRef
from tests.builders import BIRCH, client_changed
from tests.ticketing.desk import Desk, Room, until
from tests.ticketing.findings import failed_again, state_changed
from tests.ticketing.hanging import KNOWN, Wrapped, failed, holds, proxy


class Meddling(httpx.AsyncHTTPTransport):
    """Lets a person in just before the first change is sent."""

    def __init__(self, person: Callable[[], None], *, times: int = 1) -> None:
        super().__init__()
        self._person = person
        self.left = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PATCH" and self.left:
            self.left -= 1
            await asyncio.to_thread(self._person)
        return await super().handle_async_request(request)


class TestRace:
    """A person changes the ticket between our look and our change: 412."""

    async def test_an_edit_in_between_is_kept_and_the_note_added(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.done(KNOWN, failed("a", requirement))
        [key] = await room.keys()
        number = desk.issue(key).number
        meddling = Meddling(lambda: desk.edit(number, title="Edited", status="in-progress"))

        tracker = room.tracker(transport=meddling)
        await room.done(failed("b", requirement), tracker=tracker)
        await tracker.close()

        issue = desk.issue(key)
        assert (meddling.left, issue.title, issue.status, len(issue.notes)) == (0, "Edited", "in-progress", 2)

    async def test_a_closure_in_between_is_believed(self, room: Room, desk: Desk, requirement: str) -> None:
        await room.done(KNOWN, failed("a", requirement))
        [key] = await room.keys()
        number = desk.issue(key).number

        tracker = room.tracker(transport=Meddling(lambda: desk.edit(number, status="resolved")))
        await room.done(failed("b", requirement), tracker=tracker)
        await tracker.close()

        [_, second] = await room.keys()
        assert (desk.issue(key).status, len(desk.issue(key).notes)) == ("resolved", 1)
        assert "- B-PC" in desk.issue(second).notes[0]

    async def test_someone_who_types_all_the_time_only_delays_us(
        self, room: Room, desk: Desk, requirement: str
    ) -> None:
        await room.done(KNOWN, failed("a", requirement))
        [key] = await room.keys()
        number, typed = desk.issue(key).number, iter(range(100))
        meddling = Meddling(lambda: desk.edit(number, title=f"typed {next(typed)}"), times=5)

        tracker = room.tracker(transport=meddling)
        await room.done(failed("b", requirement), tracker=tracker)
        await tracker.close()

        assert (meddling.left, len(desk.issue(key).notes)) == (0, 2)


class Counting(httpx.AsyncHTTPTransport):
    """Counts the answers by status."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: Counter[int] = Counter()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.statuses[response.status_code] += 1
        return response


async def _used_by_another(tracker: LocalRoundup, *, while_true: Callable[[], bool]) -> None:
    """Let another program with our login take every call that is allowed: we are refused however slow we are."""
    login = tracker.api_login
    async with httpx.AsyncClient(base_url=tracker.url, auth=(login.name, login.password), trust_env=False) as another:
        async with asyncio.timeout(60):
            while while_true():
                await another.get("rest/data/issue?@page_size=1")


async def test_a_tracker_that_limits_us_gets_every_ticket_once(
    room: Room, limited_roundup: LocalRoundup, requirement: str
) -> None:
    limited = replace(room, roundup=limited_roundup)
    counting = Counting()
    tracker = limited.tracker(transport=counting)
    await limited.handle(KNOWN, *(failed("a", f"{requirement} {number}") for number in range(4)))

    async with limited.working(tracker):
        await _used_by_another(limited_roundup, while_true=lambda: counting.statuses[429] == 0)
        await until(lambda: holds(room, "SELECT bool_and(state = 'done') FROM intent"), seconds=60)
    await tracker.close()

    with Desk.of(limited_roundup) as desk:
        assert [len(desk.numbers(key)) for key in await room.keys()] == [1] * 4


class TestRefusal:
    """The tracker says no: a person must look, everything else goes on."""

    async def test_what_is_refused_is_parked_with_the_reason(self, room: Room, desk: Desk, requirement: str) -> None:
        refusing = room.tracker(words=Words(open_status="no such status"))

        await room.done(KNOWN, failed("a", requirement), tracker=refusing)
        await refusing.close()

        [key] = await room.keys()
        [parked] = await room.published()
        assert await room.intents() == ["open parked"]
        assert isinstance(parked.data, TicketParked)
        assert "'no such status' is not a status" in parked.data.reason
        assert desk.numbers(key) == []

    async def test_what_follows_on_the_same_ticket_waits_and_other_tickets_do_not(
        self, room: Room, requirement: str
    ) -> None:
        refusing = room.tracker(words=Words(open_status="no such status"))
        await room.done(KNOWN, failed("a", requirement), tracker=refusing)
        await refusing.close()

        await room.handle(failed("b", requirement), failed("a", f"{requirement} 2"))
        async with room.working():
            await until(lambda: holds(room, "SELECT bool_or(state = 'done') FROM intent"))

        assert sorted(await room.intents()) == ["append pending", "open done", "open parked"]

    async def test_a_wrong_password_parks_nothing(self, room: Room, desk: Desk, requirement: str) -> None:
        stranger = room.tracker(password="wrong")
        await room.handle(KNOWN, failed("a", requirement))
        async with room.working(stranger):
            await until(lambda: holds(room, "SELECT reason IS NOT NULL FROM intent"))
        await stranger.close()
        assert "refuses the login of patchline" in await room.pool.fetchval("SELECT reason FROM intent")

        room.clock.move(minutes=1)
        await room.done()

        [key] = await room.keys()
        assert len(desk.numbers(key)) == 1

    async def test_a_bug_of_ours_parks_one_ticket_and_the_others_go_on(self, room: Room, requirement: str) -> None:
        class Broken(Wrapped):
            async def create(self, draft: Draft, reservation: str | None) -> TicketRef:
                if draft.key == key:
                    raise TypeError("a bug")
                return await super().create(draft, reservation)

        await room.handle(KNOWN, failed("a", requirement))
        [key] = await room.keys()
        tracker = Broken(room.tracker())

        async with room.working(tracker):
            await room.handle(failed("a", f"{requirement} 2"))
            await room.quiet()
        await tracker.close()

        assert sorted(await room.intents()) == ["open done", "open parked"]


async def test_a_tracker_that_is_down_is_waited_for(room: Room, desk: Desk, requirement: str) -> None:
    async with proxy(room.roundup) as between:
        address = between.url
    down = room.tracker(url=address)
    await room.handle(KNOWN, *(failed("a", f"{requirement} {number}") for number in range(10)))
    async with room.working(down):
        await until(lambda: holds(room, "SELECT count(*) > 5 FROM intent WHERE reason IS NOT NULL"))
    await down.close()
    assert await holds(room, "SELECT bool_and(acted_at IS NULL AND state = 'pending') FROM intent")

    room.clock.move(minutes=10)
    await room.done()

    assert [len(desk.numbers(key)) for key in await room.keys()] == [1] * 10


async def test_one_tenants_storm_does_not_slow_another(room: Room, requirement: str) -> None:
    other = client_changed("Birch Law", sequence=1, tenant=BIRCH)
    await room.handle(KNOWN, other, *(failed("a", f"{requirement} {number}") for number in range(60)))

    async with room.working():
        await until(lambda: holds(room, "SELECT count(*) >= 8 FROM intent WHERE state = 'done'"))
        await room.handle(state_changed("b", State.FAILED, 1, requirement=requirement, tenant=BIRCH))
        await until(lambda: holds(room, f"SELECT state = 'done' FROM intent WHERE tenant_id = '{BIRCH}'"))
        left = await room.pool.fetchval("SELECT count(*) FROM intent WHERE state <> 'done'")

    assert left > 30


async def test_a_stop_finishes_what_is_under_way(room: Room, desk: Desk, requirement: str) -> None:
    await room.handle(KNOWN, *(failed("a", f"{requirement} {number}") for number in range(30)))

    async with room.working():
        await until(lambda: holds(room, "SELECT count(*) >= 2 FROM intent WHERE state = 'done'"))

    assert await room.intents("leased") == []
    opened = [key for key in await room.keys() if desk.numbers(key)]
    assert len(opened) == len(await room.intents("done"))


async def test_two_workers_share_the_work_and_double_nothing(room: Room, desk: Desk, requirement: str) -> None:
    events = [failed(device, f"{requirement} {number}") for number in range(8) for device in ("a", "b")]
    again = [failed_again("a", 2, failures=3, requirement=f"{requirement} {number}") for number in range(8)]

    async with room.working(), room.working(), room.working():
        await room.handle(KNOWN, *events)
        await room.handle(*again)
        await room.quiet()

    assert [len(desk.numbers(key)) for key in await room.keys()] == [1] * 8
    keys = [(each.subject, type(each.data)) for each in await room.published()]
    assert len([key for key in keys if key[1] is TicketOpened]) == 8
