"""Exceptions that were granted and revoked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.exceptions.records import Granted, Lane, Request, Signoff
from services.compliance.exceptions.rules_exceptions import Signed

GRANTED: Final[LiteralString] = """
    SELECT e.exception_id, e.tenant_id, e.requirement_id, e.asset_ids, e.valid_from, e.until, e.lane, e.renewal,
           r.revoked_at
    FROM exception AS e LEFT JOIN exception_revocation AS r USING (exception_id)
    WHERE e.tenant_id = ANY($1::uuid[])
    ORDER BY e.valid_from, e.exception_id
"""


async def in_force(tx: Connection, tenant_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Granted]]:
    """Return by client every exception ever granted: those to come, expired, revoked too. One without any is absent.

    Read it after the assets are locked: whoever grants or revokes lets the machines be decided anew in the same
    transaction, so what was decided with fewer exceptions is decided again. When time alone begins or ends one, only
    the obligation's `next_change_at` notices: it must be no later than the next `valid_from` or `ends_at`.
    """
    found: dict[UUID, list[Granted]] = {}
    for row in await tx.fetch(GRANTED, sorted(tenant_ids)):
        granted = Granted(
            id=row["exception_id"],
            tenant_id=row["tenant_id"],
            requirement_id=row["requirement_id"],
            asset_ids=None if row["asset_ids"] is None else frozenset(row["asset_ids"]),
            valid_from=row["valid_from"],
            until=row["until"],
            revoked_at=row["revoked_at"],
            lane=Lane(row["lane"]),
            renewal=row["renewal"],
        )
        found.setdefault(granted.tenant_id, []).append(granted)
    return found


GRANT: Final[LiteralString] = """
    INSERT INTO exception (exception_id, tenant_id, lane, requirement_id, asset_ids, controls, valid_from, until,
                           renewal, ticket, approver_id, statement, signature, signed_at, granted_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""


async def grant(
    tx: Connection, request: Request, holds: Granted, *, signoff: Signoff, signed: Signed, now: datetime
) -> None:
    """Keep an exception that was signed. The database refuses one without ticket, signature, control or end."""
    await tx.execute(
        GRANT,
        request.id,
        request.tenant_id,
        request.lane,
        request.requirement_id,
        None if request.asset_ids is None else sorted(request.asset_ids),
        [{"kind": each.kind.value, "text": each.text} for each in request.controls],
        holds.valid_from,
        holds.until,
        request.renewal,
        signed.ticket,
        signed.owner.id,
        signoff.statement,
        signoff.signature,
        signed.decision.decided_at,
        now,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """An exception that somebody took back."""

    exception_id: UUID
    why: str
    revoked_at: datetime


UNTOLD: Final[LiteralString] = """
    SELECT exception_id, why, revoked_at FROM exception_revocation WHERE told_at IS NULL
    ORDER BY revoked_at, exception_id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
TELL: Final[LiteralString] = "UPDATE exception_revocation SET told_at = $2 WHERE exception_id = ANY($1::uuid[])"


async def take_revoked(tx: Connection, *, now: datetime, most: int) -> list[Revocation]:
    """Return revocations that nobody told of yet, the oldest first, as told with the caller's transaction."""
    found = [
        Revocation(exception_id=row["exception_id"], why=row["why"], revoked_at=row["revoked_at"])
        for row in await tx.fetch(UNTOLD, most)
    ]
    if found:
        await tx.execute(TELL, [each.exception_id for each in found], now)
    return found


TOUCHED: Final[LiteralString] = """
    INSERT INTO recheck (asset_id, tenant_id, cause_id, cause_at)
    SELECT a.asset_id, a.tenant_id, $4, $5 FROM asset AS a
    WHERE a.tenant_id = $1 AND ($2::uuid[] IS NULL OR a.asset_id = ANY($2::uuid[]))
      AND ($3::uuid IS NULL OR EXISTS (
          SELECT FROM obligation AS o WHERE (o.asset_id, o.requirement_id) = (a.asset_id, $3)))
    ORDER BY a.asset_id
    ON CONFLICT (asset_id) DO UPDATE SET cause_id = excluded.cause_id, cause_at = excluded.cause_at
"""


async def touch(tx: Connection, granted: Granted, cause_id: UUID, cause_at: datetime) -> None:
    """Let the machines that an exception is about be decided anew."""
    machines = None if granted.asset_ids is None else sorted(granted.asset_ids)
    await tx.execute(TOUCHED, granted.tenant_id, machines, granted.requirement_id, cause_id, cause_at)
