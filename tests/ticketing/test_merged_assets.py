"""Two assets that turn out to be one machine: its ticket goes on with the one that is left, and none is doubled."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from chassis.postgres import Pool
from contracts.envelope import Envelope
from contracts.events.obligation import State
from services.ticketing.records import Act, TicketState
from services.ticketing.rules import ANOTHER_ASSET
from services.ticketing.rules_desk import Desk
from tests.ticketing.findings import label, state_changed, uncatalogued
from tests.ticketing.folds import acts, all_told, folded, only
from tests.ticketing.test_handlers import empty, handle, pool, rows

__all__ = ["empty", "pool"]

FAILED = state_changed("agent", State.FAILED, 1)


def went_on(state: State | None = State.FAILED) -> Envelope:
    """Return the word that the asset of `agent` is the one of `rmm` from now on, and that it stands so there."""
    return state_changed("agent", State.RETIRED, 2, continues_on="rmm", continues_as=state)


WENT_ON = went_on()


def failing(desk: Desk) -> set[str]:
    """Return the assets that the only ticket lists as failing."""
    return {asset for asset, listing in desk.listings_of(only(desk).key) if listing.cleared_as is None}


def of(*devices: str) -> set[str]:
    return {label(device).asset for device in devices}


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=["vanished first", "surviving first"])
def test_the_one_ticket_goes_on_with_the_surviving_asset(order: Sequence[int]) -> None:
    news = [WENT_ON, state_changed("rmm", State.FAILED, 1)]

    desk = folded(*(news[number] for number in order), before=all_told(folded(FAILED)))

    ticket = only(desk)
    assert (ticket.state, ticket.failing, failing(desk)) == (TicketState.OPEN, 1, of("rmm"))
    assert Act.RESOLVE not in acts(desk, ticket.key)


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=["vanished first", "surviving first"])
@pytest.mark.parametrize("state", [State.VERIFIED, State.NOT_APPLICABLE], ids=str)
def test_the_ticket_is_resolved_if_the_machine_is_well(order: Sequence[int], state: State) -> None:
    news = [went_on(state), state_changed("rmm", state, 1)]

    desk = folded(*(news[number] for number in order), before=all_told(folded(FAILED)))

    assert (only(desk).state, failing(desk)) == (TicketState.RESOLVED, set())


def test_what_was_well_before_and_fails_now_stays_on_the_same_ticket() -> None:
    before = all_told(folded(FAILED, state_changed("rmm", State.VERIFIED, 1)))

    desk = folded(WENT_ON, state_changed("rmm", State.FAILED, 2), before=before)

    assert (only(desk).state, only(desk).generation, failing(desk)) == (TicketState.OPEN, 1, of("rmm"))


def test_what_is_well_and_stays_so_resolves_it_without_another_word() -> None:
    before = all_told(folded(FAILED, state_changed("rmm", State.VERIFIED, 1)))

    assert only(folded(went_on(State.VERIFIED), before=before)).state is TicketState.RESOLVED


def test_a_device_that_is_listed_twice_is_listed_once() -> None:
    before = all_told(folded(FAILED, state_changed("rmm", State.FAILED, 1)))

    desk = folded(WENT_ON, before=before)

    assert (only(desk).failing, failing(desk)) == (1, of("rmm"))
    assert acts(desk, only(desk).key) == []


def test_nothing_is_known_of_the_surviving_asset_yet_and_the_ticket_stays_open_without_a_word() -> None:
    desk = folded(went_on(None), before=all_told(folded(FAILED)))

    assert (only(desk).state, failing(desk), acts(desk, only(desk).key)) == (TicketState.OPEN, of("rmm"), [])


def test_its_proof_then_resolves_it() -> None:
    desk = folded(WENT_ON, before=all_told(folded(FAILED)))

    after = folded(state_changed("rmm", State.VERIFIED, 1), before=desk)

    assert (only(after).state, only(after).failing) == (TicketState.RESOLVED, 0)


PARTED = (
    state_changed("rmm", State.MISSING_IN_SLA, 2, continues_on="agent", continues_as=State.FAILED),
    state_changed("agent", State.FAILED, 3),
)


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=str)
def test_an_unmerge_takes_the_failure_to_the_asset_that_it_is_of(order: Sequence[int]) -> None:
    merged = all_told(folded(FAILED, WENT_ON, state_changed("rmm", State.FAILED, 1)))

    desk = folded(*(PARTED[number] for number in order), before=merged)

    assert (only(desk).state, only(desk).failing, failing(desk)) == (TicketState.OPEN, 1, of("agent"))


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=str)
def test_an_unmerge_opens_the_ticket_again_that_a_wrong_proof_resolved(order: Sequence[int]) -> None:
    resolved = all_told(folded(FAILED, went_on(State.VERIFIED), state_changed("rmm", State.VERIFIED, 1)))
    assert only(resolved).state is TicketState.RESOLVED

    desk = folded(*(PARTED[number] for number in order), before=resolved)

    assert (only(desk).state, only(desk).generation, failing(desk)) == (TicketState.OPEN, 1, of("agent"))
    [act] = desk.waiting[only(desk).key]
    assert (act.act, act.why) == (Act.REOPEN, "AGENT-PC is an asset of its own again, and it fails.")


def test_what_was_never_proven_is_not_listed_after_an_unmerge() -> None:
    merged = all_told(folded(FAILED, WENT_ON, state_changed("rmm", State.FAILED, 1)))

    desk = folded(*PARTED, state_changed("rmm", State.MISSING_OVERDUE, 3), before=merged)

    assert failing(desk) == of("agent")


def test_a_failure_of_an_unknown_patch_goes_on_too() -> None:
    before = all_told(folded(uncatalogued("agent", 1)))
    news = [uncatalogued("agent", 2, failing=False, continues_on="rmm", continues_failing=True), uncatalogued("rmm", 1)]

    for order in (news, news[::-1]):
        desk = folded(*order, before=before)

        assert (only(desk).state, failing(desk)) == (TicketState.OPEN, of("rmm"))


def test_a_ticket_that_a_person_closed_stays_closed() -> None:
    closed = all_told(folded(FAILED))
    key = only(closed).key

    closed.tickets[key] = replace(closed.tickets[key], state=TicketState.CLOSED)

    desk = folded(WENT_ON, before=closed)

    assert (only(desk).state, acts(desk, key)) == (TicketState.CLOSED, [])


MERGE = (WENT_ON, state_changed("rmm", State.FAILED, 1))


async def listings(pool: Pool) -> dict[str, str | None]:
    return {row["asset"]: row["cleared_as"] for row in await rows(pool, "ticket_device")}


async def kept(pool: Pool, *batches: Sequence[Envelope]) -> tuple[list[str], dict[str, str | None]]:
    """Return the states of the tickets, and how each asset is listed, after these batches."""
    for batch in batches:
        await handle(pool, *batch)
    return [row["state"] for row in await rows(pool, "ticket")], await listings(pool)


EXPECTED = (["open"], {label("agent").asset: ANOTHER_ASSET, label("rmm").asset: None})


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=["vanished first", "surviving first"])
async def test_the_rows_are_the_same_in_one_batch_and_in_two(pool: Pool, order: Sequence[int]) -> None:
    assert await kept(pool, [FAILED], *([MERGE[number]] for number in order)) == EXPECTED


async def test_the_same_news_again_changes_nothing(pool: Pool) -> None:
    assert await kept(pool, [FAILED], MERGE, MERGE) == EXPECTED


async def test_a_word_of_the_vanished_asset_that_comes_late_changes_nothing(pool: Pool) -> None:
    again = state_changed("agent", State.MISSING_IN_SLA, 1, failures=0)

    assert await kept(pool, [FAILED], MERGE, [again]) == EXPECTED


async def test_beside_a_bad_neighbour_the_ticket_goes_on(pool: Pool) -> None:
    nobodys = state_changed("other", State.FAILED, 1, tenant=None)

    assert await kept(pool, [FAILED], [nobodys, *MERGE]) == EXPECTED
