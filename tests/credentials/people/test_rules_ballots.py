"""Ballots in any number, order and batch: nobody counts twice, one no is enough, and only enough people grant."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from contracts.events.credential import ApprovalAsked
from services.credentials.people.records import Approver, Ballot, Counting, Request, RequestState, Vote, Way
from services.credentials.people.rules_ballots import Known, asked, counting
from services.credentials.records import Cause
from tests.builders import BIRCH, NOON
from tests.credentials.people.test_rules_approvals import REQUEST, approver

ABLE = [approver("ada"), approver("bo"), approver("cy")]
UNABLE = [
    approver("root", "root@acme.example"),
    approver("eve", tenants=frozenset({BIRCH})),
    approver("gone", is_revoked=True),
]
PEOPLE = {each.id: each for each in (*ABLE, *UNABLE)}
Kept = dict[UUID, tuple[Vote, UUID]]


def ballot(who: Approver, number: int = 0, *, approve: bool = True) -> Ballot:
    event = uuid5(who.id, f"{number}/{approve}")
    return Ballot(
        event=event,
        request=REQUEST.id,
        approver=who.id,
        approve=approve,
        way=Way.LINK,
        cause=Cause(id=event, received_at=NOON),
    )


def counted(
    ballots: list[Ballot], *, kept: Kept | None = None, request: Request = REQUEST, at: datetime = NOON
) -> Counting:
    known = Known(requests={REQUEST.id: request}, kept={REQUEST.id: kept or {}}, approvers=PEOPLE, now=at)
    return counting(known, ballots)


def in_portions(portions: list[list[Ballot]]) -> tuple[Kept, list[RequestState]]:
    """Count portions one after the other as transactions do; return what was said, and how it ended."""
    kept: Kept = {}
    ends: list[RequestState] = []
    for portion in portions:
        request = replace(REQUEST, state=ends[-1] if ends else RequestState.OPEN)
        found = counted(portion, kept=kept, request=request)
        kept |= {each.approver: (Vote(each.approver, each.approve), each.event) for each in found.new}
        ends += [each.state for each in found.verdicts]
    return kept, ends


ballots = st.lists(
    st.builds(lambda who, number, yes: ballot(who, number, approve=yes), st.sampled_from([*ABLE, *UNABLE]),
              st.integers(0, 2), st.booleans()),
    max_size=12,
)  # fmt: skip


@given(ballots)
def test_every_ballot_is_counted_repeated_or_told_why_not(given_: list[Ballot]) -> None:
    found = counted(given_)

    assert {each.event for each in found.new} | {event for event, _ in found.uncounted} | found.repeated == {
        each.event for each in given_
    }
    assert len(found.facts) == len(found.new) == len({each.approver for each in found.new})
    assert all(PEOPLE[each.approver] in ABLE for each in found.new)


@given(ballots)
def test_it_is_granted_only_by_two_people_who_may_and_without_a_no(given_: list[Ballot]) -> None:
    found = counted(given_)

    said = [each.approve for each in found.new]
    match [each.state for each in found.verdicts]:
        case []:
            assert said in ([], [True])
        case [RequestState.GRANTED]:
            assert said == [True, True]
        case [RequestState.REFUSED]:
            assert said.count(False) == 1
            assert said[-1] is False
        case other:
            raise AssertionError(other)


@given(ballots, st.lists(st.integers(0, 12), max_size=4))
def test_how_they_are_portioned_and_repeated_makes_no_difference(given_: list[Ballot], cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(given_)]
    portions = [given_[start:end] for start, end in pairwise(edges)]

    at_once = in_portions([given_])

    assert in_portions(portions) == at_once
    assert in_portions([*portions, given_, given_]) == at_once


def test_after_its_time_nothing_counts() -> None:
    found = counted([ballot(each) for each in ABLE], at=NOON + timedelta(hours=1))

    assert (found.new, {why for _, why in found.uncounted}) == ((), {"the question has expired"})


def test_a_long_reason_leaves_room_for_what_a_person_must_know() -> None:
    fact = asked(replace(REQUEST, why="x" * 5000), 0, NOON)

    assert isinstance(fact.event, ApprovalAsked)
    assert len(fact.event.why) == 2048
    assert fact.event.why.endswith("enrol more, or act by hand.")
