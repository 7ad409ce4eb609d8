"""What the service level promises for a case, what keeps a promise, and what the report says of many. Pure.

Source: playbook step 7 (a defined service level for response and reporting).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from contracts.events.credential import CaseStep, Decision, Promise
from services.credentials.guard.policy import Levels

OWED: Final[Mapping[Decision, frozenset[Promise]]] = {
    Decision.RESET: frozenset(Promise),
    Decision.ASK: frozenset(Promise),
    Decision.NOTIFY: frozenset({Promise.TICKET, Promise.NOTICE}),
    Decision.REFUSE: frozenset({Promise.TICKET, Promise.NOTICE}),
    Decision.REMEDIATED: frozenset(),
}
"""What each decision owes. Who waits for an approval waits on the clock of the reset: it was promised to the client."""

KEPT_BY: Final[Mapping[CaseStep, Promise]] = {
    CaseStep.TICKETED: Promise.TICKET,
    CaseStep.INVALIDATED: Promise.RESET,
    CaseStep.NOTIFIED: Promise.NOTICE,
    CaseStep.VERIFIED: Promise.VERIFIED,
}
"""The step whose end keeps a promise. A case that goes on without its ticket has not done that step yet."""


def owed(decision: Decision, *, dry_run: bool, foreign: bool) -> frozenset[Promise]:
    """Return what a case owes: nothing where nothing is done, a ticket alone where the login is not the client's."""
    if dry_run:
        return frozenset()
    if foreign:
        return OWED[decision] & {Promise.TICKET}
    return OWED[decision]


def due_at(promise: Promise, levels: Levels, arrived_at: datetime) -> datetime:
    """Return by when `promise` must be kept: so many minutes from the alert's arrival."""
    minutes = {
        Promise.TICKET: levels.ticket,
        Promise.RESET: levels.reset,
        Promise.NOTICE: levels.notice,
        Promise.VERIFIED: levels.verified,
    }
    return arrived_at + timedelta(minutes=minutes[promise])


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One promise of one case, as it turned out so far."""

    promise: Promise
    began_at: datetime
    due_at: datetime
    kept_at: datetime | None = None
    waived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attainment:
    """How one promise was kept. `owed` = `in_time` + `late` + `missing` + `running`; `waived` is not owed.

    `percent` is of those that are settled, rounded down to 0.1, and 100.0 only when it is all of them; `None`: there
    are none. The times are seconds from the alert's arrival, of those that were kept.
    """

    promise: Promise
    owed: int
    in_time: int
    late: int
    missing: int
    running: int
    waived: int
    percent: float | None
    p50_seconds: float | None
    p90_seconds: float | None
    worst_seconds: float | None


def attainments(kept: Iterable[Kept], *, now: datetime) -> list[Attainment]:
    """Return how each promise was kept, in the order of a case."""
    by_promise: dict[Promise, list[Kept]] = {promise: [] for promise in Promise}
    for each in kept:
        by_promise[each.promise].append(each)
    return [_attainment(promise, each, now) for promise, each in by_promise.items()]


def _attainment(promise: Promise, all_of_it: Sequence[Kept], now: datetime) -> Attainment:
    owed_ones = [each for each in all_of_it if not each.waived]
    done = [(each.kept_at, each) for each in owed_ones if each.kept_at is not None]
    in_time = sum(1 for kept_at, each in done if kept_at <= each.due_at)
    missing = sum(1 for each in owed_ones if each.kept_at is None and each.due_at <= now)
    settled = len(done) + missing
    seconds = sorted((kept_at - each.began_at).total_seconds() for kept_at, each in done)
    return Attainment(
        promise=promise,
        owed=len(owed_ones),
        in_time=in_time,
        late=len(done) - in_time,
        missing=missing,
        running=len(owed_ones) - settled,
        waived=len(all_of_it) - len(owed_ones),
        percent=math.floor(in_time * 1000 / settled) / 10 if settled else None,
        p50_seconds=nearest_rank(seconds, 0.5),
        p90_seconds=nearest_rank(seconds, 0.9),
        worst_seconds=seconds[-1] if seconds else None,
    )


def nearest_rank(ordered: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of all are not above; `None` of none."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else None
