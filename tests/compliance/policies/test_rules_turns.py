"""Which version holds: of those whose validity a moment lies in, the last recorded; and when that becomes another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.policy import PolicyApplied
from services.compliance.policies.compile import Version, digest_of, in_force
from services.compliance.policies.reading import policy_of
from services.compliance.policies.rules_told import policy_applied
from services.compliance.policies.rules_turns import Known, Recorded, turn
from services.compliance.zones import use_shipped_zones
from tests.builders import ACME
from tests.compliance.policies.files import file_of

use_shipped_zones()
DAY = timedelta(days=1)
START = datetime(2025, 2, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def version(number: int, *, begins: int, ends: int | None = None, recorded: int = 0) -> Version:
    """Return a version that is valid from one day to another, counted from START."""
    document, presets = policy_of(
        file_of(
            valid_from=(START + begins * DAY).isoformat(),
            **({} if ends is None else {"valid_until": (START + ends * DAY).isoformat()}),
        )
    )
    return Version(
        tenant_id=ACME,
        number=number,
        version=number,
        document=document,
        presets=presets,
        digest=digest_of(document, presets),
        recorded_at=START + recorded * DAY,
        recorded_by="operator jane@desk",
        reason="agreed",
    )


FIRST, LATER, PILOT = version(1, begins=0), version(2, begins=10), version(3, begins=5, ends=7, recorded=5)


@pytest.mark.parametrize(
    ("at", "number"),
    [
        pytest.param(START - SECOND, None, id="before any"),
        pytest.param(START, 1, id="from its first moment"),
        pytest.param(START + 5 * DAY - SECOND, 1, id="a second before the pilot"),
        pytest.param(START + 5 * DAY, 3, id="the pilot begins"),
        pytest.param(START + 7 * DAY - SECOND, 3, id="its last second"),
        pytest.param(START + 7 * DAY, 1, id="it ended: the one before holds again"),
        pytest.param(START + 10 * DAY, 2, id="the later one"),
    ],
)
def test_the_last_recorded_version_that_is_valid_holds(at: datetime, number: int | None) -> None:
    found = in_force([FIRST, LATER, PILOT], at)

    assert (found.number if found else None) == number


def test_one_recorded_later_hides_one_that_was_to_begin_after_it() -> None:
    sooner = version(3, begins=8)

    assert in_force([FIRST, LATER, sooner], START + 20 * DAY) is sooner


def recorded(*versions: Version) -> list[Recorded]:
    return [Recorded(each, feasible=True, accepted=None) for each in versions]


@pytest.mark.parametrize(
    ("known", "now", "before", "after", "at"),
    [
        pytest.param(Known(0, START - DAY), START + DAY, None, 1, START, id="a first version"),
        pytest.param(Known(2, START + 9 * DAY), START + 10 * DAY, 1, 2, START + 10 * DAY, id="its moment came"),
        pytest.param(Known(2, START + 9 * DAY), START + 9.5 * DAY, None, None, None, id="nothing came"),
        pytest.param(Known(2, START + 4 * DAY), START + 5.5 * DAY, 1, 3, START + 5 * DAY, id="one recorded since"),
        pytest.param(Known(3, START + 6 * DAY), START + 8 * DAY, 3, 1, START + 7 * DAY, id="one ended"),
    ],
)
def test_what_came_into_force_is_told_with_its_moment(
    *, known: Known, now: datetime, before: int | None, after: int | None, at: datetime | None
) -> None:
    found = turn(recorded(FIRST, LATER, PILOT), known, now)

    if at is None:
        assert found is None
        return
    assert found is not None
    assert (found.before.number if found.before else None) == before
    assert (found.after.version.number if found.after else None) == after
    assert found.at == at


def test_an_end_without_another_leaves_the_built_in_policy() -> None:
    found = turn(recorded(PILOT), Known(3, START + 6 * DAY), START + 8 * DAY)

    assert found is not None
    told = policy_applied(found).data
    assert isinstance(told, PolicyApplied)
    assert (told.version, told.policy, told.before) == (None, None, 3)
    assert found.at == START + 7 * DAY


def test_said_again_it_is_the_same_event() -> None:
    first = turn(recorded(FIRST), Known(0, START - DAY), START + DAY)
    again = turn(recorded(FIRST), Known(0, START - DAY), START + 3 * DAY)

    assert first is not None
    assert again is not None
    assert policy_applied(first).id == policy_applied(again).id
    assert policy_applied(first).data == policy_applied(again).data


DAYS = st.integers(min_value=0, max_value=12)
VERSIONS = {
    (begins, ends): version(1, begins=begins, ends=ends)
    for begins in range(0, 12, 3)
    for ends in (None, *range(begins + 2, 14, 4))
}
"""Reading a file takes long; what differs between two of a client's versions is put in its place below."""


@given(
    kinds=st.lists(st.sampled_from(sorted(VERSIONS, key=str)), min_size=1, max_size=5),
    recorded_on=st.lists(DAYS, min_size=5, max_size=5),
    looked_on=st.lists(DAYS, min_size=1, max_size=6),
)
def test_however_often_is_looked_the_turns_lead_from_one_version_to_the_one_that_holds(
    kinds: list[tuple[int, int | None]], recorded_on: list[int], looked_on: list[int]
) -> None:
    moments = sorted(recorded_on[: len(kinds)])
    versions = [
        replace(VERSIONS[kind], number=number, version=number, recorded_at=START + moments[number - 1] * DAY)
        for number, kind in enumerate(kinds, 1)
    ]
    known, holding = Known(0, START - DAY), None
    for day in sorted(looked_on):
        now = START + day * DAY
        there = [each for each in versions if each.recorded_at <= now]
        if not there:
            continue

        found = turn(recorded(*there), known, now)

        assert (found is None) == (in_force(there, now) is holding)
        if found is not None:
            assert found.before is holding
            holding = found.after.version if found.after else None
            assert found.at <= now
        assert holding is in_force(there, now)
        known = Known(there[-1].number, now)
