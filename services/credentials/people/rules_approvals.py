"""Who may decide about a case, and when a question is answered. Pure.

Source: the ten points of a safe forced reset, point 5: two people, never the exposed account, expiring.
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from services.credentials.people.records import Approver, Request, RequestState, Role, Vote

NOBODY: Final = "nobody who is enrolled"
DECIDED_ALREADY: Final = "this person has decided about it already"


def folded(name: str) -> str:
    """Return a login, id or address as names are compared: NFKC, case folded, single spaces, none around it."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def names_of(approver: Approver) -> frozenset[str]:
    """Return every name of an approver that could be an exposed account's."""
    return frozenset(folded(each) for each in (*approver.accounts, approver.mail))


def hindrance(approver: Approver | None, request: Request, now: datetime) -> str | None:
    """Return why this person may not decide about `request` now; `None`: they may."""
    if approver is None:
        return NOBODY
    if approver.revoked_at is not None and approver.revoked_at <= now:
        return "this person's enrolment was revoked"
    if approver.role is not Role.APPROVER:
        return "this person is enrolled to sign for their client, not to decide about resets"
    if approver.tenants is not None and request.tenant not in approver.tenants:
        return "this person does not decide for this client"
    if names_of(approver) & {folded(each) for each in request.exposed}:
        return "the exposed account is this person's own"
    if request.state is not RequestState.OPEN:
        return f"the question has ended: {request.state}"
    if now >= request.expires_at:
        return "the question has expired"
    return None


def able(approvers: Iterable[Approver], request: Request, now: datetime) -> list[Approver]:
    """Return who may decide about `request`, by name."""
    return sorted(
        (each for each in approvers if hindrance(each, request, now) is None), key=lambda each: (each.name, each.id)
    )


def agreed(votes: Iterable[Vote], approvers: Mapping[UUID, Approver], now: datetime) -> tuple[UUID, ...]:
    """Return who agreed and is still enrolled, each once, in the order of their ids."""
    yes = {vote.approver for vote in votes if vote.approve}
    return tuple(sorted(each for each in yes if _is_enrolled(approvers.get(each), now)))


def outcome(
    request: Request, votes: Collection[Vote], approvers: Mapping[UUID, Approver], now: datetime
) -> RequestState:
    """Return how `request` stands with these votes: one no ends it, enough different people who agree grant it.

    What was granted holds until the question expires, and while those who agreed stay enrolled.
    """
    if request.state in {RequestState.REFUSED, RequestState.WITHDRAWN, RequestState.EXPIRED}:
        return request.state
    if any(not vote.approve for vote in votes):
        return RequestState.REFUSED
    if now >= request.expires_at:
        return RequestState.EXPIRED
    if len(agreed(votes, approvers, now)) >= request.needed:
        return RequestState.GRANTED
    return RequestState.OPEN if request.state is RequestState.OPEN else RequestState.WITHDRAWN


def same_person(new: Approver, enrolled: Iterable[Approver]) -> Approver | None:
    """Return who is enrolled already and shares a name, an address or a key with `new`: two people are two people."""
    names = names_of(new)
    for other in enrolled:
        if other.public_key == new.public_key or (other.revoked_at is None and names & names_of(other)):
            return other
    return None


def _is_enrolled(approver: Approver | None, now: datetime) -> bool:
    return approver is not None and (approver.revoked_at is None or approver.revoked_at > now)
