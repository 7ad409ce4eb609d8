"""What is written to people: which mail, to whom, and what became of it. Its words are made when it is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection, Pool
from services.credentials.people.records import Approver, Request

Place = Connection | Pool
"""Where one statement can run: inside the caller's transaction, or by itself."""


class LostLease(Exception):
    """Somebody else writes this mail now, or it was written: leave it alone. No failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLink:
    """A leased mail with a link. `attempts` tells an old lease from a new one."""

    message_id: str
    tenant: UUID
    request: UUID
    approver: UUID
    recipient: str
    attempts: int


def message_id_of(case: UUID, kind: str, about: str) -> str:
    """Return the stable Message-ID, without its brackets and domain, of one notice of one case."""
    return f"{kind}.{case}.{about}"


PLAN_LINKS: Final[LiteralString] = """
    INSERT INTO notice (message_id, tenant_id, case_id, kind, recipient, request_id, approver_id, state, due_at,
                        made_at)
    SELECT message_id, tenant_id, case_id, 'approval', recipient, request_id, approver_id, 'pending', $7, $7
    FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[])
         AS planned (message_id, tenant_id, case_id, recipient, request_id, approver_id)
    ON CONFLICT DO NOTHING
"""


async def plan_links(tx: Connection, to: Sequence[tuple[Request, Approver]], now: datetime) -> None:
    """Have a link written to each of these people."""
    await tx.execute(
        PLAN_LINKS,
        [message_id_of(request.case, "approval", f"{request.number}.{approver.id}") for request, approver in to],
        [request.tenant for request, _ in to],
        [request.case for request, _ in to],
        [approver.mail for _, approver in to],
        [request.id for request, _ in to],
        [approver.id for _, approver in to],
        now,
    )


LEASE_LINKS: Final[LiteralString] = """
    WITH free AS (
        SELECT message_id FROM notice
        WHERE kind = 'approval' AND state IN ('pending', 'leased') AND due_at <= $1
        ORDER BY due_at, message_id
        LIMIT $3
        FOR UPDATE SKIP LOCKED
    )
    UPDATE notice SET state = 'leased', due_at = $2, attempts = notice.attempts + 1
    FROM free WHERE notice.message_id = free.message_id
    RETURNING notice.message_id, notice.tenant_id, notice.request_id, notice.approver_id, notice.recipient,
              notice.attempts
"""


async def lease_links(place: Place, now: datetime, *, lease: timedelta, most: int) -> list[PlannedLink]:
    """Take mails that are due until the end of a lease, and return them."""
    rows = await place.fetch(LEASE_LINKS, now, now + lease, most)
    return [
        PlannedLink(
            message_id=row["message_id"],
            tenant=row["tenant_id"],
            request=row["request_id"],
            approver=row["approver_id"],
            recipient=row["recipient"],
            attempts=row["attempts"],
        )
        for row in rows
    ]


KEEP_LINK: Final[LiteralString] = """
    INSERT INTO link (digest, request_id, approver_id, tenant_id, made_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING
"""
BEGIN: Final[LiteralString] = """
    UPDATE notice SET acted_at = $3
    WHERE message_id = $1 AND attempts = $2 AND state = 'leased' AND due_at > $3
    RETURNING message_id
"""


async def begin_link(tx: Connection, planned: PlannedLink, digest: str, now: datetime) -> None:
    """Note that a link may be with its person from now on: so it counts even if we die before its mail is noted.

    Raises:
        LostLease: do not write.
    """
    if await tx.fetchval(BEGIN, planned.message_id, planned.attempts, now) is None:
        raise LostLease(planned.message_id)
    await tx.execute(KEEP_LINK, digest, planned.request, planned.approver, planned.tenant, now)


SETTLE: Final[LiteralString] = """
    UPDATE notice SET state = $3::text, due_at = $4::timestamptz, reason = $5,
                      sent_at = CASE WHEN $3::text = 'done' THEN $4::timestamptz END
    WHERE message_id = $1 AND attempts = $2 AND state = 'leased'
"""


async def settle(place: Place, planned: PlannedLink, state: str, *, at: datetime, reason: str | None = None) -> None:
    """Note what became of a mail: `done` at a moment, `dropped` or `parked`, or `pending` again until then."""
    await place.execute(SETTLE, planned.message_id, planned.attempts, state, at, reason)


PLAN_OWNER: Final[LiteralString] = """
    INSERT INTO notice (message_id, tenant_id, case_id, kind, recipient, state, due_at, made_at, acted_at, attempts)
    VALUES ($1, $2, $3, 'owner', $4, 'leased', $5, $5, $5, 1)
    ON CONFLICT (message_id) DO UPDATE
    SET attempts = notice.attempts + 1, acted_at = coalesce(notice.acted_at, excluded.acted_at),
        recipient = CASE WHEN notice.sent_at IS NULL THEN excluded.recipient ELSE notice.recipient END
    RETURNING sent_at, recipient
"""
SENT_OWNER: Final[LiteralString] = """
    UPDATE notice SET state = 'done', sent_at = $2 WHERE message_id = $1 AND sent_at IS NULL
"""


async def begin_owner(
    place: Place, message_id: str, *, tenant: UUID, case: UUID, recipient: str, now: datetime
) -> tuple[datetime | None, str]:
    """Note that a case's notice may be with its owner from now on; return when it was sent already, and to whom."""
    row = await place.fetchrow(PLAN_OWNER, message_id, tenant, case, recipient, now)
    if row is None:
        raise LookupError(f"{message_id} was not kept")
    return row["sent_at"], row["recipient"]


async def owner_sent(place: Place, message_id: str, now: datetime) -> None:
    """Note that the mail server took a case's notice."""
    await place.execute(SENT_OWNER, message_id, now)
