"""What `patchline approver` and `patchline case approve|refuse` read and write, as the operator's role."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.credentials.people.records import Approver, Request, RequestState
from services.credentials.people.store_approvers import approver_of
from services.credentials.records import Cause

SEE_ALL_TENANTS: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(gateway.all_tenants(), ','), true)
"""


async def see_all_tenants(tx: Connection) -> None:
    """Let the operator see the rows of every client until the transaction ends."""
    await tx.execute(SEE_ALL_TENANTS)


CLIENTS: Final[LiteralString] = """
    SELECT name, tenant_id FROM gateway.client WHERE name = ANY($1::text[])
"""


async def clients(tx: Connection, names: Sequence[str]) -> dict[str, UUID]:
    """Return the ids of the clients of these names, of those that there are."""
    return {row["name"]: row["tenant_id"] for row in await tx.fetch(CLIENTS, list(names))}


ALL_APPROVERS: Final[LiteralString] = """
    SELECT approver_id, name, mail, accounts, tenants, role, public_key, enrolled_at, enrolled_by, revoked_at
    FROM credentials.approver
    ORDER BY name, enrolled_at
"""
ENROLL: Final[LiteralString] = """
    INSERT INTO credentials.approver
        (approver_id, name, mail, accounts, tenants, public_key, enrolled_at, enrolled_by, role)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""


async def all_approvers(tx: Connection) -> list[Approver]:
    """Return everyone who was ever enrolled, by name."""
    return [approver_of(row) for row in await tx.fetch(ALL_APPROVERS)]


async def enroll(tx: Connection, new: Approver) -> None:
    """Enrol somebody."""
    await tx.execute(
        ENROLL,
        new.id,
        new.name,
        new.mail,
        sorted(new.accounts),
        None if new.tenants is None else sorted(new.tenants),
        new.public_key,
        new.enrolled_at,
        new.enrolled_by,
        new.role,
    )


LIST: Final[LiteralString] = """
    SELECT a.approver_id AS approver, a.name, a.mail, a.role, a.accounts,
           CASE WHEN a.tenants IS NULL THEN 'every client'
                ELSE (SELECT string_agg(c.name, ', ' ORDER BY c.name) FROM gateway.client AS c
                      WHERE c.tenant_id = ANY (a.tenants)) END AS clients,
           left(encode(sha256(a.public_key), 'hex'), 32) AS key, a.enrolled_at, a.enrolled_by, a.revoked_at,
           a.revoked_by, a.revoked_why
    FROM credentials.approver AS a
    WHERE a.revoked_at IS NULL OR $1
    ORDER BY a.name, a.enrolled_at
"""
REVOKE: Final[LiteralString] = """
    UPDATE credentials.approver SET revoked_at = $2, revoked_by = $3, revoked_why = $4
    WHERE revoked_at IS NULL AND (approver_id::text = $1 OR lower(mail) = lower($1) OR name = $1)
    RETURNING approver_id AS approver, name, mail, revoked_at
"""


async def listed(tx: Connection, *, with_revoked: bool) -> list[dict[str, object]]:
    """Return the enrolled people for whoever lists them."""
    return [dict(row) for row in await tx.fetch(LIST, with_revoked)]


async def revoke(tx: Connection, who: str, *, at: datetime, by: str, why: str) -> list[dict[str, object]]:
    """Revoke whoever has this id, address or name, and return them."""
    return [dict(row) for row in await tx.fetch(REVOKE, who, at, by, why)]


QUESTIONS: Final[LiteralString] = """
    SELECT DISTINCT ON (r.case_id)
           r.request_id, r.tenant_id, r.case_id, r.number, r.login, r.identity, r.exposed, r.why, r.nonce, r.needed,
           r.asked_at, r.expires_at, r.state, r.cause_id, r.received_at, c.name AS client
    FROM credentials.request AS r
    LEFT JOIN gateway.client AS c USING (tenant_id)
    WHERE r.case_id::text LIKE $1 || '%'
    ORDER BY r.case_id, r.number DESC
"""


async def questions(tx: Connection, case: str) -> list[tuple[str, Request]]:
    """Return the newest question about each case whose id begins so, with its client's name."""
    return [
        (
            row["client"] or str(row["tenant_id"]),
            Request(
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
                cause=Cause(id=row["cause_id"], received_at=row["received_at"]),
            ),
        )
        for row in await tx.fetch(QUESTIONS, case)
    ]


BRING: Final[LiteralString] = """
    INSERT INTO credentials.statement
        (statement_id, tenant_id, request_id, approver_id, approve, decided_at, signature, brought_at, brought_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING
"""
ANSWERED: Final[LiteralString] = """
    SELECT s.state, s.answer, r.state AS request,
           (SELECT count(*) FROM credentials.approval AS a WHERE a.request_id = r.request_id AND a.approve) AS given
    FROM credentials.statement AS s JOIN credentials.request AS r USING (request_id)
    WHERE s.statement_id = $1 AND s.state <> 'pending'
"""


async def bring(  # noqa: PLR0913 - a statement is what it says
    tx: Connection,
    request: Request,
    *,
    statement: UUID,
    approver: UUID,
    approve: bool,
    at: datetime,
    signature: bytes,
    by: str,
) -> None:
    """Hand a signed statement to the service, which checks it."""
    await tx.execute(BRING, statement, request.tenant, request.id, approver, approve, at, signature, at, by)


async def answered(tx: Connection, statement: UUID) -> dict[str, object] | None:
    """Return what the service said to a statement; `None`: nothing yet."""
    row = await tx.fetchrow(ANSWERED, statement)
    return dict(row) if row else None
