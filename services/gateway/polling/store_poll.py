"""What the pollers keep: leases of due sources, and snapshots of what was read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.gateway.polling.rules_snapshot import Key, Known, Snapshot


@dataclass(frozen=True, slots=True)
class Due:
    """A source whose poll is ours until the lease ends. `failures` in a row so far."""

    source: str
    vendor: str
    api_url: str
    client_id: str
    sealed_client_secret: bytes
    every: timedelta
    lease: UUID
    failures: int


ENLIST: Final[LiteralString] = """
    INSERT INTO poll_state (source, next_at)
    SELECT source_id, $2 FROM source WHERE vendor = ANY($1::text[]) AND api_url IS NOT NULL
    ON CONFLICT DO NOTHING
"""
CLAIM: Final[LiteralString] = """
    WITH due AS (
        SELECT p.source FROM poll_state AS p JOIN source AS s ON s.source_id = p.source
        WHERE s.vendor = ANY($1::text[]) AND s.enabled AND s.quarantined_at IS NULL
          AND s.api_url IS NOT NULL AND s.client_id IS NOT NULL AND s.sealed_client_secret IS NOT NULL
          AND p.next_at <= $2 AND (p.leased_until IS NULL OR p.leased_until <= $2)
        ORDER BY p.next_at, p.source LIMIT $5
        FOR UPDATE OF p SKIP LOCKED
    )
    UPDATE poll_state AS p SET lease = $3, leased_until = $4
    FROM due JOIN source AS s ON s.source_id = due.source
    WHERE p.source = due.source
    RETURNING p.source, s.vendor, s.api_url, s.client_id, s.sealed_client_secret, s.poll_seconds, p.lease, p.failures
"""


async def claim(
    tx: Connection, vendors: Sequence[str], *, now: datetime, lease: UUID, until: datetime, most: int
) -> list[Due]:
    """Lease at most `most` sources that are due. A quarantined one is not polled: its records would not be read."""
    await tx.execute(ENLIST, vendors, now)
    rows = await tx.fetch(CLAIM, vendors, now, lease, until, most)
    return [
        Due(
            row["source"],
            row["vendor"],
            row["api_url"],
            row["client_id"],
            row["sealed_client_secret"],
            timedelta(seconds=row["poll_seconds"]),
            row["lease"],
            row["failures"],
        )
        for row in rows
    ]


HOLD: Final[LiteralString] = "UPDATE poll_state SET leased_until = $2 WHERE lease = ANY($1::uuid[])"


async def hold(tx: Connection, leases: Sequence[UUID], until: datetime) -> None:
    """Make these leases end at `until`."""
    await tx.execute(HOLD, leases, until)


SUCCEED: Final[LiteralString] = """
    UPDATE poll_state
    SET lease = NULL, leased_until = NULL, next_at = $3, last_succeeded_at = $4, failures = 0, last_error = NULL,
        lost_webhooks = lost_webhooks + $5
    WHERE source = $1 AND lease = $2
    RETURNING true
"""


async def succeed(tx: Connection, due: Due, *, next_at: datetime, at: datetime, lost_webhooks: int = 0) -> bool:
    """End a lease well; false if it was no longer ours: then nothing of this poll may be kept."""
    return bool(await tx.fetchval(SUCCEED, due.source, due.lease, next_at, at, lost_webhooks))


HOLDING: Final[LiteralString] = "SELECT true FROM poll_state WHERE source = $1 AND lease = $2 FOR UPDATE"


async def is_ours(tx: Connection, due: Due) -> bool:
    """Lock a lease until the transaction ends and return whether it is still ours."""
    return bool(await tx.fetchval(HOLDING, due.source, due.lease))


FAIL: Final[LiteralString] = """
    UPDATE poll_state
    SET lease = NULL, leased_until = NULL, next_at = $3, last_failed_at = $4, failures = failures + 1, last_error = $5
    WHERE source = $1 AND lease = $2
"""


async def fail(tx: Connection, due: Due, *, next_at: datetime, at: datetime, reason: str) -> None:
    """End a lease badly."""
    await tx.execute(FAIL, due.source, due.lease, next_at, at, reason)


KNOWN: Final[LiteralString] = "SELECT kind, device, digest, scanned_at FROM poll_snapshot WHERE source = $1"


async def known(connection: Connection, source: str) -> dict[Key, Known]:
    """Return what is remembered of a source, without the facts."""
    rows = await connection.fetch(KNOWN, source)
    return {(row["kind"], row["device"]): Known(row["digest"], row["scanned_at"]) for row in rows}


SNAPSHOTS: Final[LiteralString] = """
    SELECT kind, device, digest, scanned_at, facts FROM poll_snapshot
    WHERE source = $1 AND (kind, device) IN (SELECT * FROM unnest($2::text[], $3::text[]))
"""


async def snapshots(connection: Connection, source: str, keys: Collection[Key]) -> dict[Key, Snapshot]:
    """Return these snapshots with their facts."""
    ordered = sorted(keys)
    rows = await connection.fetch(SNAPSHOTS, source, [kind for kind, _ in ordered], [device for _, device in ordered])
    return {
        (row["kind"], row["device"]): Snapshot(
            row["kind"], row["device"], row["digest"], row["scanned_at"], row["facts"]
        )
        for row in rows
    }


EVERY: Final[LiteralString] = "SELECT kind, device, digest, scanned_at, facts FROM poll_snapshot WHERE source = $1"


async def every_snapshot(connection: Connection, source: str) -> dict[Key, Snapshot]:
    """Return all that is remembered of a source, with the facts: for feeds, which have few."""
    rows = await connection.fetch(EVERY, source)
    return {(row["kind"], row["device"]): Snapshot(*row.values()) for row in rows}


SAVE: Final[LiteralString] = """
    INSERT INTO poll_snapshot (source, kind, device, digest, scanned_at, facts, read_at)
    SELECT $1, t.*, $7 FROM unnest($2::text[], $3::text[], $4::bytea[], $5::timestamptz[], $6::jsonb[])
        AS t (kind, device, digest, scanned_at, facts)
    ON CONFLICT (source, kind, device) DO UPDATE
    SET digest = excluded.digest, scanned_at = excluded.scanned_at, facts = excluded.facts, read_at = excluded.read_at
"""


async def save(tx: Connection, source: str, kept: Sequence[Snapshot], read_at: datetime) -> None:
    """Keep these snapshots instead of the ones before."""
    ordered = sorted(kept, key=lambda each: (each.kind, each.device))
    await tx.execute(
        SAVE,
        source,
        [each.kind for each in ordered],
        [each.device for each in ordered],
        [each.digest for each in ordered],
        [each.scanned_at for each in ordered],
        [each.facts for each in ordered],
        read_at,
    )
