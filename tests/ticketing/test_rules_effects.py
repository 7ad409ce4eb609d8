"""What comes after the look-up, whose turn it is, and how long to wait."""

from collections import Counter
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ticketing.records import Act, TicketRef
from services.ticketing.rules_effects import (
    LONGEST_REST_SECONDS,
    REST_OF_A_CROWD,
    REST_WHERE_SCARCE,
    Due,
    Known,
    Seen,
    Sight,
    Step,
    chosen,
    fair_turns,
    gives_way,
    hold_seconds,
    look_again_seconds,
    most_beside_others,
    next_step,
    pause_seconds,
    queueing,
    rest_seconds,
    sight_of,
)

FRESH = Known()
SILENT = Known(has_words=False)
JUST_SEEN = Known(just_seen=True)
LOST = Known(acted=True, settled=False)
LOST_LONG_AGO = Known(acted=True, settled=True)
SHOWN = Known(acted=True, marked=True, settled=False)

TABLE = [
    # open
    (Act.OPEN, Sight.ABSENT, FRESH, Step.WRITE, "nothing there yet"),
    (Act.OPEN, Sight.ABSENT, LOST, Step.WAIT, "the answer was lost, it may still show"),
    (Act.OPEN, Sight.ABSENT, LOST_LONG_AGO, Step.WRITE, "the answer was lost, it never showed"),
    (Act.OPEN, Sight.OPEN, FRESH, Step.RECORD, "someone made it with our key"),
    (Act.OPEN, Sight.OPEN, LOST, Step.RECORD, "the answer was lost, it is there"),
    (Act.OPEN, Sight.CLOSED, LOST, Step.RECORD, "it is there, and a person closed it already"),
    # append
    (Act.APPEND, Sight.OPEN, FRESH, Step.WRITE, "something to say"),
    (Act.APPEND, Sight.OPEN, SILENT, Step.RECORD, "nothing to say: it was a look"),
    (Act.APPEND, Sight.OPEN, LOST, Step.WAIT, "the note may still show"),
    (Act.APPEND, Sight.OPEN, LOST_LONG_AGO, Step.WRITE, "the note never showed"),
    (Act.APPEND, Sight.OPEN, SHOWN, Step.RECORD, "the note is there"),
    (Act.APPEND, Sight.CLOSED, FRESH, Step.BY_PERSON, "a person closed it"),
    (Act.APPEND, Sight.CLOSED, SILENT, Step.BY_PERSON, "a person closed it, seen by a look"),
    (Act.APPEND, Sight.CLOSED, SHOWN, Step.RECORD, "the note is there, closed afterwards"),
    (Act.APPEND, Sight.ABSENT, FRESH, Step.BY_PERSON, "a person deleted it"),
    (Act.APPEND, Sight.ABSENT, JUST_SEEN, Step.WAIT, "the search may lag"),
    # resolve
    (Act.RESOLVE, Sight.OPEN, FRESH, Step.WRITE, "to be closed"),
    (Act.RESOLVE, Sight.OPEN, LOST, Step.WAIT, "it may still close"),
    (Act.RESOLVE, Sight.OPEN, LOST_LONG_AGO, Step.WRITE, "it never closed"),
    (Act.RESOLVE, Sight.CLOSED, FRESH, Step.BY_PERSON, "a person was first"),
    (Act.RESOLVE, Sight.CLOSED, SHOWN, Step.RECORD, "we closed it, the answer was lost"),
    (Act.RESOLVE, Sight.CLOSED, LOST, Step.WAIT, "closed, our note may still show"),
    (Act.RESOLVE, Sight.CLOSED, LOST_LONG_AGO, Step.BY_PERSON, "closed, but never with our note"),
    (Act.RESOLVE, Sight.ABSENT, FRESH, Step.BY_PERSON, "a person deleted it"),
    # reopen
    (Act.REOPEN, Sight.CLOSED, FRESH, Step.WRITE, "to be opened again"),
    (Act.REOPEN, Sight.CLOSED, LOST, Step.WAIT, "it may still open"),
    (Act.REOPEN, Sight.CLOSED, LOST_LONG_AGO, Step.WRITE, "it never opened"),
    (Act.REOPEN, Sight.OPEN, FRESH, Step.WRITE, "a person opened it: say why it is right"),
    (Act.REOPEN, Sight.OPEN, SHOWN, Step.RECORD, "we opened it, the answer was lost"),
    (Act.REOPEN, Sight.ABSENT, FRESH, Step.BY_PERSON, "a person deleted it"),
]


