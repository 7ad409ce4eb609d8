"""Request Tracker itself dies in the middle of a day: one open ticket each in the end, nothing lost."""

import asyncio

from contracts.events.obligation import State
from patchline.local.request_tracker import RequestTracker
from tests.builders import client_changed
from tests.parts import Database
from tests.ticketing.desk import emptied, until
from tests.ticketing.findings import state_changed
from tests.ticketing.rt_desk import RtDesk, RtRoom

TICKETS = 8
KNOWN = client_changed("Acme Dental", sequence=1)


async def test_tickets_under_way_when_it_dies_are_open_once(
    database: Database, request_tracker: RequestTracker, requirement: str
) -> None:
    """On a machine so slow that a ticket shows later than the settle time of the tests, two are merged into one."""
    await emptied(database)
    async with RtRoom.on(database, request_tracker) as room:

        async def some_are_made() -> bool:
            return bool(await room.pool.fetchval("SELECT count(*) > 1 FROM intent WHERE state = 'done'"))

        async def all_are_made() -> bool:
            return bool(await room.pool.fetchval("SELECT bool_and(state = 'done') FROM intent"))

        asked = [f"{requirement}-{number}" for number in range(TICKETS)]
        await room.handle(KNOWN, *(state_changed("a", State.FAILED, 1, requirement=each) for each in asked))
        async with room.working():
            await until(some_are_made, seconds=60)
            await asyncio.to_thread(request_tracker.kill)
            await asyncio.to_thread(request_tracker.start, print)
            await until(all_are_made, seconds=120)
        await room.merged()

        keys = await room.keys()
        with RtDesk.of(request_tracker) as desk:
            shown = {key: [desk.issue_of(number) for number in desk.numbers(key)] for key in keys}

    assert len(keys) == TICKETS
    assert {key: [issue.status for issue in issues].count("new") for key, issues in shown.items()} == dict.fromkeys(
        keys, 1
    )
    assert all(issue.client == "Acme Dental" for issues in shown.values() for issue in issues)
