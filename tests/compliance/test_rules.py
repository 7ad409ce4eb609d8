"""The state table, row by row: what was said, and the state that follows. For people: docs/patch-state.md."""

from datetime import timedelta

import pytest

from contracts.events.event import Method
from contracts.events.obligation import State
from tests.compliance.stories import (
    APP_UPDATE,
    DEC,
    DEC_BUILD,
    DECEMBER_AT,
    JAN_BUILD,
    JANUARY,
    JANUARY_AT,
    LIST_IT,
    B,
    Story,
    approved,
    booted,
    failed,
    gone,
    hour,
    judged,
    listed,
    needed,
    read,
    rejected,
    reported,
    restart_pending,
    scanned,
    taken_off,
)

TABLE: dict[str, tuple[Story, State]] = {
    # Nobody looked, or nobody can tell.
    "nothing was ever said": ([], State.UNKNOWN),
    "a build was read but no scan was ever seen": ([read(1, JAN_BUILD)], State.UNKNOWN),
    # It is lacking.
    "a scan lists it": ([LIST_IT], State.MISSING_IN_SLA),
    "a scan lists it, and a policy approved it": ([LIST_IT, approved(1)], State.MISSING_IN_SLA),
    "it was rejected: a rejection is no exception": ([LIST_IT, rejected(1)], State.MISSING_IN_SLA),
    "the last scan is older than the release": ([scanned(-30)], State.MISSING_IN_SLA),
    "never listed, but the build is below": ([scanned(1), read(1, DEC_BUILD)], State.MISSING_IN_SLA),
    "a build without its revision tells nothing": ([scanned(1), read(1, "20348")], State.UNKNOWN),
    "a build of another line tells nothing": ([scanned(1), read(1, "26100.2894")], State.UNKNOWN),
    "scans since the release never listed it": ([scanned(1)], State.UNKNOWN),
    "it was taken off again": ([LIST_IT, reported(1), booted(2), taken_off(3)], State.MISSING_IN_SLA),
    "its build was read, then it was taken off": (
        [LIST_IT, reported(1), booted(2, JAN_BUILD), taken_off(3)],
        State.MISSING_IN_SLA,
    ),
    "its build was read, it was taken off, and a scan lists it": (
        [LIST_IT, reported(1), booted(2, JAN_BUILD), taken_off(3), listed(4)],
        State.MISSING_IN_SLA,
    ),
    "taken off, then the build read all the same, then listed": (
        [LIST_IT, reported(1), taken_off(2), read(3, JAN_BUILD), listed(4)],
        State.CONTRADICTED,
    ),
    "proven, then listed again": (
        [LIST_IT, reported(1), booted(2), gone(3), listed(4)],
        State.CONTRADICTED,
    ),
    "rejected, then gone from the list": ([LIST_IT, rejected(1), gone(2), booted(3)], State.MISSING_IN_SLA),
    # The deployer's word.
    "reported, the restart is still to come": ([LIST_IT, reported(1)], State.PENDING_REBOOT),
    "reported, gone from the list, no restart yet": ([LIST_IT, reported(1), gone(2)], State.PENDING_REBOOT),
    "reported, old build read before the restart": (
        [LIST_IT, reported(1), gone(2), read(3, DEC_BUILD)],
        State.PENDING_REBOOT,
    ),
    "the patch waits for a restart": ([LIST_IT, restart_pending(1, "5049983")], State.PENDING_REBOOT),
    "booted, and the device asks for another restart": (
        [LIST_IT, reported(1), booted(2), restart_pending(3)],
        State.PENDING_REBOOT,
    ),
    "gone by itself while the device waits for a restart": (
        [LIST_IT, gone(1), restart_pending(2), read(3, DEC_BUILD)],
        State.PENDING_REBOOT,
    ),
    "reported and booted, nobody has looked since": ([LIST_IT, reported(1), booted(2)], State.REPORTED_UNVERIFIED),
    "a boot before the report proves nothing": (
        [LIST_IT, booted(0.5), reported(1), gone(2)],
        State.PENDING_REBOOT,
    ),
    "a scan by webhook names no patch, so it is no absence": (
        [LIST_IT, reported(1), booted(2), scanned(3)],
        State.REPORTED_UNVERIFIED,
    ),
    "a poll's whole list without it is an absence, once it was claimed": (
        [reported(1), booted(2), scanned(3, method=Method.POLL)],
        State.VERIFIED,
    ),
    "a poll's whole list without what nobody ever spoke of tells nothing": (
        [booted(2), scanned(3, method=Method.POLL)],
        State.UNKNOWN,
    ),
    "a poll's scan before the claim is no absence": (
        [scanned(0.5, method=Method.POLL), reported(1), booted(2)],
        State.REPORTED_UNVERIFIED,
    ),
    "a poll's scan is no absence of what its list still has": (
        [LIST_IT, reported(1), booted(2), scanned(3, method=Method.POLL)],
        State.REPORTED_UNVERIFIED,
    ),
    "gone from the list, nothing else": ([LIST_IT, gone(1)], State.REPORTED_UNVERIFIED),
    "a newer build, but no scan since": ([LIST_IT, read(1, JAN_BUILD)], State.REPORTED_UNVERIFIED),
    "the build was read before the report": (
        [LIST_IT, read(0.5, JAN_BUILD), reported(1), gone(2)],
        State.PENDING_REBOOT,
    ),
    # It failed.
    "the deployer failed": ([LIST_IT, failed(1)], State.FAILED),
    "failed, and no scan was ever seen": ([failed(1)], State.FAILED),
    "reported, then failed": ([LIST_IT, reported(1), failed(2)], State.FAILED),
    "failed, then taken off: nothing is healed": ([LIST_IT, failed(1), taken_off(2)], State.FAILED),
    "failed, then reported": ([LIST_IT, failed(1), reported(2)], State.PENDING_REBOOT),
    "failed, then a restart alone": ([LIST_IT, failed(1), booted(2)], State.FAILED),
    "failed, and only gone from the list": ([LIST_IT, failed(1), gone(2)], State.FAILED),
    # Two witnesses disagree.
    "reported and booted, but a later scan lists it": (
        [LIST_IT, reported(1), booted(2), listed(3)],
        State.CONTRADICTED,
    ),
    "reported and booted, but the build is below": (
        [LIST_IT, reported(1), booted(2), read(3, DEC_BUILD)],
        State.CONTRADICTED,
    ),
    "the boot itself read the old build": ([LIST_IT, reported(1), booted(2, DEC_BUILD)], State.CONTRADICTED),
    "absent from the scan, but the build read later is below": (
        [LIST_IT, gone(1), read(2, DEC_BUILD)],
        State.CONTRADICTED,
    ),
    "the build is there, but a later scan lists it": ([read(0, JAN_BUILD), listed(1)], State.CONTRADICTED),
    "listed once more before the restart is no contradiction": (
        [LIST_IT, reported(1), listed(2)],
        State.PENDING_REBOOT,
    ),
    # It is proven.
    "reported, booted, and a later scan no longer lists it": (
        [LIST_IT, reported(1), booted(2), gone(3)],
        State.VERIFIED,
    ),
    "the scan may come before the boot": ([LIST_IT, reported(1), gone(2), booted(3)], State.VERIFIED),
    "reported, a newer build, and a later scan": (
        [LIST_IT, reported(1), gone(2), read(3, JAN_BUILD)],
        State.VERIFIED,
    ),
    "nobody reported it: gone and booted": ([LIST_IT, gone(1), booted(2)], State.VERIFIED),
    "nobody ever listed it: a scan and the build": ([scanned(1), read(2, JAN_BUILD)], State.VERIFIED),
    "an even newer build": ([scanned(1), read(2, "20348.9999")], State.VERIFIED),
    "failed, but then gone and booted": ([LIST_IT, failed(1), booted(2), gone(3)], State.VERIFIED),
    "failed once more although the build is there, scanned since": (
        [scanned(1), read(2, JAN_BUILD), failed(3), scanned(4)],
        State.VERIFIED,
    ),
    "a second source no longer lists it": (
        [LIST_IT, listed(0, source=B), reported(1), gone(2, source=B)],
        State.VERIFIED,
    ),
    "a second source read the build": ([LIST_IT, reported(1), read(2, JAN_BUILD, source=B)], State.VERIFIED),
    "the report is repeated after the proof": (
        [LIST_IT, reported(1), booted(2), gone(3), reported(4)],
        State.VERIFIED,
    ),
    "a report never proves, however often it is repeated": (
        [LIST_IT, booted(0.5), reported(1), gone(2), reported(3), reported(4)],
        State.PENDING_REBOOT,
    ),
    "claims too many to remember prove nothing of the time before them": (
        [LIST_IT, booted(0.5), gone(0.6), *(reported(1 + n / 10) for n in range(20))],
        State.PENDING_REBOOT,
    ),
    "two other sources saw it gone, nobody claimed it": (
        [listed(0, source=B), LIST_IT, gone(1), gone(2, source=B)],
        State.VERIFIED,
    ),
    "rejected, but the build is there": ([rejected(0), scanned(1), read(2, JAN_BUILD)], State.VERIFIED),
}


