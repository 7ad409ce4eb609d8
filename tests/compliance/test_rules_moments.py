"""What an obligation tells besides its state: when it lapses, its clock, attempts, severity, witnesses and moments."""

import pytest

from contracts.events.event import Method, Severity
from contracts.events.obligation import State
from tests.compliance.stories import (
    CUMULATIVE,
    DEC,
    DECEMBER_AT,
    JAN_BUILD,
    JANUARY,
    JANUARY_AT,
    LIST_IT,
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
    release,
    reported,
    scanned,
)


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
    lying = dated._replace(received=hour(0.5))

    assert judged(LIST_IT, lying, reported(1), gone(2), of=needed(JANUARY)).state is State.PENDING_REBOOT
