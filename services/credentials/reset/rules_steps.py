"""What comes next in a case, whom a batch lets through, and what shows that a step has happened. Pure.

Source: the ten points of a safe forced reset in the project's references, numbers 6, 7 and 9.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from contracts.events.credential import CaseStep, Decision
from services.credentials.cases.records import Case, Rule, Steps, StepState, Strength
from services.credentials.records import Account

WHOLE: Final = (
    CaseStep.TICKETED,
    CaseStep.INVALIDATED,
    CaseStep.REVOKED,
    CaseStep.READ_BACK,
    CaseStep.NOTIFIED,
    CaseStep.VERIFIED,
    CaseStep.CLOSED,
)
"""The way of a reset: the password is made invalid before sessions end, or who is inside would sign in again."""

BY_PEOPLE: Final = (CaseStep.TICKETED, CaseStep.NOTIFIED, CaseStep.VERIFIED, CaseStep.CLOSED)
SHOWN: Final = (CaseStep.TICKETED, CaseStep.VERIFIED, CaseStep.CLOSED)
OVER: Final = frozenset({StepState.DONE, StepState.PASSED})

ENDED_BY_TICKET: Final = frozenset({Rule.FOREIGN, Rule.AMBIGUOUS, Rule.NOBODY, Rule.WEAK, Rule.DISABLED})
"""Where no password has to change: a person who closes the ticket has seen it, and that is the end of the case."""

FIRST_PAUSE_SECONDS: Final = 2.0
LONGEST_PAUSE_SECONDS: Final = 300.0
FIRST_LOOK_SECONDS: Final = 0.5
LONGEST_LOOK_SECONDS: Final = 30.0


def route(case: Case) -> tuple[CaseStep, ...]:
    """Return the steps that a case takes, in their order. What was begun at the directory is brought to its end."""
    if case.reset_at is not None:
        return WHOLE
    if case.verdict.decision is Decision.REMEDIATED:
        return (CaseStep.CLOSED,)
    if case.dry_run or case.is_foreign:
        return SHOWN
    return WHOLE if case.verdict.decision in {Decision.RESET, Decision.ASK} else BY_PEOPLE


def next_step(case: Case, steps: Steps) -> CaseStep | None:
    """Return the step whose turn it is; `None`: the case is over."""
    return next((step for step in route(case) if steps.get(step) not in OVER), None)


def overtaken(case: Case, steps: Steps) -> tuple[CaseStep, ...]:
    """Return the steps that wait and are not the case's turn any more, after it was decided anew."""
    turn = next_step(case, steps)
    return tuple(step for step, state in steps.items() if state not in OVER and step is not turn)


def may_still_decide(steps: Steps, *, acted: bool) -> bool:
    """Return whether a case can be decided anew: nothing was done at its directory, or may have been."""
    return not acted and steps.get(CaseStep.INVALIDATED) not in {StepState.LEASED, StepState.UNCERTAIN, StepState.DONE}


def is_to_be_decided_anew(case: Case) -> bool:
    """Return whether a case that waits may have another decision now: asked for, a breaker, stronger evidence."""
    if case.reset_at is not None:
        return False
    is_stronger = case.verdict.rule is Rule.WEAK and case.evidence.strength is Strength.REAL
    return case.retry_at is not None or case.verdict.rule is Rule.BREAKER or is_stronger


def shows_reset(before: datetime | None, account: Account) -> bool | None:
    """Return whether the directory shows a change of the password later than `before`; `None`: it never tells."""
    if account.password_changed_at is None:
        return None
    return before is None or account.password_changed_at > before


def shown_change(case: Case, account: Account) -> datetime | None:
    """Return when a person changed the exposed password, exposed sessions ended too; `None`: nothing shows that.

    Where a directory does not tell since when sessions are valid, the changed password is what can be seen.
    """
    changed_at, sessions_at = account.password_changed_at, account.sessions_valid_from
    if changed_at is None or changed_at <= case.evidence.at:
        return None
    if case.evidence.session and sessions_at is not None and sessions_at <= case.evidence.at:
        return None
    return changed_at


def let_through(verified: int, batches: Sequence[int]) -> int | None:
    """Return how many resets may have begun when so many are verified: first a few, then more, then any (`None`)."""
    most = 0
    for size in batches:
        if verified < most + size:
            return most + size
        most += size
    return None


def batch_is_full(*, begun: int, verified: int, batches: Sequence[int]) -> bool:
    """Return whether one more reset of a client has to wait until earlier ones are verified."""
    most = let_through(verified, batches)
    return most is not None and begun >= most


def pause_seconds(attempts: int) -> float:
    """Return how long to leave a step alone after its `attempts`-th failure: each time twice as long."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 16), LONGEST_PAUSE_SECONDS)


def look_again_seconds(attempts: int) -> float:
    """Return how long to wait before looking again for a write that may have happened."""
    return min(FIRST_LOOK_SECONDS * 2.0 ** min(attempts - 1, 16), LONGEST_LOOK_SECONDS)


def watch_again(opened_at: datetime, now: datetime) -> timedelta:
    """Return how long to wait before looking again at what a person has to do: the older the case, the longer."""
    return min(max((now - opened_at) / 20, timedelta(seconds=2)), timedelta(minutes=5))


class Due(NamedTuple):
    """A step that a worker may take."""

    tenant: UUID
    case: UUID
    step: CaseStep


def fair_turns(
    due: Sequence[Due], *, served: Mapping[UUID, int], busy: Mapping[UUID, int], slots: int, most_per_tenant: int
) -> list[Due]:
    """Return at most `slots` of `due`, given in order for each client: one of each client in turn.

    Whoever was `served` longest ago comes first (a counter; absent: never). `busy` has the steps under way: with them
    no client gets more than `most_per_tenant`.
    """
    mine: dict[UUID, list[Due]] = {}
    for each in due:
        mine.setdefault(each.tenant, []).append(each)
    rounds = [
        (number, served.get(tenant, 0), tenant, each)
        for tenant, steps in mine.items()
        for number, each in enumerate(steps[: max(most_per_tenant - busy.get(tenant, 0), 0)])
    ]
    return [each for *_, each in sorted(rounds)[: max(slots, 0)]]