@pytest.mark.parametrize(("story", "state"), TABLE.values(), ids=TABLE.keys())
def test_the_state_follows_from_what_was_said(story: Story, state: State) -> None:
    assert judged(*story, of=needed(JANUARY)).state is state


TWO_RELEASES: dict[str, tuple[Story, State]] = {
    "an older one fails beside a newer one that was reported": (
        [LIST_IT, reported(1), failed(2, DEC)],
        State.PENDING_REBOOT,
    ),
    "the month before failed, the new one is only listed": ([failed(-30, DEC), LIST_IT], State.FAILED),
    "the month before was reported, the new one is listed": ([reported(-30, DEC), LIST_IT], State.MISSING_OVERDUE),
    "the month before is contradicted, nobody has looked since the release": (
        [listed(-90, DEC), reported(-80, DEC), booted(-70), listed(-60, DEC)],
        State.CONTRADICTED,
    ),
    "the month before was reported, the new one is out and nobody has looked": (
        [listed(-90, DEC), reported(-80, DEC)],
        State.MISSING_OVERDUE,
    ),
}


@pytest.mark.parametrize(("story", "state"), TWO_RELEASES.values(), ids=TWO_RELEASES.keys())
def test_what_was_said_of_two_releases_of_one_requirement(story: Story, state: State) -> None:
    assert judged(*story).state is state


