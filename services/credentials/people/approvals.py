"""Questions that a machine must not answer alone: asked, counted, ended. Inside the caller's transaction."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid5

from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.credential import ApprovalAsked, ApprovalCounted
from contracts.events.exposure import ApprovalGiven
from services.credentials.people import rules_approvals, store_approvers, store_notices, store_requests
from services.credentials.people.keys import fingerprint
from services.credentials.people.records import (
    Approver,
    Asking,
    Ballot,
    Counting,
    Request,
    RequestState,
    Standing,
    Verdict,
    Vote,
    Way,
)
from services.credentials.people.rules_approvals import DECIDED_ALREADY, folded
from services.credentials.records import Cause, Fact

WORDS: Final = {
    RequestState.GRANTED: "enough people agreed",
    RequestState.REFUSED: "a person said no",
    RequestState.EXPIRED: "nobody answered in time",
    RequestState.WITHDRAWN: "the question was taken back",
}


async def ask(tx: Connection, askings: Sequence[Asking], *, now: datetime) -> list[Fact]:
    """Ask about each case that has no open question, and return what is to be told.

    Everyone who may decide gets a link by mail, where mail is set up; with an enrolled key they decide in any case.
    """
    before = await store_requests.load_newest(tx, {each.case for each in askings})
    requests = [
        store_requests.request_after(asking, last, id_=_request_id(asking.case, last), nonce=_nonce(), now=now)
        for asking in {each.case: each for each in askings}.values()
        if (last := before.get(asking.case)) is None or not _is_waiting(last, now)
    ]
    if not requests:
        return []
    over = [each.id for each in before.values() if each.state is RequestState.OPEN and now >= each.expires_at]
    await store_requests.end(tx, [(each, RequestState.EXPIRED) for each in over], now)
    await store_requests.open_requests(tx, requests, now)
    approvers = await store_approvers.load_enrolled(tx)
    able = {request.id: rules_approvals.able(approvers, request, now) for request in requests}
    await store_notices.plan_links(tx, [(request, each) for request in requests for each in able[request.id]], now)
    return [_asked(request, len(able[request.id]), now) for request in requests]


async def counted(tx: Connection, given: Sequence[Envelope], *, now: datetime) -> Counting:
    """Count what people decided by their links. `given` are `ApprovalGiven` in the order of acceptance.

    A link counts once, as long as its question is open, and never from whom may not decide.
    """
    events = [(each, each.data) for each in given if isinstance(each.data, ApprovalGiven)]
    links = await store_requests.load_links(tx, {data.token for _, data in events})
    ballots: list[Ballot] = []
    unknown: list[tuple[UUID, str]] = []
    for envelope, data in events:
        link = links.get(data.token)
        if link is None or str(link[2]) != data.case:
            unknown.append((envelope.id, "no link of ours, or one that was never mailed"))
            continue
        ballots.append(_ballot(envelope, data, link))
    counting = await count(tx, ballots, now=now)
    return Counting(
        facts=counting.facts,
        verdicts=counting.verdicts,
        uncounted=(*unknown, *counting.uncounted),
        repeated=counting.repeated,
    )


async def count(tx: Connection, ballots: Sequence[Ballot], *, now: datetime) -> Counting:
    """Count ballots in their order, and return what is to be told and which questions ended."""
    requests = await store_requests.load_for_update(tx, {each.request for each in ballots})
    kept = await store_requests.load_votes(tx, requests)
    voters = {each.approver for each in ballots} | {each for votes in kept.values() for each in votes}
    approvers = await store_approvers.load(tx, voters)
    box = _Box(requests, kept, approvers, now)
    for ballot in ballots:
        box.put(ballot)
    await store_requests.count(tx, box.new, now)
    await store_requests.end(tx, [(request, verdict.state) for request, verdict in box.verdicts.items()], now)
    return Counting(
        facts=tuple(box.facts),
        verdicts=tuple(box.verdicts.values()),
        uncounted=tuple(box.uncounted),
        repeated=frozenset(box.repeated),
    )


async def standing(tx: Connection, cases: Collection[UUID], *, now: datetime) -> dict[UUID, Standing]:
    """Return how the newest question about each case stands; a case that nobody was asked about is not among them.

    Look right before acting: what was granted holds until it expires, and while those who agreed stay enrolled.
    """
    requests = await store_requests.load_newest(tx, cases)
    kept = await store_requests.load_votes(tx, [each.id for each in requests.values()])
    approvers = await store_approvers.load(tx, {each for votes in kept.values() for each in votes})
    found: dict[UUID, Standing] = {}
    for case, request in requests.items():
        votes = [vote for vote, _ in kept.get(request.id, {}).values()]
        by = rules_approvals.agreed(votes, approvers, now)
        state = rules_approvals.outcome(request, votes, approvers, now)
        found[case] = Standing(state=state, given=len(by), needed=request.needed, expires_at=request.expires_at, by=by)
    return found


async def overdue(tx: Connection, *, now: datetime, most: int = 100) -> list[Verdict]:
    """End the questions whose time is over, and return them."""
    requests = await store_requests.load_overdue(tx, now, most=most)
    await store_requests.end(tx, [(each.id, RequestState.EXPIRED) for each in requests], now)
    return [_verdict(each, RequestState.EXPIRED, each.cause) for each in requests]


async def withdraw(tx: Connection, cases: Collection[UUID], *, now: datetime) -> None:
    """Take open questions back: their cases are over, or go on without an answer."""
    await store_requests.withdraw(tx, cases, now)


class _Box:
    """Ballots counted one after the other against what is known; nothing here reaches outside."""

    def __init__(
        self,
        requests: Mapping[UUID, Request],
        kept: Mapping[UUID, Mapping[UUID, tuple[Vote, UUID]]],
        approvers: Mapping[UUID, Approver],
        now: datetime,
    ) -> None:
        self._requests = requests
        self._votes = {request: dict(kept.get(request, {})) for request in requests}
        self._approvers = approvers
        self._now = now
        self.new: list[Ballot] = []
        self.facts: list[Fact] = []
        self.verdicts: dict[UUID, Verdict] = {}
        self.uncounted: list[tuple[UUID, str]] = []
        self.repeated: set[UUID] = set()

    def put(self, ballot: Ballot) -> None:
        """Count one ballot, or say why not."""
        votes = self._votes[ballot.request]
        if (before := votes.get(ballot.approver)) is not None:
            if before[1] == ballot.event:
                self.repeated.add(ballot.event)
            else:
                self.uncounted.append((ballot.event, DECIDED_ALREADY))
            return
        request, approver = self._requests[ballot.request], self._approvers.get(ballot.approver)
        why = rules_approvals.hindrance(approver, request, self._now)
        if ballot.request in self.verdicts:
            why = f"the question has ended: {self.verdicts[ballot.request].state}"
        if why is not None or approver is None:
            self.uncounted.append((ballot.event, why or "nobody who is enrolled"))
            return
        votes[ballot.approver] = Vote(ballot.approver, ballot.approve), ballot.event
        self.new.append(ballot)
        said = [vote for vote, _ in votes.values()]
        given = len(rules_approvals.agreed(said, self._approvers, self._now))
        self.facts.append(_counted(request, ballot, approver, given=given, now=self._now))
        state = rules_approvals.outcome(request, said, self._approvers, self._now)
        if state is not RequestState.OPEN:
            self.verdicts[request.id] = _verdict(request, state, ballot.cause)


def _is_waiting(request: Request, now: datetime) -> bool:
    return request.state is RequestState.OPEN and now < request.expires_at


def _request_id(case: UUID, last: Request | None) -> UUID:
    return uuid5(case, f"request/{last.number + 1 if last else 1}")


def _nonce() -> str:
    return secrets.token_urlsafe(18)


def _ballot(envelope: Envelope, data: ApprovalGiven, link: tuple[UUID, UUID, UUID]) -> Ballot:
    return Ballot(
        event=envelope.id,
        request=link[0],
        approver=link[1],
        approve=data.approve,
        way=Way.LINK,
        cause=Cause(
            id=envelope.id,
            received_at=envelope.received,
            traceparent=envelope.traceparent,
            correlation=envelope.correlation,
        ),
        evidence=(("token_digest", data.token),),
    )


def _asked(request: Request, able: int, now: datetime) -> Fact:
    """Return the fact of a question, with how many people there are who could answer it."""
    few = "" if able >= request.needed else f" Only {able} who may decide are enrolled: enrol more, or act by hand."
    event = ApprovalAsked(
        case=str(request.case),
        login=request.login,
        identity=request.identity,
        needed=request.needed,
        expires_at=request.expires_at,
        why=f"{request.why}{few}"[:2048],
    )
    evidence = (("request", str(request.id)), ("may_decide", str(able)))
    return Fact(
        tenant=request.tenant, key=str(request.case), event=event, at=now, cause=request.cause, evidence=evidence
    )


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


def _verdict(request: Request, state: RequestState, cause: Cause) -> Verdict:
    return Verdict(tenant=request.tenant, case=request.case, state=state, why=WORDS[state], cause=cause)


def asking(  # noqa: PLR0913 - a question is what it says
    *,
    tenant: UUID,
    case: UUID,
    login: str,
    names: Collection[str],
    why: str,
    needed: int,
    hours: int,
    cause: Cause,
    now: datetime,
    identity: str | None = None,
) -> Asking:
    """Return the question about one case; `names` are all by which the exposed account is known."""
    return Asking(
        tenant=tenant,
        case=case,
        login=login,
        identity=identity,
        exposed=frozenset(folded(each) for each in (*names, login, *([identity] if identity else []))),
        why=why,
        needed=needed,
        expires_at=now + timedelta(hours=hours),
        cause=cause,
    )
