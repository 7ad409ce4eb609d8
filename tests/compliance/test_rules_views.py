"""What is known of a release, and how its moments are written, does not depend on which of two ways made it."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events.event import Method
from services.compliance.rules_fold import CLAIMS, NO_WORD
from services.compliance.rules_rows import written
from services.compliance.rules_views import SourcePatch, release_view
from tests.compliance.stories import (
    JAN,
    JANUARY,
    A,
    B,
    approved,
    failed,
    folded,
    gone,
    listed,
    rejected,
    reported,
    restart_pending,
    taken_off,
)

HOURS = st.integers(min_value=-40, max_value=40)
SAYINGS = st.one_of(
    st.builds(listed, HOURS),
    st.builds(gone, HOURS),
    st.builds(reported, HOURS),
    st.builds(failed, HOURS, code=st.none() | st.just("0x2"), method=st.sampled_from(Method)),
    st.builds(taken_off, HOURS),
    st.builds(approved, HOURS),
    st.builds(rejected, HOURS),
    st.builds(restart_pending, HOURS, st.just(JAN)),
)
OFFSETS = st.integers(min_value=-14 * 60, max_value=14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@settings(max_examples=60, deadline=None)
@given(st.lists(SAYINGS, min_size=1, max_size=CLAIMS + 4))
def test_a_source_that_says_nothing_changes_nothing(events: list[Envelope]) -> None:
    _, patches = folded(events)

    alone = release_view(JANUARY, patches)

    assert alone == release_view(JANUARY, [*patches, SourcePatch(B, JAN, NO_WORD)])
    assert {each.source for each in patches} == {A}


@settings(max_examples=200, deadline=None)
@given(st.datetimes(timezones=st.just(UTC) | OFFSETS))
def test_a_moment_is_written_as_iso_8601(at: datetime) -> None:
    assert written(at) == at.isoformat()