APP_TABLE: dict[str, tuple[Story, State]] = {
    "listed": ([listed(0, "4.2")], State.MISSING_IN_SLA),
    "reported: it needs no restart": ([listed(0, "4.2"), reported(1, "4.2")], State.REPORTED_UNVERIFIED),
    "reported and gone: only a boot or another source proves it": (
        [listed(0, "4.2"), reported(1, "4.2"), gone(2, "4.2")],
        State.REPORTED_UNVERIFIED,
    ),
    "any boot after the report completes the proof": (
        [listed(0, "4.2"), reported(1, "4.2"), gone(2, "4.2"), booted(3)],
        State.VERIFIED,
    ),
    "reported, but a later scan lists it": (
        [listed(0, "4.2"), reported(1, "4.2"), listed(2, "4.2")],
        State.CONTRADICTED,
    ),
}


@pytest.mark.parametrize(("story", "state"), APP_TABLE.values(), ids=APP_TABLE.keys())
def test_an_application_without_builds_and_restarts(story: Story, state: State) -> None:
    assert judged(*story, of=APP_UPDATE).state is state


def test_the_deadline_passes_to_the_second() -> None:
    due_after = (JANUARY_AT + timedelta(hours=24) - hour(0)) / timedelta(hours=1)

    before = judged(LIST_IT, now=due_after - 1 / 3600, of=needed(JANUARY))
    after = judged(LIST_IT, now=due_after, of=needed(JANUARY))

    assert (before.state, before.next_change_at) == (State.MISSING_IN_SLA, before.due_at)
    assert after.state is State.MISSING_OVERDUE
    assert after.since == after.due_at == JANUARY_AT + timedelta(hours=24)


def test_a_newer_release_does_not_restart_the_clock_of_the_one_that_is_still_lacking() -> None:
    decision = judged(listed(-100, DEC), LIST_IT)

    assert decision.clock_started_at == DECEMBER_AT
    assert decision.due_at == DECEMBER_AT + timedelta(hours=24)
    assert decision.state is State.MISSING_OVERDUE


def test_the_clock_starts_at_the_release_that_the_device_lacks() -> None:
    decision = judged(scanned(-500), read(-500, DEC_BUILD), LIST_IT)

    assert decision.clock_started_at == JANUARY_AT


def test_a_newer_update_satisfies_the_older() -> None:
    december_only = judged(listed(-100, DEC), LIST_IT, reported(1), booted(2), gone(3))

    assert december_only.state is State.VERIFIED
    assert december_only.release == JANUARY.name


def test_an_older_update_does_not_satisfy_the_newer() -> None:
    decision = judged(listed(-100, DEC), reported(-99, DEC), booted(-98), gone(-97, DEC), LIST_IT)

    assert decision.state is State.MISSING_IN_SLA
    assert decision.release == JANUARY.name
    assert decision.clock_started_at == JANUARY_AT


def test_an_older_update_that_vanished_behind_a_newer_one_is_not_proven_by_that() -> None:
    decision = judged(listed(-100, DEC), gone(0, DEC), LIST_IT, booted(1))

    assert decision.clock_started_at == DECEMBER_AT
