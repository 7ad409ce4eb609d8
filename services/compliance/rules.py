"""The state of an obligation, from all that was ever said and the present moment. Pure.

First what is outside the population, then the states inside it (`rules_findings`), then whether anyone still looks.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from contracts.events.event import Severity
from contracts.events.obligation import State
from services.compliance.rules_case import Case
from services.compliance.rules_findings import Finding, Question, finding, moment
from services.compliance.rules_views import ReleaseView, Saying

STALEABLE: Final = frozenset(
    {State.MISSING_IN_SLA, State.MISSING_OVERDUE, State.PENDING_REBOOT, State.REPORTED_UNVERIFIED, State.UNKNOWN}
)
"""States that say nothing any more when nobody has looked for long. A proof, a failure and a contradiction stand."""

SEVERITIES: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MODERATE, Severity.LOW, Severity.UNKNOWN)
"""From bad to less bad; `unknown` comes last so that it never hides a known band."""


class Decision(NamedTuple):
    """What is known of an obligation at one moment. `next_change_at`: when time alone may change the state."""

    state: State
    why: str
    since: datetime
    severity: Severity
    moments: Mapping[str, datetime]
    release: str | None = None
    clock_started_at: datetime | None = None
    due_at: datetime | None = None
    next_change_at: datetime | None = None
    verified_at: datetime | None = None
    failures: int = 0
    code: str | None = None
    witnesses: tuple[Saying, ...] = ()


def decide(case: Case, now: datetime) -> Decision:
    """Return the state of the obligation at `now`."""
    outside = _outside(case, now)
    if outside is not None:
        return _listed_outside(case, outside, now)
    question = Question(case, now)
    found = finding(question)
    stale_at = (
        case.signs.scans[-1].at + case.policy.stale_after if case.signs.scans and found.state in STALEABLE else None
    )
    if stale_at is not None and now >= stale_at:
        scan = case.signs.scans[-1]
        why = f"last scan {moment(scan.at)}, over {case.policy.stale_after.days} days ago; then: {found.why}"
        found = Finding(state=State.STALE, why=why, since=stale_at, release=found.release, witnesses=(scan,))
    return _decision(question, found, stale_at)


def _outside(case: Case, now: datetime) -> Finding | None:
    asset, requirement = case.asset, case.requirement
    known_at = asset.first_seen_at
    if asset.removed_at is not None:
        return Finding(state=State.RETIRED, why="the asset left the inventory", since=asset.removed_at)
    if requirement.product.is_system and asset.product not in {None, requirement.product.name}:
        return Finding(state=State.NOT_APPLICABLE, why=f"the asset is {asset.product} now", since=known_at)
    if reason := case.policy.out_of_scope.get(requirement.train):
        return Finding(state=State.OUT_OF_SCOPE, why=reason, since=known_at)
    if not any(view.release.released_at <= now or view.is_evident for view in case.views):
        return Finding(state=State.NOT_APPLICABLE, why="nothing of it is released yet", since=known_at)
    return None


def _listed_outside(case: Case, outside: Finding, now: datetime) -> Decision:
    newest = case.views[-1]
    return Decision(
        state=outside.state,
        why=outside.why,
        since=outside.since,
        severity=newest.release.severity,
        release=newest.release.name,
        next_change_at=None if case.asset.removed_at else _next_release_at(case, now),
        failures=sum(view.failures for view in case.views),
        code=_last_code(case),
        moments=_moments(case, newest, None),
    )


def _decision(question: Question, found: Finding, stale_at: datetime | None) -> Decision:
    case, now = question.case, question.now
    lacking = question.lacking
    changes = [_next_release_at(case, now), question.due_at if found.state is State.MISSING_IN_SLA else None, stale_at]
    verified_at = found.since if found.state is State.VERIFIED else None
    return Decision(
        state=found.state,
        why=found.why,
        since=found.since,
        severity=min((view.release.severity for view in lacking), key=SEVERITIES.index),
        release=found.release.name if found.release else None,
        clock_started_at=lacking[0].release.released_at,
        due_at=question.due_at,
        next_change_at=min((at for at in changes if at is not None and at > now), default=None),
        verified_at=verified_at,
        failures=sum(view.failures for view in case.views),
        code=_last_code(case),
        moments=_moments(case, lacking[-1], verified_at),
        witnesses=found.witnesses,
    )


def _next_release_at(case: Case, now: datetime) -> datetime | None:
    return min((view.release.released_at for view in case.views if view.release.released_at > now), default=None)


def _last_code(case: Case) -> str | None:
    failures = [(view.failed, view.code) for view in case.views if view.failed is not None]
    return max(failures, key=lambda failure: failure[0], default=(None, None))[1]


def _moments(case: Case, view: ReleaseView, verified_at: datetime | None) -> dict[str, datetime]:
    """Return the moments that are known of one release on this asset, by name."""
    claim, release = view.claim, view.release
    needs_boot = claim is not None and (release.reboot or view.claim_awaits_boot)
    known = {
        "vendor_released_at": release.released_at,
        "catalogued_at": release.catalogued_at,
        "device_first_seen_at": case.asset.first_seen_at,
        "detected_at": view.first_listed_at,
        "approved_at": view.approved.at if view.approved else None,
        "deploy_reported_at": claim.at if claim else None,
        "deploy_failed_at": view.failed.at if view.failed else None,
        "reboot_required_at": claim.at if claim and needs_boot else None,
        "booted_at": case.signs.boots[-1].at if case.signs.boots else None,
        "verified_at": verified_at,
        "regressed_at": view.taken_off.at if view.taken_off else None,
    }
    return {name: at for name, at in known.items() if at is not None}
