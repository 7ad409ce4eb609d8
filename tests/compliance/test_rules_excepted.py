"""An exception hides what is lacking while it holds, moves no deadline, ends to the second; and what is a breach."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from contracts.envelope import Envelope
from contracts.events.obligation import State
from services.compliance.exceptions.records import Granted
from services.compliance.policy import DEFAULT_1
from services.compliance.rules import Decision
from services.compliance.rules_case import AssetView, Basis
from tests.builders import ACME
from tests.compliance.stories import (
    A_SERVER,
    JANUARY,
    JANUARY_AT,
    Story,
    booted,
    failed,
    gone,
    hour,
    judged_by,
    listed,
    needed,
    reported,
    scanned,
)

ONE = needed(JANUARY)
SECOND = timedelta(seconds=1)
DUE_AT = JANUARY_AT + timedelta(hours=24)
OWN = replace(DEFAULT_1, id="own-1", breach_tickets=True)
FROM, UNTIL = hour(5), hour(50)


def granted(
    starts_at: datetime = FROM, until: datetime = UNTIL, *, revoked_at: datetime | None = None, number: int = 1
) -> Granted:
    return Granted(
        id=UUID(int=number),
        tenant_id=ACME,
        requirement_id=ONE.id,
        asset_ids=None,
        valid_from=starts_at,
        until=until,
        revoked_at=revoked_at,
    )


def decided(
    *events: Envelope, at: datetime, by: Sequence[Granted] = (granted(),), asset: AssetView = A_SERVER
) -> Decision:
    return judged_by(*events, basis=Basis(OWN, UTC, granted=by), at=at, of=ONE, asset=asset)


PROVEN: Story = [listed(0), reported(1), booted(2), gone(3)]
HIDDEN: dict[str, tuple[Story, State]] = {
    "lacking": ([listed(0)], State.EXCEPTED),
    "failed": ([listed(0), failed(1)], State.EXCEPTED),
    "contradicted": ([listed(0), reported(1), booted(2), listed(4)], State.EXCEPTED),
    "waiting for a restart": ([listed(0), reported(1)], State.EXCEPTED),
    "unknown": ([], State.EXCEPTED),
    "proven: a proof shows all the same": (PROVEN, State.VERIFIED),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_while_it_holds_what_is(name: str) -> None:
    story, state = HIDDEN[name]

    assert decided(*story, at=hour(10)).state is state


def test_what_is_stale_is_excepted_all_the_same() -> None:
    long = granted(until=hour(24 * 90))

    assert decided(listed(0), at=hour(24 * 30), by=[long]).state is State.EXCEPTED


def test_what_left_the_inventory_is_not_excepted() -> None:
    gone_away = replace(A_SERVER, removed_at=hour(6))

    assert decided(listed(0), at=hour(10), asset=gone_away).state is State.RETIRED


BOUNDARIES: dict[str, tuple[datetime, State, bool]] = {
    "a second before it begins": (FROM - SECOND, State.MISSING_IN_SLA, False),
    "when it begins": (FROM, State.EXCEPTED, False),
    "when the deadline passes meanwhile": (DUE_AT, State.EXCEPTED, False),
    "a second before it ends": (UNTIL - SECOND, State.EXCEPTED, False),
    "when it ends": (UNTIL, State.MISSING_OVERDUE, True),
    "a second after it ended": (UNTIL + SECOND, State.MISSING_OVERDUE, True),
}


@pytest.mark.parametrize("name", BOUNDARIES)
def test_one_second_decides(name: str) -> None:
    at, state, is_breach = BOUNDARIES[name]

    found = decided(listed(0), at=at)

    assert (found.state, found.due_at) == (state, DUE_AT)
    assert found.breached_at == (DUE_AT if is_breach else None)


def test_when_it_ends_the_obligation_is_overdue_since_its_own_deadline() -> None:
    found = decided(listed(0), at=UNTIL)

    assert (found.state, found.since) == (State.MISSING_OVERDUE, DUE_AT)
    assert (found.moments["excepted_from"], found.moments["excepted_until"]) == (FROM, UNTIL)


def test_time_alone_begins_and_ends_it() -> None:
    before = decided(listed(0), at=FROM - SECOND)
    during = decided(listed(0), at=DUE_AT)

    assert (before.next_change_at, during.next_change_at) == (FROM, UNTIL)


def test_a_revoked_one_ends_when_it_was_revoked() -> None:
    ended = granted(revoked_at=hour(30))

    assert decided(listed(0), at=hour(30) - SECOND, by=[ended]).state is State.EXCEPTED
    assert decided(listed(0), at=hour(30), by=[ended]).state is State.MISSING_OVERDUE
    assert decided(listed(0), at=hour(30), by=[ended]).moments["excepted_until"] == hour(30)


def test_one_that_was_revoked_before_it_began_never_was() -> None:
    found = decided(listed(0), at=hour(10), by=[granted(revoked_at=hour(1))])

    assert found.state is State.MISSING_IN_SLA
    assert "excepted_from" not in found.moments


def test_a_renewal_follows_without_a_gap() -> None:
    renewed = [granted(), granted(UNTIL, hour(90), number=2)]

    at_the_seam = decided(listed(0), at=UNTIL, by=renewed)

    assert (at_the_seam.state, at_the_seam.since) == (State.EXCEPTED, UNTIL)
    assert at_the_seam.moments["excepted_until"] == hour(90)


BREACHES: dict[str, tuple[Story, bool]] = {
    "lacking": ([listed(0)], True),
    "failed": ([listed(0), failed(1)], True),
    "contradicted": ([listed(0), reported(1), booted(2), listed(4)], True),
    "waiting for a restart": ([listed(0), reported(1)], True),
    "claimed and unproven": ([listed(0), reported(1), booted(2)], True),
    "unknown": ([scanned(1)], True),
    "proven": (PROVEN, False),
}


@pytest.mark.parametrize("name", BREACHES)
def test_after_the_deadline_it_is_a_breach_whatever_the_state_unless_proven(name: str) -> None:
    story, is_breach = BREACHES[name]

    before = decided(*story, at=DUE_AT - SECOND, by=[])
    after = decided(*story, at=DUE_AT, by=[])

    assert before.breached_at is None
    assert after.breached_at == (DUE_AT if is_breach else None)


def test_the_deadline_rings_for_what_failed_too_where_breaches_are_told() -> None:
    story = [listed(0), failed(1)]

    told = decided(*story, at=hour(10), by=[])
    untold = judged_by(*story, basis=Basis(DEFAULT_1, UTC), at=hour(10), of=ONE)

    assert (told.next_change_at, untold.next_change_at) == (DUE_AT, None)


def test_without_a_policy_of_its_own_a_client_has_no_breach() -> None:
    found = judged_by(listed(0), basis=Basis(DEFAULT_1, UTC), at=hour(40), of=ONE)

    assert (found.state, found.breached_at) == (State.MISSING_OVERDUE, None)
