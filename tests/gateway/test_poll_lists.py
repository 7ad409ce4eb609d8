"""How a list of missing patches differs from the one before: tables of what appears, disappears and is held."""

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.polling import rules_list
from services.gateway.polling.rules_list import HEARTBEAT, ListChange, list_change
from services.gateway.polling.rules_snapshot import NEVER_EQUAL, Snapshot
from tests.builders import HOUR, MINUTE, NOON
from tests.gateway.poll_rows import Row, attempt_row, patch_row, reading

A, B = 5050000, 5040404


def told(change: ListChange) -> tuple[list[str], list[str]]:
    """Return what appeared and what is gone."""
    if change.scan is None:
        return [], []
    return [each.patch for each in change.scan.appeared], [each.patch for each in change.scan.gone]


@dataclass
class Device:
    """One device over several polls."""

    snapshot: Snapshot | None = None
    polls: list[tuple[list[str], list[str]]] = field(default_factory=list)
    last: ListChange | None = None

    def read(self, *patches: Row, contact: datetime | None, attempts: tuple[Row, ...] = ()) -> ListChange:
        """Poll it."""
        change = list_change("os", self.snapshot, reading(patches=patches, attempts=attempts, contact=contact))
        self.snapshot = change.snapshot
        self.polls.append(told(change))
        self.last = change
        return change


def test_the_first_reading_tells_everything_that_is_listed() -> None:
    change = Device().read(patch_row(A), patch_row(B), contact=NOON)

    assert told(change) == (["KB5050000", "KB5040404"], [])
    assert change.scan is not None
    assert (change.scan.scanned_at, change.scan.listed) == (NOON, 2)


def test_an_empty_list_is_a_scan_too() -> None:
    change = Device().read(contact=NOON)

    assert change.scan is not None
    assert (change.scan.scanned_at, change.scan.listed, told(change)) == (NOON, 0, ([], []))


def test_what_is_no_longer_listed_at_a_later_scan_is_gone() -> None:
    device = Device()
    device.read(patch_row(A), patch_row(B), contact=NOON)

    change = device.read(patch_row(B, at=NOON + HOUR), contact=NOON + HOUR)

    assert told(change) == ([], ["KB5050000"])
    assert change.scan is not None
    assert (change.scan.scanned_at, change.scan.listed) == (NOON + HOUR, 1)


def test_an_unchanged_list_is_not_told_again_until_its_rows_or_half_a_day_say_so() -> None:
    device = Device()
    device.read(patch_row(A), contact=NOON)

    assert device.read(patch_row(A), contact=NOON + HOUR).scan is None
    later = device.read(patch_row(A, at=NOON + 2 * HOUR), contact=NOON + 2 * HOUR)
    assert later.scan is not None
    assert later.scan.scanned_at == NOON + 2 * HOUR
    beat = device.read(patch_row(A, at=NOON + 2 * HOUR), contact=NOON + 2 * HOUR + HEARTBEAT)
    assert beat.scan is not None
    assert device.polls[1:] == [([], []), ([], []), ([], [])]


ABSENCES: dict[str, tuple[datetime | None, tuple[Row, ...], list[str], bool]] = {
    "a later contact": (NOON + HOUR, (), ["KB5050000"], True),
    "no later contact": (NOON, (), [], False),
    "no contact known": (None, (), [], False),
    "installed before the scan": (NOON + HOUR, (attempt_row("INSTALLED", NOON + MINUTE),), ["KB5050000"], True),
    "installed after the scan": (NOON + HOUR, (attempt_row("INSTALLED", NOON + 2 * HOUR),), [], False),
    "installed at the scan": (NOON + HOUR, (attempt_row("INSTALLED", NOON + HOUR),), [], False),
    "failed": (NOON + HOUR, (attempt_row("FAILED", NOON + MINUTE),), [], True),
    "installed, then failed": (
        NOON + HOUR,
        (attempt_row("INSTALLED", NOON + MINUTE), attempt_row("FAILED", NOON + 2 * MINUTE)),
        [],
        True,
    ),
    "failed, then installed": (
        NOON + HOUR,
        (attempt_row("FAILED", NOON + MINUTE), attempt_row("INSTALLED", NOON + 2 * MINUTE)),
        ["KB5050000"],
        True,
    ),
    "another patch failed": (NOON + HOUR, (attempt_row("FAILED", NOON + MINUTE, B),), ["KB5050000"], True),
}


@pytest.mark.parametrize(("contact", "attempts", "gone", "is_settled"), ABSENCES.values(), ids=ABSENCES.keys())
def test_absence_is_judged_by_scans_and_attempts(
    contact: datetime | None,
    attempts: tuple[Row, ...],
    gone: list[str],
    is_settled: bool,  # noqa: FBT001 - a table
) -> None:
    device = Device()
    device.read(patch_row(A), contact=NOON)

    change = device.read(contact=contact, attempts=attempts)

    assert told(change)[1] == gone
    assert (change.snapshot.digest != NEVER_EQUAL) == is_settled


def test_a_failed_patch_stays_missing_when_its_attempt_is_too_old_to_be_read() -> None:
    device = Device()
    device.read(patch_row(A), contact=NOON)
    device.read(contact=NOON + HOUR, attempts=(attempt_row("FAILED", NOON + MINUTE),))

    device.read(contact=NOON + 40 * 24 * HOUR)
    device.read(contact=NOON + 41 * 24 * HOUR, attempts=(attempt_row("INSTALLED", NOON + 40 * 24 * HOUR),))

    assert [gone for _, gone in device.polls] == [[], [], [], ["KB5050000"]]


