"""The directories of clients in PostgreSQL: how each is reached, whose turn it is, and how fresh what it showed is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.credentials.adapters.link import Kind, Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A directory that is ours to read until the lease ends. `failures` in a row so far."""

    link: Link
    every: timedelta
    lease: UUID
    failures: int
    fewer_is_right: bool


CLAIM: Final[LiteralString] = """
    WITH due AS (
        SELECT name FROM directory
        WHERE enabled AND next_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
        ORDER BY next_at, name LIMIT $4
        FOR UPDATE SKIP LOCKED
    )
    UPDATE directory AS d SET lease = $2, leased_until = $3
    FROM due
    WHERE d.name = due.name
    RETURNING d.name, d.tenant_id, d.kind, d.options, d.secret, d.every_seconds, d.lease, d.failures, d.fewer_is_right
"""


async def claim(tx: Connection, *, now: datetime, lease: UUID, until: datetime, most: int) -> list[Due]:
    """Lease at most `most` directories that are due. A lease that ended is anybody's again."""
    rows = await tx.fetch(CLAIM, now, lease, until, most)
    return [
        Due(
            link=_link(row),
            every=timedelta(seconds=row["every_seconds"]),
            lease=row["lease"],
            failures=row["failures"],
            fewer_is_right=row["fewer_is_right"],
        )
        for row in rows
    ]


HOLD: Final[LiteralString] = "UPDATE directory SET leased_until = $2 WHERE lease = ANY($1::uuid[])"


async def hold(tx: Connection, leases: Sequence[UUID], until: datetime) -> None:
    """Make these leases end at `until`."""
    await tx.execute(HOLD, leases, until)


IS_OURS: Final[LiteralString] = "SELECT true FROM directory WHERE name = $1 AND lease = $2 FOR SHARE"


async def is_ours(tx: Connection, due: Due) -> bool:
    """Return whether the lease is still ours; until the transaction ends nobody else gets it."""
    return bool(await tx.fetchval(IS_OURS, due.link.directory, due.lease))


INTRODUCE: Final[LiteralString] = """
    UPDATE directory SET own_id = $3, domains = $4 WHERE name = $1 AND lease = $2 RETURNING true
"""


async def introduce(tx: Connection, due: Due, *, own_id: str | None, domains: Collection[str]) -> bool:
    """Keep who we are in a directory and which domains are its own; false if the lease was no longer ours."""
    ordered = sorted({each.lower() for each in domains})
    return bool(await tx.fetchval(INTRODUCE, due.link.directory, due.lease, own_id, ordered))


SUCCEED: Final[LiteralString] = """
    UPDATE directory
    SET lease = NULL, leased_until = NULL, next_at = CASE WHEN next_at > $4 THEN next_at ELSE $3 END,  -- asked for
        fresh_at = $4, accounts = $5, failures = 0, last_error = NULL, fewer_is_right = false
    WHERE name = $1 AND lease = $2
    RETURNING true
"""


async def succeed(tx: Connection, due: Due, *, next_at: datetime, began_at: datetime, accounts: int) -> bool:
    """Say that everything was read, as of `began_at`; false if the lease was no longer ours: then nothing may be kept.

    Nothing else makes what we know of a client fresh.
    """
    return bool(await tx.fetchval(SUCCEED, due.link.directory, due.lease, next_at, began_at, accounts))


FAIL: Final[LiteralString] = """
    UPDATE directory
    SET lease = NULL, leased_until = NULL, next_at = CASE WHEN next_at > $6 THEN next_at ELSE $3 END,
        failed_at = $4, failures = failures + 1, last_error = $5
    WHERE name = $1 AND lease = $2
"""


async def fail(tx: Connection, due: Due, *, next_at: datetime, began_at: datetime, at: datetime, reason: str) -> None:
    """Say that a reading failed: what was fresh before grows older."""
    await tx.execute(FAIL, due.link.directory, due.lease, next_at, at, reason, began_at)


LINKS: Final[LiteralString] = """
    SELECT name, tenant_id, kind, options, secret FROM directory WHERE name = ANY($1::text[]) AND enabled
"""


async def links(tx: Connection, names: Collection[str]) -> dict[str, Link]:
    """Return how these directories are reached, by name; one that an operator switched off is not in the answer."""
    return {row["name"]: _link(row) for row in await tx.fetch(LINKS, sorted(set(names)))}


OWN_IDS: Final[LiteralString] = "SELECT name, own_id FROM directory WHERE name = ANY($1::text[])"


async def own_ids(tx: Connection, names: Collection[str]) -> dict[str, str | None]:
    """Return by directory the immutable id of the account that we act with, as it said itself when it was last read."""
    return {row["name"]: row["own_id"] for row in await tx.fetch(OWN_IDS, sorted(set(names)))}


def _link(row: asyncpg.Record) -> Link:
    return Link(
        tenant=row["tenant_id"],
        directory=row["name"],
        kind=Kind(row["kind"]),
        options=row["options"],
        secret=row["secret"],
    )