@pytest.mark.parametrize(
    ("act", "sight", "known", "expected"),
    [pytest.param(*row[:4], id=f"{row[0].value}, {row[1].value}: {row[4]}") for row in TABLE],
)
def test_after_the_look_up(act: Act, sight: Sight, known: Known, expected: Step) -> None:
    assert next_step(act, sight, known) is expected


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("sight", Sight)
def test_nothing_is_written_while_a_lost_write_may_still_show(act: Act, sight: Sight) -> None:
    assert next_step(act, sight, LOST) is not Step.WRITE


def ref(number: str, *, is_open: bool) -> TicketRef:
    return TicketRef(id=number, is_open=is_open)


BOTH_OPEN = [ref("4", is_open=True), ref("9", is_open=True)]
OLDER_CLOSED = [ref("4", is_open=False), ref("9", is_open=True)]
NEWER_CLOSED = [ref("4", is_open=True), ref("9", is_open=False)]
BOTH_CLOSED = [ref("4", is_open=False), ref("9", is_open=False)]


@pytest.mark.parametrize(
    ("refs", "tracked", "should_be_open", "kept"),
    [
        pytest.param(BOTH_OPEN, "9", True, "9", id="ours, though it is the newer one"),
        pytest.param(NEWER_CLOSED, "4", True, "4", id="a person closed the other one"),
        pytest.param(OLDER_CLOSED, "4", True, "9", id="a person closed ours as the double one"),
        pytest.param(BOTH_CLOSED, "9", True, "9", id="a person closed both"),
        pytest.param(OLDER_CLOSED, "4", False, "4", id="ours was resolved: the other one is one too many"),
        pytest.param(BOTH_OPEN, "7", True, "4", id="ours was deleted"),
        pytest.param(BOTH_OPEN, "7", False, "4", id="ours was deleted after it was resolved"),
        pytest.param([], "4", True, None, id="all were deleted"),
    ],
)
def test_of_several_tickets_with_one_key_ours_is_kept_unless_a_person_kept_another(
    refs: list[TicketRef], tracked: str, *, should_be_open: bool, kept: str | None
) -> None:
    best = chosen(refs, tracked=tracked, should_be_open=should_be_open)

    assert (best.id if best else None) == kept


@pytest.mark.parametrize(
    ("refs", "kept", "sight"),
    [
        pytest.param([], None, Sight.ABSENT, id="none"),
        pytest.param([ref("4", is_open=True)], "4", Sight.OPEN, id="one"),
        pytest.param([ref("4", is_open=True), ref("9", is_open=True)], "4", Sight.OPEN, id="the oldest"),
        pytest.param([ref("4", is_open=False), ref("9", is_open=True)], "9", Sight.OPEN, id="one was closed as double"),
        pytest.param([ref("4", is_open=False), ref("9", is_open=False)], "4", Sight.CLOSED, id="both closed"),
    ],
)
def test_where_we_have_none_the_oldest_open_one_becomes_ours(
    refs: list[TicketRef], kept: str | None, sight: Sight
) -> None:
    best = chosen(refs, tracked=None, should_be_open=True)

    assert (best.id if best else None) == kept
    assert sight_of(best) is sight


A, B, C = sorted(uuid4() for _ in range(3))


def due(tenant: UUID, count: int) -> list[Due]:
    return [Due(tenant, f"{tenant}-{number}", 1) for number in range(count)]


def test_each_tenant_gets_a_turn_before_any_gets_a_second() -> None:
    turns = fair_turns([*due(A, 9), *due(B, 1), *due(C, 2)], served={}, busy={}, slots=5, most_per_tenant=4)

    assert Counter(turn.tenant for turn in turns) == {A: 2, B: 1, C: 2}
    assert {turn.tenant for turn in turns[:3]} == {A, B, C}