def test_a_failed_attempt_at_something_never_listed_says_that_it_is_missing() -> None:
    change = Device().read(contact=NOON, attempts=(attempt_row("FAILED", NOON - HOUR),))

    assert told(change) == (["KB5050000"], [])
    assert change.scan is not None
    assert change.scan.listed == 1


def test_an_installed_attempt_at_something_never_listed_is_gone_once_at_the_next_scan() -> None:
    attempts = (attempt_row("INSTALLED", NOON + MINUTE),)
    device = Device()
    device.read(contact=NOON)

    device.read(contact=NOON + MINUTE, attempts=attempts)
    device.read(contact=NOON + HOUR, attempts=attempts)
    device.read(contact=NOON + 20 * HOUR, attempts=attempts)

    assert device.polls == [([], []), ([], []), ([], ["KB5050000"]), ([], [])]
    assert device.last is not None
    assert device.last.scan is not None
    assert device.last.scan.listed == 0


def test_what_is_listed_still_after_it_was_said_to_be_installed_is_told_again_once() -> None:
    attempts = (attempt_row("INSTALLED", NOON + MINUTE),)
    device = Device()
    device.read(patch_row(A), contact=NOON)

    device.read(patch_row(A), contact=NOON + HOUR, attempts=attempts)
    device.read(patch_row(A, at=NOON + 2 * HOUR), contact=NOON + 2 * HOUR, attempts=attempts)
    device.read(patch_row(A, at=NOON + 3 * HOUR), contact=NOON + 3 * HOUR, attempts=attempts)

    assert [appeared for appeared, _ in device.polls[1:]] == [[], ["KB5050000"], []]


def test_what_comes_back_is_told_again() -> None:
    device = Device()
    device.read(patch_row(A), contact=NOON)
    device.read(contact=NOON + HOUR)

    change = device.read(patch_row(A, at=NOON + 2 * HOUR), contact=NOON + 2 * HOUR)

    assert told(change) == (["KB5050000"], [])


def test_an_unread_row_means_that_nothing_is_gone() -> None:
    device = Device()
    device.read(patch_row(A), contact=NOON)

    change = device.read(patch_row(A, at=NOON + HOUR) | {"timestamp": "noon"}, contact=NOON + HOUR)

    assert told(change) == ([], [])
    assert change.snapshot.digest == NEVER_EQUAL
    assert told(device.read(contact=NOON + 2 * HOUR)) == ([], ["KB5050000"])


def test_decisions_are_told_when_they_are_taken() -> None:
    device = Device()
    device.read(patch_row(A), patch_row(B, status="APPROVED"), contact=NOON)
    first = device.last

    change = device.read(patch_row(A, status="REJECTED"), patch_row(B, status="APPROVED"), contact=NOON + HOUR)

    assert first is not None
    assert ([each.patch for each in first.approved], first.rejected) == (["KB5040404"], ())
    assert ([each.patch for each in change.rejected], change.approved) == (["KB5050000"], ())


def test_an_installed_row_on_the_list_is_not_missing() -> None:
    change = Device().read(patch_row(A, status="INSTALLED"), contact=NOON)

    assert told(change) == ([], [])


def test_a_failed_row_on_the_list_is_an_attempt_and_missing() -> None:
    row = patch_row(A, status="FAILED", installedAt=(NOON - HOUR).timestamp())
    one = reading(patches=(row,))

    assert [(each.outcome, each.at) for each in one.attempts] == [("FAILED", NOON - HOUR)]
    assert told(list_change("os", None, one)) == (["KB5050000"], [])


@pytest.mark.parametrize(
    ("rows_at", "collected_at", "before", "expected"),
    [
        (NOON, NOON + HOUR, None, NOON),
        (None, NOON + HOUR, None, NOON + HOUR),
        (NOON, NOON + HOUR, NOON, NOON + HOUR),
        (NOON, NOON, NOON, None),
        (NOON + HOUR, NOON, NOON, NOON + HOUR),
        (None, None, None, None),
    ],
    ids=["rows first", "no rows", "old rows", "nothing new", "new rows", "nothing at all"],
)
def test_a_scan_has_the_moment_that_the_vendor_gives_it(
    rows_at: datetime | None, collected_at: datetime | None, before: datetime | None, expected: datetime | None
) -> None:
    assert rules_list.scan_moment(rows_at, collected_at, before) == expected


@given(st.lists(st.sets(st.integers(1, 5)), min_size=1, max_size=8), st.integers(0, 3))
def test_told_in_order_the_differences_are_the_list(lists: list[set[int]], repeats: int) -> None:
    """Whoever adds what appears and takes away what is gone has the list, however often it is polled."""
    device = Device()
    believed: set[str] = set()
    for number, listed in enumerate(lists, start=1):
        at = NOON + number * HOUR
        rows = [patch_row(5_000_000 + each, at=at) for each in sorted(listed)]
        for _ in range(repeats + 1):
            appeared, gone = told(device.read(*rows, contact=at))
            believed = (believed | set(appeared)) - set(gone)

        assert believed == {f"KB{5_000_000 + each}" for each in listed}
