"""Questions about cases and what people said about them, loaded under locks: one statement per table and batch."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.credentials.people.records import Asking, Ballot, Request, RequestState, Vote
from services.credentials.records import Cause

NEWEST: Final[LiteralString] = """
    SELECT DISTINCT ON (case_id)
           request_id, tenant_id, case_id, number, login, identity, exposed, why, nonce, needed, asked_at, expires_at,
           state, cause_id, received_at, traceparent, correlation
    FROM request
    WHERE case_id = ANY($1::uuid[])
    ORDER BY case_id, number DESC
"""
LOCK_REQUESTS: Final[LiteralString] = """
    SELECT request_id, tenant_id, case_id, number, login, identity, exposed, why, nonce, needed, asked_at, expires_at,
           state, cause_id, received_at, traceparent, correlation
    FROM request
    WHERE request_id = ANY($1::uuid[])
    ORDER BY request_id
    FOR UPDATE
"""
LOCK_OVERDUE: Final[LiteralString] = """
    SELECT request_id, tenant_id, case_id, number, login, identity, exposed, why, nonce, needed, asked_at, expires_at,
           state, cause_id, received_at, traceparent, correlation
    FROM request
    WHERE state = 'open' AND expires_at <= $1
    ORDER BY request_id
    LIMIT $2
    FOR UPDATE SKIP LOCKED
"""


async def load_newest(tx: Connection, cases: Collection[UUID]) -> dict[UUID, Request]:
    """Return the newest question about each of these cases, of those that have one."""
    return {row["case_id"]: _request_of(row) for row in await tx.fetch(NEWEST, sorted(cases))}


async def load_for_update(tx: Connection, ids: Collection[UUID]) -> dict[UUID, Request]:
    """Return these questions, locked until the transaction ends."""
    return {row["request_id"]: _request_of(row) for row in await tx.fetch(LOCK_REQUESTS, sorted(ids))}


async def load_overdue(tx: Connection, now: datetime, *, most: int) -> list[Request]:
    """Return open questions whose time is over, locked; those that somebody else holds come later."""
    return [_request_of(row) for row in await tx.fetch(LOCK_OVERDUE, now, most)]


OPEN: Final[LiteralString] = """
    INSERT INTO request (request_id, tenant_id, case_id, number, login, identity, exposed, why, nonce, needed, asked_at,
                         expires_at, state, cause_id, received_at, traceparent, correlation)
    SELECT request_id, tenant_id, case_id, number, login, identity, string_to_array(exposed, E'\\n'), why, nonce,
           needed, $10, expires_at, 'open', cause_id, received_at, traceparent, correlation
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $11::integer[], $12::timestamptz[], $13::uuid[], $14::timestamptz[], $15::text[],
                $16::text[])
         AS asked (request_id, tenant_id, case_id, number, login, identity, exposed, why, nonce, needed, expires_at,
                   cause_id, received_at, traceparent, correlation)
    ON CONFLICT DO NOTHING
"""


async def open_requests(tx: Connection, requests: Sequence[Request], now: datetime) -> None:
    """Keep new questions."""
    await tx.execute(
        OPEN,
        [each.id for each in requests],
        [each.tenant for each in requests],
        [each.case for each in requests],
        [each.number for each in requests],
        [each.login for each in requests],
        [each.identity for each in requests],
        ["\n".join(sorted(each.exposed)) for each in requests],
        [each.why for each in requests],
        [each.nonce for each in requests],
        now,
        [each.needed for each in requests],
        [each.expires_at for each in requests],
        [each.cause.id for each in requests],
        [each.cause.received_at for each in requests],
        [each.cause.traceparent for each in requests],
        [each.cause.correlation for each in requests],
    )


END: Final[LiteralString] = """
    UPDATE request SET state = ended.state, ended_at = $3
    FROM unnest($1::uuid[], $2::text[]) AS ended (request_id, state)
    WHERE request.request_id = ended.request_id AND request.state = 'open'
