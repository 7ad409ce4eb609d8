"""What may be excepted, whose signature counts, and over what."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.compliance.exceptions.records import Chapter, Control, ControlKind, Lane
from services.compliance.exceptions.rules_exceptions import (
    ANEW_AFTER,
    Signed,
    before,
    goes_on_whole,
    granted_of,
    hindrance,
    judged,
    warning_at,
)
from services.compliance.policy import Days, ExceptionTerms, Hours, Months
from services.compliance.zones import zone_of
from tests.builders import NOON
from tests.compliance.exceptions.asking import (
    DAY,
    NORA,
    OTHER_KEY,
    OTHER_SERVER,
    SEGMENTED,
    SERVER,
    asked,
    desk,
    holding,
    owner,
    signed,
)

SECOND = timedelta(seconds=1)
ZONE = zone_of("America/New_York") or UTC
RESTRICTED = Control(ControlKind.RESTRICTED_ACCESS, "two people")
WATCHED = Control(ControlKind.MONITORING, "its traffic is recorded")


def test_what_the_owner_signed_counts() -> None:
    found = judged(signed(), desk())

    assert isinstance(found, Signed)
    assert (found.owner.name, found.decision.approve, found.ticket) == ("Nora West", True, "4711")


@pytest.mark.parametrize(
    ("signoff", "known", "why"),
    [
        (signed(), desk(ticket=None), "no ticket yet"),
        (signed(ticket="4712"), desk(), "not what was asked: ticket"),
        (signed(asked(until=NOON + 90 * DAY)), desk(), "not what was asked: until"),
        (signed(asked(reason="another")), desk(), "not what was asked: reason"),
        (signed(asked(controls=(WATCHED,))), desk(), "not what was asked: controls"),
        (signed(asked(asset_ids=None)), desk(), "not what was asked: assets"),
        (signed(approver=UUID(int=9)), desk(), "not enrolled as this client's owner"),
        (signed(key=OTHER_KEY), desk(), "not that of Nora West"),
        (signed(), desk(owners={}), "not enrolled"),
        (signed(), desk(owners={NORA: owner(revoked_at=NOON)}), "no longer enrolled"),
        (replace(signed(), statement="{}"), desk(), "does not say who decided"),
        (replace(signed(), statement="no json"), desk(), "does not say who decided"),
        (replace(signed(), statement=signed().statement + " "), desk(), "not canonical"),
        (replace(signed(), brought_at=NOON - timedelta(minutes=6)), desk(), "a moment that cannot be"),
        (signed(at=NOON - timedelta(minutes=6)), desk(), "a moment that cannot be"),
        (signed(), desk(chapters=set()), "not looked at yet"),
        (signed(), desk(chapters={Chapter.REQUESTED, Chapter.GRANTED}), "granted already"),
        (signed(), desk(chapters={Chapter.REQUESTED, Chapter.LAPSED}), "it is over: lapsed"),
        (signed(), desk(terms=ExceptionTerms(allowed=False)), "allows no exception"),
        (signed(), desk(now=NOON + 30 * DAY), "ended already"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_does_not_count_says_why(signoff: object, known: object, why: str) -> None:
    found = judged(signoff, known)  # type: ignore[arg-type]  # the table holds both

    assert isinstance(found, str)
    assert why in found


def test_who_is_an_owner_is_asked_when_it_is_judged_whatever_moment_the_bringer_wrote_down() -> None:
    revoked = {NORA: owner(revoked_at=NOON + SECOND)}

    assert isinstance(judged(signed(), desk(owners=revoked)), Signed)
    assert "no longer enrolled" in str(judged(signed(), desk(owners=revoked, now=NOON + SECOND)))


def test_a_moment_to_come_is_signed_at_that_moment_whatever_the_bringer_wrote_down() -> None:
    request = asked(until=NOON + 30 * DAY)

    found = judged(signed(request, at=NOON + DAY), desk(request, now=NOON))

    assert "a moment that cannot be" in str(found)


def test_a_request_from_the_future_is_no_longer_than_one_from_now() -> None:
    request = asked(requested_at=NOON + 400 * DAY, valid_from=NOON, until=NOON + 430 * DAY)

    assert "at the longest" in str(hindrance(request, ExceptionTerms(), ZONE, granted=(), now=NOON))


def test_an_owner_may_say_no_to_what_the_policy_would_forbid_anyway() -> None:
    found = judged(signed(approve=False), desk(terms=ExceptionTerms(allowed=False)))

    assert isinstance(found, Signed)
    assert not found.decision.approve


@pytest.mark.parametrize(("later", "is_allowed"), [(-SECOND, True), (timedelta(0), True), (SECOND, False)])
def test_an_exception_is_as_long_as_the_policy_allows_by_the_wall(later: timedelta, *, is_allowed: bool) -> None:
    start = datetime(2026, 3, 1, 17, tzinfo=UTC)  # noon in New York, in winter; the clocks change on the 8th
    limit = datetime(2026, 3, 31, 16, tzinfo=UTC)  # noon in New York, in summer

    request = asked(valid_from=start, requested_at=start, until=limit + later)
    why = hindrance(request, ExceptionTerms(longest=Days(30)), ZONE, granted=(), now=start)

    assert (why is None) is is_allowed


def test_a_start_in_the_past_gives_no_more_time() -> None:
    request = asked(valid_from=NOON - 60 * DAY, until=NOON + 30 * DAY)
    terms = ExceptionTerms(longest=Days(31))

    assert hindrance(request, terms, ZONE, granted=(), now=NOON) is None
    assert granted_of(request, NOON).valid_from == NOON


@pytest.mark.parametrize(
    ("lane", "controls", "renewal", "why"),
    [
        (Lane.ISOLATED, (SEGMENTED,), 0, "restricted_access, monitoring"),
        (Lane.ISOLATED, (SEGMENTED, RESTRICTED, WATCHED), 0, None),
        (Lane.ISOLATED, (SEGMENTED, RESTRICTED, WATCHED), 9, None),
        (Lane.DEFERRAL, (SEGMENTED,), 1, None),
        (Lane.DEFERRAL, (SEGMENTED,), 2, "allows to renew it once"),
    ],
    ids=["isolated lacks controls", "isolated", "isolated, often renewed", "renewed once", "renewed too often"],
)
def test_lanes_ask_for_different_things(
    lane: Lane, controls: tuple[Control, ...], renewal: int, why: str | None
) -> None:
    renews = UUID(int=7) if renewal else None
    request = asked(lane=lane, controls=controls, renewal=renewal, renews=renews)

    before = (holding(lane=lane, renewal=renewal - 1),) if renewal else ()
    found = hindrance(request, ExceptionTerms(), ZONE, granted=before, now=NOON)

    assert found is None if why is None else why in str(found)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "renew that one"),
        ({"asset_ids": frozenset({OTHER_SERVER})}, None),
        ({"asset_ids": None}, "renew that one"),
        ({"lane": Lane.ISOLATED}, None),
        ({"requirement_id": UUID(int=3)}, None),
        ({"until": NOON - ANEW_AFTER + SECOND}, "renew that one"),
        ({"until": NOON - ANEW_AFTER}, None),
        ({"revoked_at": NOON - ANEW_AFTER}, None),
    ],
    ids=["same", "other machine", "all machines", "other lane", "other requirement", "lately", "long ago", "revoked"],
)
def test_asking_anew_for_the_same_is_a_renewal(changes: dict[str, object], why: str | None) -> None:
    found = hindrance(asked(), ExceptionTerms(), ZONE, granted=(holding(**changes),), now=NOON)

    assert found is None if why is None else why in str(found)


@pytest.mark.parametrize(
    ("granted", "why"),
    [
        ((), "never granted"),
        ((holding(asset_ids=frozenset({OTHER_SERVER})),), "something else"),
        ((holding(requirement_id=UUID(int=3)),), "something else"),
        ((holding(asset_ids=None),), None),
    ],
    ids=["nothing", "other machine", "other requirement", "all machines"],
)
def test_a_renewal_goes_on_with_what_was_granted(granted: tuple[object, ...], why: str | None) -> None:
    request = asked(renews=UUID(int=7), renewal=1)

    found = hindrance(request, ExceptionTerms(), ZONE, granted=granted, now=NOON)  # type: ignore[arg-type]  # a table

    assert found is None if why is None else why in str(found)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "renew that one"),
        ({"asset_ids": frozenset({OTHER_SERVER})}, None),
        ({"until": NOON - ANEW_AFTER}, None),
        ({"renewal": 0, "until": NOON - DAY}, None),
    ],
    ids=["the same", "of another machine", "long ago", "the one before it"],
)
def test_one_exception_is_renewed_once_and_then_its_renewal(changes: dict[str, object], why: str | None) -> None:
    first, later = holding(), holding(**{"id": UUID(int=8), "renewal": 1, **changes})
    request = asked(renews=first.id, renewal=1)

    found = hindrance(request, ExceptionTerms(), ZONE, granted=(first, later), now=NOON)

    assert found is None if why is None else why in str(found)


def test_the_how_manieth_renewal_it_is_follows_from_what_it_renews() -> None:
    request = asked(renews=UUID(int=7), renewal=1)

    found = hindrance(request, ExceptionTerms(), ZONE, granted=(holding(renewal=1),), now=NOON)

    assert found == "it says to be renewal 1 and would be renewal 2"


@pytest.mark.parametrize(
    ("before", "of", "is_whole"),
    [
        ((SERVER,), (SERVER,), True),
        ((SERVER, OTHER_SERVER), (SERVER,), False),
        (None, (SERVER,), False),
        (None, None, True),
    ],
    ids=["the same", "one of two", "one of all", "all"],
)
def test_a_renewal_of_some_machines_is_no_end_for_the_others(
    before: tuple[UUID, ...] | None, of: tuple[UUID, ...] | None, *, is_whole: bool
) -> None:
    assert goes_on_whole(asked(asset_ids=of), asked(asset_ids=before)) is is_whole


def test_the_end_is_announced_so_many_days_before_by_the_wall() -> None:
    until = datetime(2026, 3, 14, 16, tzinfo=UTC)  # noon in New York, in summer
    holds = granted_of(asked(valid_from=NOON - 300 * DAY, until=until), until - 90 * DAY)

    assert warning_at(holds, ExceptionTerms(), ZONE) == datetime(2026, 2, 28, 17, tzinfo=UTC)
    assert warning_at(holds, ExceptionTerms(warn_before=Days(400)), ZONE) == holds.valid_from


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (Hours(24), datetime(2026, 3, 30, 12, tzinfo=UTC)),
        (Days(30), datetime(2026, 3, 1, 13, tzinfo=UTC)),
        (Months(1), datetime(2026, 2, 28, 13, tzinfo=UTC)),
    ],
    ids=["hours", "days", "months"],
)
def test_before_counts_hours_exactly_and_days_by_the_calendar(term: Hours | Days | Months, expected: datetime) -> None:
    assert before(datetime(2026, 3, 31, 12, tzinfo=UTC), term, ZONE) == expected


@pytest.mark.parametrize(
    ("at", "holds"),
    [(NOON - SECOND, False), (NOON, True), (NOON + 5 * DAY - SECOND, True), (NOON + 5 * DAY, False)],
)
def test_it_holds_up_to_its_end_and_not_at_it(at: datetime, *, holds: bool) -> None:
    granted = granted_of(asked(until=NOON + 30 * DAY), NOON)
    revoked = replace(granted, revoked_at=NOON + 5 * DAY)

    assert revoked.holds_at(at) is holds
