"""Ballots counted one after the other against what is known, and what is to be told of questions and votes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from contracts.events.credential import ApprovalAsked, ApprovalCounted
from services.credentials.people import rules_approvals
from services.credentials.people.records import (
    Approver,
    Ballot,
    Counting,
    Request,
    RequestState,
    Verdict,
    Vote,
)
from services.credentials.people.rules_approvals import DECIDED_ALREADY, NOBODY
from services.credentials.records import Cause, Fact

WORDS: Final = {
    RequestState.GRANTED: "enough people agreed",
    RequestState.REFUSED: "a person said no",
    RequestState.EXPIRED: "nobody answered in time",
    RequestState.WITHDRAWN: "the question was taken back",
}
WHY_CHARACTERS: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known when ballots come in. `kept`: of each question what was said, by whom, and the event of it."""

    requests: Mapping[UUID, Request]
    kept: Mapping[UUID, Mapping[UUID, tuple[Vote, UUID]]]
    approvers: Mapping[UUID, Approver]
    now: datetime


def counting(known: Known, ballots: Sequence[Ballot]) -> Counting:
    """Return what becomes of `ballots`, in their order: each person counts once, and nothing after a question's end."""
    box = _Box(known)
    for ballot in ballots:
        box.put(ballot)
    return Counting(
        new=tuple(box.new),
        facts=tuple(box.facts),
        verdicts=tuple(box.verdicts.values()),
        uncounted=tuple(box.uncounted),
        repeated=frozenset(box.repeated),
    )


def verdict(request: Request, state: RequestState, cause: Cause) -> Verdict:
    """Return how a question ended."""
    return Verdict(
        tenant=request.tenant, case=request.case, request=request.id, state=state, why=WORDS[state], cause=cause
    )


def asked(request: Request, able: int, now: datetime) -> Fact:
    """Return the fact of a question, with how many people there are who could answer it."""
    few = "" if able >= request.needed else f" Only {able} who may decide are enrolled: enrol more, or act by hand."
    event = ApprovalAsked(
        case=str(request.case),
        login=request.login,
        identity=request.identity,
        needed=request.needed,
        expires_at=request.expires_at,
        why=f"{request.why[: WHY_CHARACTERS - len(few)]}{few}",
    )
    evidence = (("request", str(request.id)), ("may_decide", str(able)))
    return Fact(
        tenant=request.tenant, key=str(request.case), event=event, at=now, cause=request.cause, evidence=evidence
    )


def fingerprint(public_key: bytes) -> str:
    """Return what people compare: the first 16 bytes of the key's SHA-256, in hex."""
    return sha256(public_key).hexdigest()[:32]


class _Box:
    """What ballots have made of what was known."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._votes = {request: dict(known.kept.get(request, {})) for request in known.requests}
        self.new: list[Ballot] = []
        self.facts: list[Fact] = []
        self.verdicts: dict[UUID, Verdict] = {}
        self.uncounted: list[tuple[UUID, str]] = []
        self.repeated: set[UUID] = set()

    def put(self, ballot: Ballot) -> None:
        """Count one ballot, or say why not."""
        known, votes = self._known, self._votes[ballot.request]
        if (before := votes.get(ballot.approver)) is not None:
            if before[1] == ballot.event:
                self.repeated.add(ballot.event)
            else:
                self.uncounted.append((ballot.event, DECIDED_ALREADY))
            return
        request, approver = known.requests[ballot.request], known.approvers.get(ballot.approver)
        why = rules_approvals.hindrance(approver, request, known.now)
        if ballot.request in self.verdicts:
            why = f"the question has ended: {self.verdicts[ballot.request].state}"
        if why is not None or approver is None:
            self.uncounted.append((ballot.event, why or NOBODY))
            return
        votes[ballot.approver] = Vote(ballot.approver, ballot.approve), ballot.event
        self.new.append(ballot)
        said = [vote for vote, _ in votes.values()]
        given = len(rules_approvals.agreed(said, known.approvers, known.now))
        self.facts.append(_counted(request, ballot, approver, given=given, now=known.now))
        state = rules_approvals.outcome(request, said, known.approvers, known.now)
        if state is not RequestState.OPEN:
            self.verdicts[request.id] = verdict(request, state, ballot.cause)


def _counted(request: Request, ballot: Ballot, approver: Approver, *, given: int, now: datetime) -> Fact:
    """Return the fact of one vote; who it was and by what it is known goes into the audit."""
    event = ApprovalCounted(
        case=str(request.case),
        login=request.login,
        identity=request.identity,
        approver=str(approver.id),
        approve=ballot.approve,
        given=given,
        needed=request.needed,
    )
    evidence = (
        ("request", str(request.id)),
        ("way", ballot.way),
        ("name", approver.name),
        ("mail", approver.mail),
        ("key", fingerprint(approver.public_key)),
        ("enrolled_at", approver.enrolled_at.isoformat()),
        ("enrolled_by", approver.enrolled_by),
        *ballot.evidence,
    )
    return Fact(
        tenant=request.tenant,
        key=str(request.case),
        event=event,
        at=now,
        cause=ballot.cause,
        by=f"approver/{approver.id}",
        evidence=evidence,
    )
