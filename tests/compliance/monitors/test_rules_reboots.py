"""Restarts, judged by window, consent and approval of the client's policy."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.event import Tier
from contracts.events.monitor import RebootVerdict
from services.compliance.monitors.rules_reboots import SAME_BOOT, Deployed, Heard, Judged, Said, Word, judged, news
from tests.compliance.monitors.agreeing import agreement

SUNDAY = datetime(2025, 1, 19, 7, tzinfo=UTC)
"""When the servers' window opens: 02:00 in New York."""
MONDAY = datetime(2025, 1, 20, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
AGREED = agreement()


def verdict(
    tier: Tier, at: datetime, *words: Word, deployed: bool = True, tells: bool = True
) -> tuple[RebootVerdict, Judged]:
    """Return what a restart at `at` was, with an installation an hour before it."""
    put = [Deployed(at - HOUR, "KB5049983")] if deployed else []
    boots = [at - timedelta(days=3), at]
    [*_, found] = judged(AGREED, Heard(tier=tier, boots=boots, words=words, deployed=put, tells=tells))
    return found.verdict, found


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (SUNDAY - SECOND, RebootVerdict.SURPRISE),
        (SUNDAY, RebootVerdict.IN_WINDOW),
        (SUNDAY + 4 * HOUR - SECOND, RebootVerdict.IN_WINDOW),
        (SUNDAY + 4 * HOUR, RebootVerdict.SURPRISE),
        (datetime(2025, 3, 9, 7, tzinfo=UTC), RebootVerdict.IN_WINDOW),
        (datetime(2025, 7, 20, 6, tzinfo=UTC), RebootVerdict.IN_WINDOW),
        (datetime(2025, 7, 20, 5, 59, 59, tzinfo=UTC), RebootVerdict.SURPRISE),
    ],
    ids=["a second early", "as it opens", "its last second", "as it is over", "clocks skip it", "summer", "too early"],
)
def test_a_server_restarts_in_its_window_or_by_surprise(at: datetime, expected: RebootVerdict) -> None:
    found, restart = verdict(Tier.SERVER, at)

    assert found is expected
    assert restart.window == ("servers-sunday" if expected is RebootVerdict.IN_WINDOW else None)


def test_a_restart_that_nothing_was_deployed_before_is_not_the_deployments() -> None:
    found, restart = verdict(Tier.SERVER, MONDAY, deployed=False)

    assert (found, restart.deployed) == (RebootVerdict.NOT_JUDGED, False)
    assert "power cut" in restart.why


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([Word(MONDAY - HOUR, Said.CONSENTED, "front desk")], RebootVerdict.CONSENTED),
        ([Word(MONDAY - 25 * HOUR, Said.NOTIFIED)], RebootVerdict.AT_DEADLINE),
        ([Word(MONDAY - 24 * HOUR, Said.NOTIFIED)], RebootVerdict.AT_DEADLINE),
        ([Word(MONDAY - 24 * HOUR + SECOND, Said.NOTIFIED)], RebootVerdict.SURPRISE),
        ([Word(MONDAY - 5 * HOUR, Said.NOTIFIED), Word(MONDAY - HOUR, Said.DEFERRED)], RebootVerdict.SURPRISE),
        ([Word(MONDAY - 5 * HOUR, Said.CONSENTED), Word(MONDAY - HOUR, Said.DEFERRED)], RebootVerdict.SURPRISE),
        ([Word(MONDAY - 5 * HOUR, Said.DEFERRED), Word(MONDAY - HOUR, Said.CONSENTED)], RebootVerdict.CONSENTED),
        ([Word(MONDAY + SECOND, Said.CONSENTED)], RebootVerdict.SURPRISE),
        ([], RebootVerdict.SURPRISE),
    ],
    ids=[
        "agreed",
        "told long before",
        "at the deadline",
        "a second early",
        "put off",
        "agreed, then put off",
        "put off, then agreed",
        "agreed afterwards",
        "not told",
    ],
)
def test_a_users_machine_restarts_with_consent_or_when_the_time_is_up(
    words: Sequence[Word], expected: RebootVerdict
) -> None:
    assert verdict(Tier.WORKSTATION, MONDAY, *words)[0] is expected


def test_where_no_source_tells_of_notices_nobody_can_say_that_there_was_none() -> None:
    found, restart = verdict(Tier.WORKSTATION, MONDAY, tells=False)

    assert found is RebootVerdict.NOT_JUDGED
    assert "no source of this client tells" in restart.why


@pytest.mark.parametrize(
    ("by", "expected"),
    [("nora west", RebootVerdict.APPROVED), (None, RebootVerdict.APPROVED), ("Eve", RebootVerdict.SURPRISE)],
)
def test_a_machine_not_to_be_disturbed_restarts_when_its_own_approver_says_so(
    by: str | None, expected: RebootVerdict
) -> None:
    assert verdict(Tier.DO_NOT_DISRUPT, MONDAY, Word(MONDAY - HOUR, Said.APPROVED, by))[0] is expected


