"""What is known of a release, and how its moments are written, does not depend on which of two ways made it."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events.event import Method
from services.compliance.rules_findings import moment
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
MOMENTS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - the offset is drawn beside it
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC) | OFFSETS,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SAYINGS, min_size=1, max_size=CLAIMS + 4))
def test_a_source_that_says_nothing_changes_nothing(events: list[Envelope]) -> None:
    _, patches = folded(events)

    alone = release_view(JANUARY, patches)

    assert alone == release_view(JANUARY, [*patches, SourcePatch(B, JAN, NO_WORD)])
    assert {each.source for each in patches} == {A}


@settings(max_examples=200, deadline=None)
@given(MOMENTS)
def test_a_moment_is_written_as_iso_8601_in_utc(at: datetime) -> None:
    assert written(at) == at.astimezone(UTC).isoformat()


@settings(max_examples=200, deadline=None)
@given(MOMENTS)
def test_a_moment_is_told_in_utc_to_the_minute(at: datetime) -> None:
    assert moment(at) == f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def test_a_vendor_that_writes_its_own_offset_is_told_the_same_as_one_that_writes_utc() -> None:
    there, here = datetime.fromisoformat("2026-01-01T10:00:00+02:00"), datetime(2026, 1, 1, 8, tzinfo=UTC)

    assert moment(there) == moment(here) == "2026-01-01 08:00Z"
    assert written(there) == written(here) == "2026-01-01T08:00:00+00:00"


def test_a_moment_that_has_no_day_in_utc_is_told_as_it_was_written() -> None:
    never = datetime.fromisoformat("0001-01-01T00:00:00+02:00")

    assert written(never) == "0001-01-01T00:00:00+00:00"
    assert moment(never).endswith("-01-01 00:00Z")