"""


async def end(tx: Connection, state_by_request: Iterable[tuple[UUID, RequestState]], now: datetime) -> None:
    """Note how open questions ended."""
    ended = sorted(state_by_request)
    await tx.execute(END, [request for request, _ in ended], [state for _, state in ended], now)


WITHDRAW: Final[LiteralString] = """
    UPDATE request SET state = 'withdrawn', ended_at = $2 WHERE case_id = ANY($1::uuid[]) AND state = 'open'
"""


async def withdraw(tx: Connection, cases: Collection[UUID], now: datetime) -> None:
    """End the open questions about these cases: nobody needs to decide any more."""
    await tx.execute(WITHDRAW, sorted(cases), now)


VOTES: Final[LiteralString] = """
    SELECT request_id, approver_id, approve, event_id FROM approval WHERE request_id = ANY($1::uuid[])
    ORDER BY request_id, approver_id
"""


async def load_votes(tx: Connection, requests: Collection[UUID]) -> dict[UUID, dict[UUID, tuple[Vote, UUID]]]:
    """Return what was said about these questions: by whom, and the event that brought it."""
    votes: dict[UUID, dict[UUID, tuple[Vote, UUID]]] = {}
    for row in await tx.fetch(VOTES, sorted(requests)):
        vote = Vote(row["approver_id"], row["approve"])
        votes.setdefault(row["request_id"], {})[row["approver_id"]] = vote, row["event_id"]
    return votes


COUNT: Final[LiteralString] = """
    INSERT INTO approval (request_id, approver_id, tenant_id, approve, way, event_id, counted_at)
    SELECT ballot.request_id, ballot.approver_id, r.tenant_id, ballot.approve, ballot.way, ballot.event_id, $6
    FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::text[], $5::uuid[])
         AS ballot (request_id, approver_id, approve, way, event_id)
    JOIN request AS r USING (request_id)
    ON CONFLICT DO NOTHING
"""


async def count(tx: Connection, ballots: Sequence[Ballot], now: datetime) -> None:
    """Keep votes. Lock their questions first."""
    await tx.execute(
        COUNT,
        [each.request for each in ballots],
        [each.approver for each in ballots],
        [each.approve for each in ballots],
        [each.way for each in ballots],
        [each.event for each in ballots],
        now,
    )


LINKS: Final[LiteralString] = """
    SELECT digest, request_id, approver_id, case_id FROM link JOIN request USING (request_id)
    WHERE digest = ANY($1::text[])
"""


async def load_links(tx: Connection, digests: Collection[str]) -> dict[str, tuple[UUID, UUID, UUID]]:
    """Return the question, the person and the case of each of these links, by the digest of its token."""
    rows = await tx.fetch(LINKS, sorted(digests))
    return {row["digest"]: (row["request_id"], row["approver_id"], row["case_id"]) for row in rows}


def request_after(asking: Asking, before: Request | None, *, id_: UUID, nonce: str, now: datetime) -> Request:
    """Return the question that `asking` opens after `before`, the case's last."""
    return Request(
        id=id_,
        tenant=asking.tenant,
        case=asking.case,
        number=before.number + 1 if before else 1,
        login=asking.login,
        identity=asking.identity,
        exposed=asking.exposed,
        why=asking.why,
        nonce=nonce,
        needed=asking.needed,
        asked_at=now,
        expires_at=asking.expires_at,
        state=RequestState.OPEN,
        cause=asking.cause,
    )


def _request_of(row: asyncpg.Record) -> Request:
    return Request(
        id=row["request_id"],
        tenant=row["tenant_id"],
        case=row["case_id"],
        number=row["number"],
        login=row["login"],
        identity=row["identity"],
        exposed=frozenset(row["exposed"]),
        why=row["why"],
        nonce=row["nonce"],
        needed=row["needed"],
        asked_at=row["asked_at"],
        expires_at=row["expires_at"],
        state=RequestState(row["state"]),
        cause=Cause(
            id=row["cause_id"],
            received_at=row["received_at"],
            traceparent=row["traceparent"],
            correlation=row["correlation"],
        ),
    )
