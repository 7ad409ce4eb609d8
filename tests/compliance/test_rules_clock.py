"""Which clock runs: the strictest of all regimes, each counted from its own moment; and one second around each end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from contracts.envelope import Envelope
from contracts.events.event import Severity, Tier
from contracts.events.obligation import State
from services.compliance.policy import (
    DEFAULT_1,
    Category,
    Days,
    Hours,
    Months,
    Policy,
    Regime,
    Risk,
    Rule,
    Starts,
    Term,
    When,
)
from services.compliance.rules import Decision
from services.compliance.rules_case import AssetView, Basis
from tests.compliance.stories import (
    A_SERVER,
    DEC,
    DEC_BUILD,
    JANUARY,
    JANUARY_AT,
    Story,
    approved,
    hour,
    judged_by,
    listed,
    needed,
    read,
    scanned,
)

ANY = When()
SECOND = timedelta(seconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
ONE = needed(JANUARY)


def row(within: Term | None, starts: Starts = Starts.RELEASE, *, when: When = ANY, ends_with_day: bool = False) -> Rule:
    return Rule(id="row", when=when, within=within, starts=starts, ends_with_day=ends_with_day)


def policy(*rules: Rule, breach_tickets: bool = False) -> Policy:
    """Return a policy in which each rule is a regime of its own."""
    regimes = tuple(Regime(id=f"regime-{number}", rules=(rule,)) for number, rule in enumerate(rules))
    return replace(DEFAULT_1, id="own-1", regimes=regimes, breach_tickets=breach_tickets)


def decided(
    *events: Envelope,
    by: Policy,
    at: datetime = JANUARY_AT + timedelta(hours=12),
    risk: Risk | None = None,
    asset: AssetView = A_SERVER,
) -> Decision:
    basis = Basis(by, UTC, risk_of=lambda _: risk or Risk())
    return judged_by(*events, basis=basis, at=at, of=ONE, asset=asset)


ADDED = JANUARY_AT + timedelta(hours=5)
STARTS: dict[str, tuple[Starts, Story, datetime | None]] = {
    "the release": (Starts.RELEASE, [listed(3)], JANUARY_AT),
    "its detection": (Starts.DETECTION, [listed(3), listed(5)], hour(3)),
    "nothing detected it": (Starts.DETECTION, [], None),
    "a build below is a detection, from the first scan that could have found it": (
        Starts.DETECTION,
        [scanned(1), read(4, DEC_BUILD)],
        hour(1),
    ),
    "scanned before the release, read below after it": (
        Starts.DETECTION,
        [scanned(-40), read(4, DEC_BUILD)],
        JANUARY_AT,
    ),
    "its approval": (Starts.APPROVAL, [listed(0), approved(4)], hour(4)),
    "nobody approved it": (Starts.APPROVAL, [listed(0)], None),
    "the list of exploited ones": (Starts.KEV_ADDED, [listed(0)], ADDED),
    "a machine that was there before": (Starts.LATER_OF_RELEASE_AND_FIRST_SEEN, [listed(0)], JANUARY_AT),
    "the later of release and detection": (Starts.LATER_OF_RELEASE_AND_DETECTION, [listed(3)], hour(3)),
    "the later of release and no detection": (Starts.LATER_OF_RELEASE_AND_DETECTION, [], None),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_clock_counts_from(name: str) -> None:
    starts, story, begins_at = STARTS[name]

    found = decided(*story, by=policy(row(Hours(48), starts)), risk=Risk(kev_added_at=ADDED))

    assert found.clock_started_at == begins_at
    assert found.due_at == (begins_at + timedelta(hours=48) if begins_at else None)
    assert found.rule == ("regime-0:row" if begins_at else None)


def test_a_new_machine_has_the_time_since_it_was_first_seen() -> None:
    late = replace(A_SERVER, first_seen_at=hour(30))

    found = decided(by=policy(row(Hours(48), Starts.LATER_OF_RELEASE_AND_FIRST_SEEN)), asset=late, at=hour(31))

    assert found.due_at == hour(78)


def test_what_was_exploited_before_its_release_counts_from_the_release() -> None:
    risk = Risk(kev_added_at=JANUARY_AT - timedelta(days=9))

    assert decided(listed(0), by=policy(row(Days(3), Starts.KEV_ADDED)), risk=risk).clock_started_at == JANUARY_AT


def test_what_is_in_no_list_starts_no_clock_of_that_row() -> None:
    found = decided(listed(0), by=policy(row(Days(3), Starts.KEV_ADDED), row(Days(30))))

    assert (found.due_at, found.rule) == (JANUARY_AT + timedelta(days=30), "regime-1:row")


def test_of_several_regimes_the_strictest_counts() -> None:
    found = decided(listed(0), by=policy(row(Days(30)), row(Hours(24)), row(Days(7))))

    assert (found.due_at, found.rule) == (JANUARY_AT + timedelta(hours=24), "regime-1:row")


def test_where_no_row_holds_no_clock_runs_and_nothing_is_ever_overdue() -> None:
    kiosks = policy(row(Hours(24), when=When(tiers=frozenset({Tier.KIOSK}))))

    found = decided(scanned(24 * 400), listed(24 * 400), by=kiosks, at=hour(24 * 401))

    assert (found.state, found.due_at, found.clock_started_at, found.rule) == (State.MISSING_IN_SLA, None, None, None)
    assert found.breached_at is None


def test_at_the_next_upgrade_is_no_clock_either() -> None:
    assert decided(listed(0), by=policy(row(None))).due_at is None


ENDS: dict[str, tuple[Rule, datetime]] = {
    "24 hours": (row(Hours(24)), JANUARY_AT + timedelta(hours=24)),
    "14 days": (row(Days(14)), JANUARY_AT + timedelta(days=14)),
    "a month": (row(Months(1)), datetime(2025, 2, 14, 18, tzinfo=UTC)),
    "14 days, to the end of the day": (
        row(Days(14), ends_with_day=True),
        datetime(2025, 1, 28, 23, 59, 59, tzinfo=UTC),
    ),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize(
    ("seconds", "state"), [(-1, State.MISSING_IN_SLA), (0, State.MISSING_OVERDUE), (1, State.MISSING_OVERDUE)]
)
def test_one_second_decides(name: str, seconds: int, state: State) -> None:
    is_breach = seconds >= 0
    rule, due_at = ENDS[name]
    at = due_at + seconds * SECOND
    seen = (due_at - timedelta(days=1) - hour(0)) / timedelta(hours=1)

    found = decided(listed(seen), by=policy(rule, breach_tickets=True), at=at)

    assert (found.state, found.due_at) == (state, due_at)
    assert found.breached_at == (due_at if is_breach else None)
    assert found.next_change_at is not None
    assert (found.next_change_at == due_at) is (not is_breach)


def test_days_are_counted_in_the_clients_zone_over_the_change_of_its_clocks() -> None:
    march = needed(replace(JANUARY, released_at=datetime(2025, 3, 20, 18, tzinfo=UTC)))
    story = [listed(24 * 70)]

    found = judged_by(*story, basis=Basis(policy(row(Days(14))), BERLIN), at=hour(24 * 70 + 1), of=march)

    assert found.due_at == datetime(2025, 4, 3, 17, tzinfo=UTC)


def test_what_the_tags_say_chooses_the_row() -> None:
    rules = policy(row(Days(3), when=When(exposed=True)), row(Days(30)))

    outside = decided(listed(0), by=rules, asset=replace(A_SERVER, exposed=True))
    inside = decided(listed(0), by=rules, asset=replace(A_SERVER, exposed=False))

    assert (outside.due_at, inside.due_at) == (JANUARY_AT + timedelta(days=3), JANUARY_AT + timedelta(days=30))


def test_what_supersedes_restarts_no_clock() -> None:
    december = policy(row(Hours(24), when=When(severities=frozenset({Severity.CRITICAL}))))

    found = judged_by(listed(-1000, DEC), listed(0), basis=Basis(december, UTC), at=hour(1))

    assert found.due_at == datetime(2024, 12, 11, 18, tzinfo=UTC)


END = JANUARY_AT + timedelta(days=180)
OF_LIFE = needed(replace(JANUARY, category=Category.LIFECYCLE, due_at=END), train="lifecycle")


@pytest.mark.parametrize(
    ("until", "due_at"),
    [(None, END), (END + timedelta(days=365), END + timedelta(days=365)), (END - timedelta(days=30), END)],
    ids=["no entitlement", "longer support was bought", "an entitlement that ends before it takes nothing away"],
)
def test_the_end_of_service_is_due_then_whatever_the_tables_say(until: datetime | None, due_at: datetime) -> None:
    entitled = {"Windows Server 2022": until} if until else {}
    by = replace(policy(row(Hours(1))), supported_until=entitled)

    found = judged_by(listed(0), basis=Basis(by, UTC), at=hour(1), of=OF_LIFE)

    assert (found.due_at, found.rule) == (due_at, "lifecycle:end of service")


def test_what_must_be_done_before_the_patch_is_said() -> None:
    first = replace(row(Days(3)), extra=("forensic_triage",))

    found = decided(listed(0), by=policy(first))

    assert found.why.endswith("; before it is deployed: forensic_triage (regime-0:row)")
