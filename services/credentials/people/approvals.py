"""Questions that a machine must not answer alone: asked, counted, ended. Inside the caller's transaction."""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from chassis.postgres import Connection
from contracts.envelope import Envelope
from contracts.events.exposure import ApprovalGiven
from services.credentials.people import (
    rules_approvals,
    rules_ballots,
    store_approvers,
    store_notices,
    store_requests,
)
from services.credentials.people.records import (
    Asking,
    Ballot,
    Counting,
    Request,
    RequestState,
    Standing,
    Verdict,
    Way,
)
from services.credentials.people.rules_approvals import folded
from services.credentials.people.rules_ballots import Known
from services.credentials.records import Cause, Fact


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
    return [rules_ballots.asked(request, len(able[request.id]), now) for request in requests]


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
    return replace(counting, uncounted=(*unknown, *counting.uncounted))


async def count(tx: Connection, ballots: Sequence[Ballot], *, now: datetime) -> Counting:
    """Count ballots in their order, and return what is to be told and which questions ended."""
    requests = await store_requests.load_for_update(tx, {each.request for each in ballots})
    kept = await store_requests.load_votes(tx, requests)
    voters = {each.approver for each in ballots} | {each for votes in kept.values() for each in votes}
    approvers = await store_approvers.load(tx, voters)
    known = Known(requests=requests, kept=kept, approvers=approvers, now=now)
    counting = rules_ballots.counting(known, ballots)
    await store_requests.count(tx, counting.new, now)
    await store_requests.end(tx, [(verdict.request, verdict.state) for verdict in counting.verdicts], now)
    return counting


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
    return [rules_ballots.verdict(each, RequestState.EXPIRED, each.cause) for each in requests]


async def withdraw(tx: Connection, cases: Collection[UUID], *, now: datetime) -> None:
    """Take open questions back: their cases are over, or go on without an answer."""
    await store_requests.withdraw(tx, cases, now)


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
