"""Whether an exception may be asked for and granted, and what is told of it. Pure.

Source: playbook step 1 (ticket, the client owner's sign-off, a hard expiry date), step 3 (isolated lane).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, assert_never
from uuid import UUID

from dateutil.relativedelta import relativedelta

from services.compliance.exceptions import statement
from services.compliance.exceptions.records import Chapter, ControlKind, Granted, Lane, OwnerKey, Request, Signoff
from services.compliance.exceptions.statement import Decision
from services.compliance.policy import Days, ExceptionTerms, Hours, Months, Term
from services.compliance.rules_deadline import deadline

ISOLATED_NEEDS: Final = (ControlKind.SEGMENTATION, ControlKind.RESTRICTED_ACCESS, ControlKind.MONITORING)
"""Source: playbook step 3, the compensating controls of the isolated lane."""

ANEW_AFTER: Final = timedelta(days=30)
"""So long after its end an exception of the same thing is a new one; before that it is a renewal, and counts as one."""

CLOCKS_APART: Final = timedelta(minutes=5)
"""So far the owner's clock may be ahead of ours."""

OVER: Final = frozenset({Chapter.REFUSED, Chapter.LAPSED, Chapter.EXPIRED, Chapter.REVOKED})


def hindrance(
    request: Request, terms: ExceptionTerms, zone: tzinfo, *, granted: Collection[Granted], now: datetime
) -> str | None:
    """Return why the client's policy forbids `request`; `None`: nothing does. `granted` are all of the client's."""
    if not terms.allowed:
        return "the client's policy allows no exception"
    if request.until <= now:
        return "it would have ended already"
    longest = deadline(max(request.valid_from, min(request.requested_at, now)), terms.longest, zone)
    if request.until > longest:
        return f"the client's policy allows it until {longest:%Y-%m-%d %H:%M} UTC at the longest"
    if request.lane is Lane.ISOLATED:
        missing = [each.value for each in ISOLATED_NEEDS if each not in {control.kind for control in request.controls}]
        if missing:
            return f"the isolated lane needs a control of each of these kinds too: {', '.join(missing)}"
    elif request.renewal > terms.renewals:
        times = "once" if terms.renewals == 1 else f"{terms.renewals} times"
        return f"the client's policy allows to renew it {times}: patch it, or isolate the machine for good"
    return _unnamed(request, granted)


def _unnamed(request: Request, granted: Collection[Granted]) -> str | None:
    """Return which exception `request` should have said that it renews: so nobody gets round the cap on renewals."""
    by_id = {each.id: each for each in granted}
    before = by_id.get(request.renews) if request.renews is not None else None
    if request.renews is not None:
        if before is None:
            return "what it renews was never granted"
        if not _is_within(request, before):
            return "what it renews is about something else"
        if request.renewal != before.renewal + 1:
            return f"it says to be renewal {request.renewal} and would be renewal {before.renewal + 1}"
    for each in granted:
        is_later = before is None or each.renewal > before.renewal
        if is_later and _overlap(request, each) and request.valid_from < each.ends_at + ANEW_AFTER:
            return f"exception {each.id} is or was about the same until {each.ends_at:%Y-%m-%d}: renew that one"
    return None


def goes_on_whole(request: Request, before: Request) -> bool:
    """Return whether a renewal is about every machine of the one before; else the rest of that ends by itself."""
    if before.asset_ids is None or request.asset_ids is None:
        return before.asset_ids is None and request.asset_ids is None
    return set(before.asset_ids) <= set(request.asset_ids)


def _is_within(request: Request, before: Granted) -> bool:
    is_same = (request.lane, request.requirement_id) == (before.lane, before.requirement_id)
    if before.asset_ids is None:
        return is_same
    return is_same and request.asset_ids is not None and before.asset_ids >= set(request.asset_ids)


def _overlap(request: Request, other: Granted) -> bool:
    if other.lane is not request.lane or other.requirement_id != request.requirement_id:
        return False
    if request.asset_ids is None or other.asset_ids is None:
        return True
    return not other.asset_ids.isdisjoint(request.asset_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What is known when a sign-off is judged. `ticket` `None`: the tracker has none yet."""

    request: Request
    client: str
    chapters: Collection[Chapter]
    ticket: str | None
    owners: Mapping[UUID, OwnerKey]
    terms: ExceptionTerms
    zone: tzinfo
    granted: Collection[Granted]
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A decision whose signature holds, and whose it is."""

    decision: Decision
    owner: OwnerKey
    ticket: str


def judged(signoff: Signoff, desk: Desk) -> Signed | str:
    """Return the decision that `signoff` proves, or why it does not count."""
    if stands := _over(desk):
        return stands
    if desk.ticket is None:
        return "it has no ticket yet: without one there is no exception; try again when the tracker can be reached"
    decision = statement.decision_in(signoff, desk.request, client=desk.client, ticket=desk.ticket)
    if isinstance(decision, str):
        return decision
    owner = desk.owners.get(decision.approver)
    if owner is None:
        return "whoever signed is not enrolled as this client's owner; see: patchline approver enroll --role owner"
    if owner.revoked_at is not None and owner.revoked_at <= desk.now:
        return f"{owner.name} is no longer enrolled as this client's owner"
    if not statement.is_signed(signoff, owner):
        return f"the signature is not that of {owner.name} over this text"
    latest_at = min(signoff.brought_at, desk.now) + CLOCKS_APART  # whoever brings it writes down when
    if not desk.request.requested_at - CLOCKS_APART <= decision.decided_at <= latest_at:
        return "it was signed at a moment that cannot be: before it was asked, or in the future"
    if decision.approve and (why := hindrance(desk.request, desk.terms, desk.zone, granted=desk.granted, now=desk.now)):
        return why
    return Signed(decision=decision, owner=owner, ticket=desk.ticket)


def _over(desk: Desk) -> str | None:
    if Chapter.REQUESTED not in desk.chapters:
        return "it was not looked at yet"
    if ended := sorted(OVER.intersection(desk.chapters)):
        return f"it is over: {ended[0].value}"
    return "it is granted already" if Chapter.GRANTED in desk.chapters else None


def granted_of(request: Request, now: datetime) -> Granted:
    """Return what holds once it is signed: nothing is excepted before that moment."""
    return Granted(
        id=request.id,
        tenant_id=request.tenant_id,
        requirement_id=request.requirement_id,
        asset_ids=None if request.asset_ids is None else frozenset(request.asset_ids),
        valid_from=max(request.valid_from, now),
        until=request.until,
        lane=request.lane,
        renewal=request.renewal,
    )


def warning_at(granted: Granted, terms: ExceptionTerms, zone: tzinfo) -> datetime:
    """Return when its end is announced: so long before it by the calendar, at once where it is shorter than that."""
    return max(granted.valid_from, before(granted.until, terms.warn_before, zone))


def before(at: datetime, term: Term, zone: tzinfo) -> datetime:
    """Return the moment that is `term` before `at`, calendar days and months by the client's wall."""
    match term:
        case Hours(hours):
            return at - timedelta(hours=hours)
        case Days(days):
            earlier = relativedelta(days=-days)
        case Months(months):
            earlier = relativedelta(months=-months)
        case _:
            assert_never(term)
    local = at.astimezone(zone).replace(tzinfo=None, fold=0) + earlier
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
