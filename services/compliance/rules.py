"""The state of an obligation, from all that was ever said and the present moment. Pure.

First what is outside the population, then the states inside it (`rules_findings`), then whether the client's owner
excepted it, then whether anyone still looks. Breaches are judged beside the state: an obligation may have failed and
be overdue too.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from contracts.events.event import Severity
from contracts.events.obligation import OUTSIDE_POPULATION, State
from services.compliance.exceptions.records import Granted
from services.compliance.policy import ProofClass
from services.compliance.rules_case import Case
from services.compliance.rules_findings import Finding, Question, finding, moment
from services.compliance.rules_views import ReleaseView, Saying

STALEABLE: Final = frozenset(
    {State.MISSING_IN_SLA, State.MISSING_OVERDUE, State.PENDING_REBOOT, State.REPORTED_UNVERIFIED, State.UNKNOWN}
)
"""States that say nothing any more when nobody has looked for long. A proof, a failure and a contradiction stand."""

SEVERITIES: Final = (Severity.CRITICAL, Severity.HIGH, Severity.MODERATE, Severity.LOW, Severity.UNKNOWN)
"""From bad to less bad; `unknown` comes last so that it never hides a known band."""


NO_BREACH: Final = OUTSIDE_POPULATION | {State.VERIFIED, State.EXCEPTED}
"""States in which a deadline that passed is no breach: it is there, it may be lacking, or nobody owes it."""


class Decision(NamedTuple):
    """What is known of an obligation at one moment. `next_change_at`: when time alone may change the state.

    `due_at` and `rule`: by the strictest row; `None`: no clock runs. `breached_at`: the deadline that passed, where the
    policy tells of breaches. `proof`: what kind of evidence verified it.
    """

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
    rule: str | None = None
    proof: ProofClass | None = None
    breached_at: datetime | None = None


_VERIFIED: Final = State.VERIFIED
_IN_SLA: Final = State.MISSING_IN_SLA
"""Named once: Python 3.11 looks a member of an enum up each time."""


def decide(case: Case, now: datetime) -> Decision:
    """Return the state of the obligation at `now`."""
    outside = _outside(case, now)
    if outside is not None:
        return _listed_outside(case, outside, now)
    question = Question(case, now)
    found = finding(question)
    granted = _granted_at(case, now)
    if granted is not None and found.state is not _VERIFIED:
        why = f"excepted until {moment(granted.ends_at)} (exception {granted.id}); otherwise {found.state}: {found.why}"
        found = Finding(
            state=State.EXCEPTED, why=why, since=granted.valid_from, release=found.release, witnesses=found.witnesses
        )
    stale_at = (
        case.signs.scans[-1].at + case.policy.stale_after if case.signs.scans and found.state in STALEABLE else None
    )
    if stale_at is not None and now >= stale_at:
        scan = case.signs.scans[-1]
        why = f"last scan {moment(scan.at)}, over {case.policy.stale_after.days} days ago; then: {found.why}"
        found = Finding(state=State.STALE, why=why, since=stale_at, release=found.release, witnesses=(scan,))
    return _decision(question, found, stale_at)


def _granted_at(case: Case, now: datetime) -> Granted | None:
    """Return the exception that holds now; of several the one that ends last."""
    holding = [each for each in case.granted if each.holds_at(now)] if case.granted else None
    return max(holding, key=_last_of) if holding else None


def _outside(case: Case, now: datetime) -> Finding | None:
    asset, requirement = case.asset, case.requirement
    known_at = asset.first_seen_at
    if asset.removed_at is not None:
        why = f"retired: {asset.removed_because}" if asset.removed_because else "the asset left the inventory"
        return Finding(state=State.RETIRED, why=why, since=asset.removed_at)
    if requirement.product.is_system and asset.product not in {None, requirement.product.name}:
        return Finding(state=State.NOT_APPLICABLE, why=f"the asset is {asset.product} now", since=known_at)
    reason = case.policy.reason_outside(
        train=requirement.train, product=requirement.product.name, hostname=asset.hostname
    )
    if reason:
        return Finding(state=State.OUT_OF_SCOPE, why=reason, since=known_at)
    for view in case.views:
        if view.release.released_at <= now or view.is_evident:
            return None
    return Finding(state=State.NOT_APPLICABLE, why="nothing of it is released yet", since=known_at)


def _listed_outside(case: Case, outside: Finding, now: datetime) -> Decision:
    newest = case.views[-1]
    return Decision(
        state=outside.state,
        why=outside.why,
        since=outside.since,
        severity=newest.release.severity,
        release=newest.release.name,
        next_change_at=None if case.asset.removed_at else _next_release_at(case, now),
        failures=sum([view.failures for view in case.views]),
        code=_last_code(case),
        moments=_moments(case, newest, None, now),
    )


def _decision(question: Question, found: Finding, stale_at: datetime | None) -> Decision:
    case, now = question.case, question.now
    lacking, due_at = question.lacking, question.due_at
    is_met = found.state in NO_BREACH
    tells_breach = case.policy.breach_tickets and not is_met and due_at is not None
    awaits_end = found.state is _IN_SLA or tells_breach
    changes = [_next_release_at(case, now), due_at if awaits_end else None, stale_at, *_boundaries(case)]
    to_come = [at for at in changes if at is not None and at > now]
    clock = question.clock
    verified_at = found.since if found.state is _VERIFIED else None
    return Decision(
        found.state,
        found.why if found.state is _VERIFIED else found.why + _first(question),
        found.since,
        _worst(lacking),
        _moments(case, lacking[-1], verified_at, now),
        found.release.name if found.release else None,
        question.clock_started_at,
        due_at,
        min(to_come) if to_come else None,
        verified_at,
        sum([view.failures for view in case.views]),
        _last_code(case),
        found.witnesses,
        clock.rule if clock else None,
        found.proof,
        due_at if tells_breach and due_at is not None and now >= due_at else None,
    )


def _worst(lacking: Sequence[ReleaseView]) -> Severity:
    if len(lacking) == 1:
        return lacking[0].release.severity
    return min([view.release.severity for view in lacking], key=SEVERITIES.index)


def _first(question: Question) -> str:
    """Return what must be done before the patch is deployed, for people; ordinarily nothing."""
    if not question.before:
        return ""
    return "; before it is deployed: " + ", ".join(f"{extra} ({rule})" for extra, rule in question.before)


def _boundaries(case: Case) -> list[datetime]:
    """Return when exceptions begin and end: at each of them the state may be another."""
    return [at for each in case.granted for at in (each.valid_from, each.ends_at)] if case.granted else []


def _next_release_at(case: Case, now: datetime) -> datetime | None:
    return min([view.release.released_at for view in case.views if view.release.released_at > now], default=None)


def _last_of(granted: Granted) -> tuple[datetime, datetime, str]:
    return granted.ends_at, granted.valid_from, str(granted.id)


def _last_code(case: Case) -> str | None:
    failures = [(view.failed, view.code) for view in case.views if view.failed is not None]
    return max(failures, key=lambda failure: failure[0])[1] if failures else None


def _moments(case: Case, view: ReleaseView, verified_at: datetime | None, now: datetime) -> dict[str, datetime]:
    """Return the moments that are known of one release on this asset, by name; of exceptions, those of the last."""
    claim, release = view.claim, view.release
    attested = case.attested.get(release.name) if case.attested else None
    known = {
        "vendor_released_at": release.released_at,
        "catalogued_at": release.catalogued_at,
        "device_first_seen_at": case.asset.first_seen_at,
    }
    if view.first_listed_at is not None:
        known["detected_at"] = view.first_listed_at
    if view.approved is not None:
        known["approved_at"] = view.approved.at
    if claim is not None:
        known["deploy_reported_at"] = claim.at
        if release.reboot or view.claim_awaits_boot:
            known["reboot_required_at"] = claim.at
    if view.failed is not None:
        known["deploy_failed_at"] = view.failed.at
    if case.signs.boots:
        known["booted_at"] = case.signs.boots[-1].at
    if attested:
        known["attested_at"] = max(attested).at
    if verified_at is not None:
        known["verified_at"] = verified_at
    if view.taken_off is not None:
        known["regressed_at"] = view.taken_off.at
    return known | _excepted(case, now) if case.granted else known


def _excepted(case: Case, now: datetime) -> dict[str, datetime]:
    """Return when the last exception that has begun began, and until when it goes."""
    begun = [each for each in case.granted if each.valid_from <= now and each.valid_from < each.ends_at]
    excepted = max(begun, key=_last_of, default=None)
    return {"excepted_from": excepted.valid_from, "excepted_until": excepted.ends_at} if excepted else {}
