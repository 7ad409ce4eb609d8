"""Points come from tags and feeds; a person's word holds for its time; only what could change a decision is news."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.events.event import OsFamily, Severity, Tier
from services.compliance.catalog.model import EMPTY, Product, Release, Requirement, requirement
from services.compliance.policy import DEFAULT_1, Policy, Regime, Rule, TagWords, When
from services.compliance.priority.rules_asked import forensics
from services.compliance.priority.rules_priority import (
    Desk,
    Machines,
    Need,
    Override,
    judged,
    lacking,
    machines_of,
    next_change_at,
    points,
)
from services.compliance.priority.tables import BOD_26_04, DEPLOYER, trees
from services.compliance.subjects import Level, Risk

NOW = datetime(2026, 11, 12, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEV = datetime(2026, 11, 10, tzinfo=UTC)
KNOWN = Risk(
    kev_added_at=KEV,
    automatable=True,
    technical_impact_total=True,
    epss=0.52,
    cvss=9.8,
    cves=("CVE-2026-10001",),
    versions=("epss v2026.06.15", "kev 2026.11.10"),
)
EDGE = Machines(tier=Tier.SERVER, exposed=True, business=Level.HIGH)


def months() -> Requirement:
    """Return a train of three releases, each superseding the one before it."""
    product = Product(name="Example Server", os_family=OsFamily.WINDOWS)
    releases = [
        Release(
            name=f"KB{number}",
            released_at=NOW - (4 - number) * 30 * DAY,
            catalogued_at=NOW,
            severity=Severity.HIGH,
            supersedes=frozenset({f"KB{number - 1}"} if number > 1 else ()),
        )
        for number in (1, 2, 3)
    ]
    return requirement(UUID(int=7), product, "cumulative", releases)


NEED = Need(requirement=months(), release=months().release("KB3"), risk=KNOWN)


def override(number: int = 1, **changes: object) -> Override:
    usual = Override(
        id=UUID(int=number),
        requirement_id=UUID(int=7),
        machines=None,
        table=DEPLOYER,
        outcome="defer",
        reason="vendor tells of a broken update",
        by="operator jo@desk",
        valid_from=NOW - DAY,
        until=NOW + DAY,
        recorded_at=NOW - DAY,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # each test names fields of Override


def desk(*overrides: Override, policy: Policy = DEFAULT_1, now: datetime = NOW) -> Desk:
    return Desk(tenant_id=UUID(int=1), policy=policy, catalog=EMPTY, trees=trees(), overrides=overrides, now=now)


def bod(when: When | None = None) -> Policy:
    row = Rule(id="row", when=when or When(kev=True), within=None, extra=("forensic_triage",))
    return replace(DEFAULT_1, id="bod", regimes=(Regime(id="cisa-bod-26-04", rules=(row,)),))


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ((), Machines(tier=Tier.SERVER)),
        (("Internet-Facing", "impact:high"), Machines(tier=Tier.SERVER, exposed=True, business=Level.HIGH)),
        (("internal", "isolated"), Machines(tier=Tier.SERVER, exposed=False, isolated=True)),
        (("internal", "dmz"), Machines(tier=Tier.SERVER, exposed=True)),
    ],
    ids=["no tags", "exposed", "isolated", "both said: the worse"],
)
def test_the_class_of_a_machine_comes_from_its_tags(tags: tuple[str, ...], expected: Machines) -> None:
    assert machines_of(Tier.SERVER, tags, ephi=None, words=TagWords()) == expected


def test_a_class_has_a_name_that_leaves_out_what_nobody_said() -> None:
    assert Machines(tier=Tier.KIOSK).key == "kiosk"
    assert replace(EDGE, isolated=True, ephi=False).key == "server exposed isolated high no-ephi"


@pytest.mark.parametrize(
    ("machines", "exposure"),
    [
        (Machines(tier=Tier.SERVER), None),
        (Machines(tier=Tier.SERVER, exposed=True), "open"),
        (Machines(tier=Tier.SERVER, exposed=False), "controlled"),
        (Machines(tier=Tier.SERVER, isolated=True), "small"),
        (Machines(tier=Tier.SERVER, exposed=True, isolated=True), "open"),
    ],
    ids=["unknown", "exposed", "internal", "isolated", "isolated but exposed"],
)
def test_exposure_of_the_deployers_table(machines: Machines, exposure: str | None) -> None:
    assert points(machines, KNOWN)["exposure"] == exposure


def test_what_no_feed_was_asked_is_not_known() -> None:
    asked = replace(KNOWN, kev_added_at=None)

    assert points(EDGE, KNOWN)["kev"] == "yes"
    assert points(EDGE, asked)["kev"] == "no"
    assert points(EDGE, replace(asked, versions=("epss v2026.06.15",)))["kev"] is None
    assert points(EDGE, replace(asked, cves=()))["kev"] is None


def test_what_is_in_the_list_of_exploited_ones_is_exploited() -> None:
    assert points(EDGE, replace(KNOWN, exploitation="none"))["exploitation"] == "active"
    assert points(EDGE, replace(KNOWN, kev_added_at=None, exploitation="poc"))["exploitation"] == "poc"


def test_the_deployers_table_leads_and_the_others_are_said_beside_it() -> None:
    found = judged(NEED, EDGE, desk())

    assert (found.verdict.table, found.outcome, found.decided_by) == (DEPLOYER, "immediate", f"table {DEPLOYER}")
    assert {each.table: each.outcome for each in found.also}[BOD_26_04] == "3_days_and_forensics"


def test_where_the_directive_is_agreed_on_its_table_leads() -> None:
    found = judged(NEED, EDGE, desk(policy=bod()))

    assert (found.verdict.table, found.outcome) == (BOD_26_04, "3_days_and_forensics")


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (NOW - DAY - timedelta(seconds=1), "immediate"),
        (NOW - DAY, "defer"),
        (NOW + DAY - timedelta(seconds=1), "defer"),
        (NOW + DAY, "immediate"),
    ],
    ids=["before", "from its first second", "to its last", "ended"],
)
def test_a_persons_word_holds_for_its_time(now: datetime, outcome: str) -> None:
    found = judged(NEED, EDGE, desk(override(), now=now))

    assert found.outcome == outcome
    assert found.verdict.outcome == "immediate"


@pytest.mark.parametrize(
    "other",
    [
        override(machines="kiosk"),
        override(requirement_id=UUID(int=8)),
        override(table=BOD_26_04, outcome="60_days"),
    ],
    ids=["another class", "another requirement", "another table"],
)
def test_a_persons_word_on_something_else_changes_nothing(other: Override) -> None:
    assert judged(NEED, EDGE, desk(other)).override is None


def test_the_last_word_holds_and_an_empty_one_gives_it_back() -> None:
    first, second = override(), override(2, outcome="scheduled", recorded_at=NOW)
    ended = override(3, outcome=None, recorded_at=NOW + timedelta(seconds=1))

    assert judged(NEED, EDGE, desk(second, first)).decided_by == "operator jo@desk"
    assert judged(NEED, EDGE, desk(second, first)).outcome == "scheduled"
    assert judged(NEED, EDGE, desk(first, second, ended)).outcome == "immediate"


def test_the_next_moment_of_an_override_is_its_beginning_or_its_end() -> None:
    later = override(valid_from=NOW + DAY / 2)

    assert next_change_at([override(), later], NOW) == NOW + DAY / 2
    assert next_change_at([override()], NOW + DAY) is None


@pytest.mark.parametrize(
    ("risk", "is_news"),
    [
        (replace(KNOWN, versions=("epss v2026.06.15", "kev 2026.11.11")), False),
        (replace(KNOWN, epss=0.53), False),
        (replace(KNOWN, epss=0.61), True),
        (replace(KNOWN, cvss=9.9), True),
        (replace(KNOWN, ransomware=True), True),
        (replace(KNOWN, kev_added_at=KEV - DAY), True),
        (replace(KNOWN, technical_impact_total=None), True),
    ],
    ids=["version", "score in its tenth", "score in another", "cvss", "ransomware", "kev", "point taken back"],
)
def test_only_what_could_change_a_decision_is_news(risk: Risk, *, is_news: bool) -> None:
    before = judged(NEED, EDGE, desk())

    after = judged(replace(NEED, risk=risk), EDGE, desk())

    assert (before.digest != after.digest) is is_news


def test_another_policy_or_persons_word_is_news() -> None:
    before = judged(NEED, EDGE, desk())

    assert judged(NEED, EDGE, desk(policy=replace(DEFAULT_1, id="acme-2"))).digest != before.digest
    assert judged(NEED, EDGE, desk(override(outcome="immediate"))).digest != before.digest
    assert judged(NEED, EDGE, desk(now=NOW + DAY)).digest == before.digest


@pytest.mark.parametrize(
    ("since", "names"),
    [(None, ["KB3"]), (NOW - 60 * DAY, ["KB2", "KB3"]), (NOW, ["KB3"]), (NOW - 400 * DAY, ["KB1", "KB2", "KB3"])],
    ids=["no clock", "the one whose clock runs", "a later clock", "all"],
)
def test_what_is_lacking_reaches_back_to_the_release_whose_clock_runs(since: datetime | None, names: list[str]) -> None:
    assert [each.name for each in lacking(months(), "KB3", since)] == names


def test_a_release_that_the_catalog_lost_is_lacking_nothing() -> None:
    assert lacking(months(), "KB9", None) == ()


def test_only_a_row_that_says_so_asks_for_a_triage() -> None:
    release = NEED.release

    asked = forensics(bod(), EDGE, release, KNOWN)

    assert asked is not None
    assert asked == ("cisa-bod-26-04:row", KEV)
    assert forensics(DEFAULT_1, EDGE, release, KNOWN) is None
    assert forensics(bod(When(exposed=False)), EDGE, release, KNOWN) is None
    assert forensics(bod(When()), EDGE, release, replace(KNOWN, kev_added_at=None)) is None