def test_whoever_was_served_longest_ago_comes_first() -> None:
    turns = fair_turns(
        [*due(A, 1), *due(B, 1), *due(C, 1)], served={A: 3, B: 1, C: 2}, busy={}, slots=2, most_per_tenant=4
    )

    assert [turn.tenant for turn in turns] == [B, C]


def test_a_tenant_whose_acts_hang_leaves_slots_to_the_others() -> None:
    turns = fair_turns([*due(A, 9), *due(B, 1)], served={}, busy={A: 4}, slots=4, most_per_tenant=4)

    assert [turn.tenant for turn in turns] == [B]


@pytest.mark.parametrize(
    ("most", "lately", "now"),
    [
        pytest.param(4, [], 4, id="nobody was served yet"),
        pytest.param(4, [A] * 20, 4, id="only one is served"),
        pytest.param(4, [B, *[A] * 19], 1, id="another had a turn lately"),
        pytest.param(8, [B, *[A] * 19], 2, id="two of eight"),
        pytest.param(1, [A, B], 1, id="never less than one"),
    ],
)
def test_a_tenant_has_a_quarter_of_its_acts_at_once_while_others_have_turns_too(
    most: int, lately: list[UUID], now: int
) -> None:
    assert most_beside_others(most, lately) == now


@pytest.mark.parametrize(
    ("lately", "times"),
    [
        pytest.param([], 0, id="nobody was served yet"),
        pytest.param([A] * 20, 0, id="alone: nobody is kept waiting"),
        pytest.param([*[A] * 10, *[B] * 10], 0, id="half of the turns"),
        pytest.param([*[A] * 11, *[B] * 9], 1, id="more than half"),
        pytest.param([*[A] * 5, *[UUID(int=n) for n in range(50, 65)]], 1, id="more than twice its share of sixteen"),
        pytest.param([*[A] * 4, *[UUID(int=n) for n in range(50, 66)]], 0, id="few are nobody's storm"),
        pytest.param([*[A] * 8, *[B] * 6, *[C] * 6], 0, id="more than a third, of three"),
    ],
)
def test_a_tenant_that_storms_beside_others_rests_as_long_as_its_act_took(lately: list[UUID], times: int) -> None:
    seen = Seen(lately, ())

    assert rest_seconds(A, seen, 0.2, cores_are_scarce=False) == pytest.approx(0.2 * times)
    assert rest_seconds(A, seen, 0.2, cores_are_scarce=True) == pytest.approx(0.2 * times * REST_WHERE_SCARCE)


def test_for_whom_a_crowd_waits_rests_longest_where_cores_are_scarce() -> None:
    seen = Seen([A, B], [A])

    assert rest_seconds(A, seen, 0.1, cores_are_scarce=True) == pytest.approx(0.1 * REST_OF_A_CROWD)
    assert rest_seconds(A, seen, 0.1, cores_are_scarce=False) == pytest.approx(0.1)
    assert rest_seconds(B, seen, 0.1, cores_are_scarce=True) == 0


@pytest.mark.parametrize(
    ("lately", "crowds", "storms"),
    [
        pytest.param([B], [A], True, id="before its first turn"),
        pytest.param([A, B], [A], True, id="after it"),
        pytest.param([], [A], False, id="nobody else had a turn"),
        pytest.param([A] * 20, [A], False, id="only its own turns"),
        pytest.param([A, B], [A, B], False, id="whoever had turns has a crowd too"),
        pytest.param([*[A] * 11, *[B] * 9], [A, B], True, id="more than half of the turns beside another crowd"),
        pytest.param([A, B, C], [A, B], True, id="one of them has none"),
        pytest.param([A, B], [B], False, id="another has it"),
    ],
)
def test_for_whom_a_crowd_waits_storms_beside_who_has_none(
    lately: list[UUID], crowds: list[UUID], *, storms: bool
) -> None:
    assert Seen(lately, crowds).storms(A) == storms


