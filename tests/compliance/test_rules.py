"""The state table, row by row: what was said, and the state that follows. For people: docs/patch-state.md."""

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.events.event import Method, Severity
from contracts.events.obligation import State
from tests.compliance.stories import (
    APP_UPDATE,
    CUMULATIVE,
    DEC,
    DEC_BUILD,
    DECEMBER_AT,
    JAN_BUILD,
    JANUARY,
    JANUARY_AT,
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
    release,
    reported,
    restart_pending,
    scanned,
    taken_off,
)

LIST_IT = listed(0)

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


def test_what_is_proven_lacks_the_next_release_from_its_first_second() -> None:
    february = release("5051979", hour(5), fixed="20348.3207", supersedes=[JANUARY.name])
    train = needed(*CUMULATIVE.releases, february)
    story = (LIST_IT, reported(1), booted(2), gone(3), read(3, JAN_BUILD))

    before = judged(*story, now=4.9, of=train)
    after = judged(*story, now=5, of=train)

    assert (before.state, before.next_change_at) == (State.VERIFIED, hour(5))
    assert after.state is State.MISSING_IN_SLA
    assert after.clock_started_at == hour(5)


STALE_TABLE: dict[str, tuple[Story, State]] = {
    "missing": ([LIST_IT], State.STALE),
    "pending a restart": ([LIST_IT, reported(1)], State.STALE),
    "reported": ([LIST_IT, reported(1), booted(2)], State.STALE),
    "unknown": ([scanned(1)], State.STALE),
    "never scanned is not stale, but unknown": ([], State.UNKNOWN),
    "a failure stands": ([LIST_IT, failed(1)], State.FAILED),
    "a contradiction stands": ([LIST_IT, reported(1), booted(2), listed(3)], State.CONTRADICTED),
    "a proof stands": ([LIST_IT, reported(1), booted(2), gone(3)], State.VERIFIED),
}


@pytest.mark.parametrize(("story", "state"), STALE_TABLE.values(), ids=STALE_TABLE.keys())
def test_when_nobody_has_looked_for_two_weeks(story: Story, state: State) -> None:
    assert judged(*story, now=24 * 14 + 4).state is state


def test_stale_comes_two_weeks_after_the_last_scan_and_says_since_when() -> None:
    before = judged(LIST_IT, now=48)
    after = judged(LIST_IT, now=14 * 24)

    assert before.next_change_at == hour(14 * 24)
    assert (after.state, after.since) == (State.STALE, hour(14 * 24))


def test_outside_the_population() -> None:
    definitions = needed(release("2267602", DECEMBER_AT), train="definitions")
    future = needed(release("5051979", hour(50)))

    assert judged(LIST_IT, failed(1), removed_at=hour(2)).state is State.RETIRED
    assert judged(LIST_IT, product="Windows Server 2025").state is State.NOT_APPLICABLE
    assert judged(of=definitions).state is State.OUT_OF_SCOPE
    assert judged(of=future).state is State.NOT_APPLICABLE
    assert judged(of=future).next_change_at == hour(50)


def test_a_device_whose_product_is_not_known_owes_what_its_evidence_names() -> None:
    assert judged(LIST_IT, product=None, of=needed(JANUARY)).state is State.MISSING_IN_SLA


def test_the_clock_counts_from_the_oldest_release_that_is_known_to_be_lacking() -> None:
    never_named = judged(LIST_IT)
    listed_before = judged(listed(-30, DEC), LIST_IT)

    assert never_named.clock_started_at == JANUARY_AT
    assert listed_before.clock_started_at == DECEMBER_AT


def test_an_attempt_that_a_webhook_and_a_poll_tell_of_is_counted_once() -> None:
    same = failed(1.001, method=Method.POLL)

    assert judged(LIST_IT, failed(1), same).failures == 1
    assert judged(LIST_IT, failed(1), same, failed(2)).failures == 2


def test_an_attempt_that_only_a_poll_found_is_counted_beside_those_that_were_told() -> None:
    untold = failed(5, method=Method.POLL)

    assert judged(LIST_IT, failed(1), untold).failures == 2
    assert judged(LIST_IT, untold, failed(1), failed(5.001)).failures == 2, "its webhook came late"
    assert judged(LIST_IT, untold).failures == 1


def test_more_attempts_than_are_remembered_are_none_too_many() -> None:
    told = [failed(each) for each in range(-20, 0)]
    polled = [failed(each + 0.01, method=Method.POLL) for each in range(-20, 0)]

    assert judged(LIST_IT, *told, *polled).failures == 20
    assert judged(LIST_IT, *polled, *told, failed(1, method=Method.POLL)).failures == 21


def test_severity_is_the_worst_that_is_lacking_and_unknown_hides_none() -> None:
    low = release(DEC, DECEMBER_AT, severity=Severity.LOW)
    unknown = release("5049983", JANUARY_AT, severity=Severity.UNKNOWN)

    assert judged(LIST_IT, listed(0, DEC), of=needed(low, unknown)).severity is Severity.LOW
    assert judged(LIST_IT, of=needed(low, unknown)).severity is Severity.UNKNOWN
    assert judged(LIST_IT, of=needed(unknown)).severity is Severity.UNKNOWN


def test_failures_of_all_releases_are_counted_and_the_last_code_is_told() -> None:
    decision = judged(failed(-30, DEC, code="0x1"), LIST_IT, failed(1, code="0x2"), failed(2, code="0x3"))

    assert (decision.failures, decision.code) == (3, "0x3")


def test_the_moments_of_an_obligation_are_kept() -> None:
    decision = judged(LIST_IT, approved(1), reported(2), booted(3), gone(4))

    assert decision.moments == {
        "vendor_released_at": JANUARY_AT,
        "catalogued_at": JANUARY_AT,
        "device_first_seen_at": decision.moments["device_first_seen_at"],
        "detected_at": hour(0),
        "approved_at": hour(1),
        "deploy_reported_at": hour(2),
        "reboot_required_at": hour(2),
        "booted_at": hour(3),
        "verified_at": hour(4),
    }
    assert decision.verified_at == hour(4)


def test_a_proof_names_its_witnesses() -> None:
    decision = judged(LIST_IT, reported(1), booted(2), gone(3))

    assert [(each.saw, each.at) for each in decision.witnesses] == [
        ("no longer listed 5049983", hour(3)),
        ("booted", hour(2)),
    ]


def test_a_device_dated_2099_proves_nothing_ahead_of_time() -> None:
    in_2099 = 24 * 365 * 74
    dated = booted(in_2099)
    lying = replace(dated, received=hour(0.5))

    assert judged(LIST_IT, lying, reported(1), gone(2), of=needed(JANUARY)).state is State.PENDING_REBOOT