def test_a_word_of_somebody_else_takes_no_approval_back() -> None:
    words = Word(MONDAY - 2 * HOUR, Said.APPROVED, "Nora West"), Word(MONDAY - HOUR, Said.APPROVED, "Eve")

    found, restart = verdict(Tier.DO_NOT_DISRUPT, MONDAY, *words)

    assert (found, restart.consented_by) == (RebootVerdict.APPROVED, "Nora West")


def test_a_users_consent_is_no_approval() -> None:
    assert verdict(Tier.DO_NOT_DISRUPT, MONDAY, Word(MONDAY - HOUR, Said.CONSENTED))[0] is RebootVerdict.SURPRISE


def test_immediately_is_what_somebody_agreed_to_by_name() -> None:
    found, restart = verdict(Tier.KIOSK, MONDAY)

    assert (found, restart.consented_by) == (RebootVerdict.CONSENTED, "Nora West")


def test_notice_deferrals_and_consent_are_kept_of_each_restart() -> None:
    words = [
        Word(MONDAY - 6 * HOUR, Said.NOTIFIED),
        Word(MONDAY - 5 * HOUR, Said.DEFERRED),
        Word(MONDAY - 4 * HOUR, Said.NOTIFIED),
        Word(MONDAY - 3 * HOUR, Said.DEFERRED),
        Word(MONDAY - HOUR, Said.CONSENTED, "front desk"),
    ]

    _, restart = verdict(Tier.WORKSTATION, MONDAY, *words)

    assert (restart.notice, restart.deferrals) == (6 * HOUR, 2)
    assert (restart.consented_by, restart.consented_at) == ("front desk", MONDAY - HOUR)


def test_words_about_the_restart_before_say_nothing_of_this_one() -> None:
    before = Word(MONDAY - timedelta(days=4), Said.CONSENTED)

    assert verdict(Tier.WORKSTATION, MONDAY, before)[0] is RebootVerdict.SURPRISE


def test_restarts_from_before_the_policy_are_not_judged_at_all() -> None:
    old = AGREED.since - SECOND

    assert judged(AGREED, Heard(tier=Tier.SERVER, boots=[old])) == []


def test_the_oldest_of_the_boots_that_are_kept_is_only_counted_from() -> None:
    heard = Heard(tier=Tier.SERVER, boots=[MONDAY - 50 * HOUR, MONDAY], forgotten=True)

    assert [each.booted_at for each in judged(AGREED, heard)] == [MONDAY]


def test_another_sources_word_on_the_same_restart_is_no_other_restart() -> None:
    told = judged(AGREED, Heard(tier=Tier.SERVER, boots=[MONDAY]))
    later_word = judged(AGREED, Heard(tier=Tier.SERVER, boots=[MONDAY - SAME_BOOT, MONDAY]))

    assert news([], told) == told
    assert news(told, later_word) == []


def test_a_consent_that_is_heard_late_makes_it_another_verdict_of_the_same_restart() -> None:
    put = [Deployed(MONDAY - HOUR, "KB5049983")]
    told = judged(AGREED, Heard(tier=Tier.WORKSTATION, boots=[MONDAY], deployed=put, tells=True))
    late = [Word(MONDAY - HOUR, Said.CONSENTED)]

    [change] = news(
        told, judged(AGREED, Heard(tier=Tier.WORKSTATION, boots=[MONDAY], deployed=put, words=late, tells=True))
    )

    assert told[0].verdict is RebootVerdict.SURPRISE
    assert (change.verdict, change.booted_at) == (RebootVerdict.CONSENTED, MONDAY)


MOMENTS = st.integers(min_value=0, max_value=400).map(lambda hours: SUNDAY + hours * HOUR)


@given(
    boots=st.lists(MOMENTS, min_size=1, max_size=6),
    words=st.lists(st.tuples(MOMENTS, st.sampled_from(Said)), max_size=6),
    shuffle=st.randoms(use_true_random=False),
)
def test_in_whatever_order_it_was_heard_the_restarts_are_the_same(
    boots: list[datetime], words: list[tuple[datetime, Said]], shuffle: object
) -> None:
    said = [Word(at, each, "desk") for at, each in words]
    in_order = judged(AGREED, Heard(tier=Tier.WORKSTATION, boots=boots, words=said, tells=True))
    shuffle.shuffle(boots)  # type: ignore[attr-defined]  # hypothesis's Random has no type of its own
    shuffle.shuffle(said)  # type: ignore[attr-defined]  # as above

    assert judged(AGREED, Heard(tier=Tier.WORKSTATION, boots=[*boots, *boots], words=said, tells=True)) == in_order
