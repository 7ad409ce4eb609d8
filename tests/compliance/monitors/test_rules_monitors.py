"""The monitors of the service document: which condition holds, since when, and how long it took to notice."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.events.monitor import Monitor
from contracts.events.obligation import State
from services.compliance.monitors.rules_monitors import (
    WHILE_UNHEARD,
    Condition,
    Owed,
    Watched,
    changes,
    conditions,
    look_at,
)
from tests.compliance.monitors.agreeing import POLICY, agreement

NOON = datetime(2025, 2, 20, 12, tzinfo=UTC)
RELEASED_AT = datetime(2025, 1, 14, 18, tzinfo=UTC)
SECOND = timedelta(seconds=1)
AGREED = agreement()


def owed(state: State, *, train: str = "cumulative", since: datetime = NOON, released: datetime | None = NOON) -> Owed:
    return Owed("Windows Server 2022", train, "KB5049983", state, "a scan listed it", since, released)


def machine(*each: Owed, heard_at: datetime | None = NOON, uncatalogued: tuple[str, ...] = ()) -> Watched:
    since = NOON - timedelta(days=90)
    return Watched(owed=each, failing_uncatalogued=uncatalogued, heard_at=heard_at, since=since)


@pytest.mark.parametrize(
    ("state", "failing"),
    [
        (State.FAILED, {Monitor.UPDATES_FAILED}),
        (State.PENDING_REBOOT, {Monitor.UPDATES_INSTALLED}),
        (State.REPORTED_UNVERIFIED, {Monitor.UPDATES_INSTALLED}),
        (State.CONTRADICTED, {Monitor.UPDATES_INSTALLED}),
        *((state, set()) for state in (State.VERIFIED, State.EXCEPTED, State.MISSING_IN_SLA, State.UNKNOWN)),
    ],
)
def test_each_state_makes_its_own_monitor_fail(state: State, failing: set[Monitor]) -> None:
    found = conditions(AGREED, machine(owed(state)), NOON)

    assert {monitor for monitor, each in found.items() if each.failing} == failing


@pytest.mark.parametrize(
    ("state", "failing"),
    [
        *((state, True) for state in (State.MISSING_IN_SLA, State.MISSING_OVERDUE, State.FAILED, State.STALE)),
        *((state, False) for state in (State.VERIFIED, State.EXCEPTED, State.UNKNOWN, State.RETIRED)),
    ],
)
def test_a_service_pack_is_missing_until_it_is_proven_or_excepted(state: State, *, failing: bool) -> None:
    found = conditions(AGREED, machine(owed(state, train="service_pack", released=RELEASED_AT)), NOON)

    assert found[Monitor.MISSING_SERVICE_PACK].failing is failing
    assert not found[Monitor.OUT_OF_DATE].failing


@pytest.mark.parametrize(("seconds", "failing"), [(-1, False), (0, True), (1, True)])
def test_a_release_counts_as_missing_its_successor_from_its_end_of_service_on(seconds: int, *, failing: bool) -> None:
    ending = owed(State.MISSING_OVERDUE if failing else State.MISSING_IN_SLA, train="lifecycle", released=RELEASED_AT)
    machines = machine(ending._replace(due_at=NOON - seconds * SECOND))

    found = conditions(AGREED, machines, NOON)

    assert found[Monitor.MISSING_SERVICE_PACK].failing is failing
    if not failing:
        assert look_at(AGREED, machines, found, NOON) == NOON + SECOND


@pytest.mark.parametrize(
    ("now", "failing"),
    [
        (datetime(2025, 2, 13, 17, 59, 59, tzinfo=UTC), False),
        (datetime(2025, 2, 13, 18, 0, 0, tzinfo=UTC), True),
        (datetime(2025, 2, 13, 18, 0, 1, tzinfo=UTC), True),
    ],
)
def test_a_machine_is_out_of_date_from_the_second_on_that_its_release_is_so_old(
    now: datetime, *, failing: bool
) -> None:
    lacking = machine(owed(State.MISSING_OVERDUE, released=RELEASED_AT), heard_at=now)

    found = conditions(AGREED, lacking, now)

    assert found[Monitor.OUT_OF_DATE].failing is failing
    if not failing:
        assert look_at(AGREED, lacking, found, now) == datetime(2025, 2, 13, 18, tzinfo=UTC)


def test_what_fails_and_no_catalog_knows_is_a_failure_too() -> None:
    found = conditions(AGREED, machine(uncatalogued=("acme-reader-4.2",)), NOON)

    assert found[Monitor.UPDATES_FAILED].failing
    assert "acme-reader-4.2" in found[Monitor.UPDATES_FAILED].why


def test_more_culprits_than_a_person_reads_are_counted() -> None:
    found = conditions(AGREED, machine(*[owed(State.FAILED, since=NOON - n * SECOND) for n in range(5)]), NOON)

    assert found[Monitor.UPDATES_FAILED].why.endswith("; and 2 more")
    assert found[Monitor.UPDATES_FAILED].happened_at == NOON - 4 * SECOND


@pytest.mark.parametrize(("heard_ago", "failing"), [(24 * 3600 - 1, False), (24 * 3600, True), (24 * 3600 + 1, True)])
def test_a_machine_not_heard_for_the_longest_delay_blinds_its_monitors(heard_ago: int, *, failing: bool) -> None:
    unheard = machine(heard_at=NOON - heard_ago * SECOND)

    found = conditions(AGREED, unheard, NOON)

    assert found[Monitor.DETECTION].failing is failing
    assert look_at(AGREED, unheard, found, NOON) == (NOON + WHILE_UNHEARD if failing else NOON + SECOND)


def test_a_machine_that_was_never_read_is_given_as_long_from_when_it_is_watched() -> None:
    new = Watched(owed=(), since=NOON)

    assert not conditions(AGREED, new, NOON + timedelta(hours=23))[Monitor.DETECTION].failing
    assert conditions(AGREED, new, NOON + timedelta(hours=24))[Monitor.DETECTION].failing


def test_only_changes_are_told() -> None:
    found = conditions(AGREED, machine(owed(State.FAILED)), NOON)
    since = NOON - timedelta(days=9)

    first = changes({}, found, AGREED, since=since, now=NOON)
    again = changes({each.monitor: each.condition.failing for each in first}, found, AGREED, since=since, now=NOON)

    assert [(each.monitor, each.condition.failing) for each in first] == [(Monitor.UPDATES_FAILED, True)]
    assert again == []


@pytest.mark.parametrize(("after_seconds", "late"), [(7199, False), (7200, False), (7201, True)])
def test_what_is_noticed_after_the_longest_delay_is_late(after_seconds: int, *, late: bool) -> None:
    since, now = NOON - timedelta(days=9), NOON + after_seconds * SECOND
    found = {Monitor.UPDATES_FAILED: Condition(failing=True, why="it failed", happened_at=NOON)}

    [change] = changes({}, found, AGREED, since=since, now=now)

    assert change.delay == after_seconds * SECOND
    assert change.late is late


def test_nothing_can_be_late_that_was_so_before_the_machine_was_watched() -> None:
    found = {Monitor.UPDATES_FAILED: Condition(failing=True, why="it failed", happened_at=NOON - timedelta(days=90))}

    [change] = changes({}, found, AGREED, since=NOON, now=NOON + SECOND)

    assert (change.delay, change.late) == (SECOND, False)


def test_a_monitor_that_is_switched_off_takes_back_what_it_told() -> None:
    off = agreement(POLICY.replace("updates_failed: {on: true, detect_within: PT2H}", "updates_failed: {on: false}"))
    found = conditions(off, machine(owed(State.FAILED)), NOON)

    [change] = changes({Monitor.UPDATES_FAILED: True}, found, off, since=NOON, now=NOON)

    assert not change.condition.failing
    assert "no longer asks" in change.condition.why


def test_with_every_monitor_off_nothing_is_watched() -> None:
    silent = agreement(
        "\n".join(line for line in POLICY.splitlines() if "on: true" not in line and line != "monitors:")
    )

    assert conditions(silent, machine(owed(State.FAILED), heard_at=None), NOON) == {}