@pytest.mark.parametrize(
    ("busy", "waits"),
    [
        pytest.param({}, False, id="nothing is under way"),
        pytest.param({A: 1}, False, id="its own act"),
        pytest.param({B: 1}, True, id="an act of somebody who calls seldom"),
        pytest.param({B: 0}, False, id="one that has ended"),
        pytest.param({C: 1}, False, id="an act of somebody who storms as well"),
    ],
)
def test_a_tenant_that_storms_gives_way_to_who_does_not(busy: dict[UUID, int], *, waits: bool) -> None:
    seen = Seen([*[A] * 7, *[C] * 7, B, *[UUID(int=n) for n in range(50, 55)]], ())

    assert gives_way(A, seen, busy) == waits
    assert not gives_way(B, seen, busy)


def test_only_for_whom_many_wait_there_is_a_queue() -> None:
    assert queueing([*due(A, 3), *due(B, 4), *due(C, 5)], 4) == {B, C}


def test_no_rest_is_longer_than_a_hung_call_should_cost() -> None:
    assert rest_seconds(A, Seen([*[A] * 11, B], ()), 60.0, cores_are_scarce=False) == LONGEST_REST_SECONDS


def test_the_longest_due_of_a_tenant_comes_first() -> None:
    mine = due(A, 3)

    assert fair_turns(mine, served={}, busy={}, slots=2, most_per_tenant=4) == mine[:2]


@given(
    backlog=st.dictionaries(st.sampled_from([A, B, C]), st.integers(1, 30)),
    busy=st.dictionaries(st.sampled_from([A, B, C]), st.integers(0, 8)),
    slots=st.integers(0, 10),
)
def test_turns_keep_within_the_slots_and_leave_none_empty(
    backlog: dict[UUID, int], busy: dict[UUID, int], slots: int
) -> None:
    waiting = [each for tenant, count in backlog.items() for each in due(tenant, count)]

    turns = fair_turns(waiting, served={}, busy=busy, slots=slots, most_per_tenant=4)

    possible = sum(min(count, max(4 - busy.get(tenant, 0), 0)) for tenant, count in backlog.items())
    assert len(turns) == len(set(turns)) == min(slots, possible)


def test_pauses_double_up_to_five_minutes() -> None:
    assert [pause_seconds(attempts) for attempts in (1, 2, 3, 9, 10_000)] == [1, 2, 4, 256, 300]


@pytest.mark.parametrize(
    ("asked", "in_a_row", "expected"),
    [
        pytest.param(3, 0, 3, id="no limit, an outage"),
        pytest.param(3, 1, 3, id="a limit"),
        pytest.param(3, 3, 12, id="the third in a row"),
        pytest.param(3, 99, 300, id="at most five minutes"),
        pytest.param(900, 5, 900, id="but never less than asked"),
    ],
)
def test_a_limit_that_is_met_again_and_again_is_given_more_room(asked: float, in_a_row: int, expected: float) -> None:
    assert hold_seconds(asked, in_a_row) == expected


def test_a_lost_write_is_looked_for_every_few_seconds() -> None:
    assert [look_again_seconds(attempts) for attempts in (1, 2, 3, 10_000)] == [0.5, 1, 2, 5]


@pytest.mark.parametrize(
    ("fewer", "turns"),
    [
        pytest.param({}, 4, id="nobody is in trouble"),
        pytest.param({A: 1}, 3, id="one at a time for a client in trouble"),
        pytest.param({A: 0}, 2, id="none while its breaker is open"),
        pytest.param({A: 0, B: 0}, 0, id="none for anyone"),
    ],
)
def test_a_client_in_trouble_leaves_its_slots_to_the_others(fewer: dict[UUID, int], turns: int) -> None:
    taken = fair_turns([*due(A, 3), *due(B, 3)], served={}, busy={}, slots=8, most_per_tenant=2, fewer=fewer)

    assert len(taken) == turns
    assert all(Counter(each.tenant for each in taken)[tenant] <= most for tenant, most in fewer.items())
