"""Signed statements as the command line brought them, and what became of each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What somebody says they signed; not believed before its signature was checked."""

    id: UUID
    request: UUID
    approver: UUID
    approve: bool
    decided_at: datetime
    signature: bytes
    brought_at: datetime
    brought_by: str


LOCK_PENDING: Final[LiteralString] = """
    SELECT statement_id, request_id, approver_id, approve, decided_at, signature, brought_at, brought_by
    FROM statement
    WHERE state = 'pending'
    ORDER BY brought_at, statement_id
    LIMIT $1
    FOR UPDATE SKIP LOCKED
"""


async def load_pending(tx: Connection, *, most: int) -> list[Statement]:
    """Return statements that wait for an answer, the oldest first, locked until the transaction ends."""
    return [
        Statement(
            id=row["statement_id"],
            request=row["request_id"],
            approver=row["approver_id"],
            approve=row["approve"],
            decided_at=row["decided_at"],
            signature=row["signature"],
            brought_at=row["brought_at"],
            brought_by=row["brought_by"],
        )
        for row in await tx.fetch(LOCK_PENDING, most)
    ]


ANSWER: Final[LiteralString] = """
    UPDATE statement SET state = CASE WHEN answered.refusal IS NULL THEN 'counted' ELSE 'refused' END,
                         answer = answered.refusal
    FROM unnest($1::uuid[], $2::text[]) AS answered (statement_id, refusal)
    WHERE statement.statement_id = answered.statement_id
"""


async def answer(tx: Connection, refusal_by_statement: Iterable[tuple[UUID, str | None]]) -> None:
    """Answer statements: `None` where it was counted, else why not."""
    answered = sorted(refusal_by_statement, key=lambda each: each[0])
    await tx.execute(ANSWER, [statement for statement, _ in answered], [refusal for _, refusal in answered])
