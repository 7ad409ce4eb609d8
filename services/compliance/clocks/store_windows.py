"""Clients' windows as facts: when each comes in the next thirteen months, and when it came."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.clocks.records import KeptRule, KeptWindow

LOCK: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('compliance.windows', 0))"
RULES: Final[LiteralString] = """
    SELECT tenant_id, window_name AS name, digest, zone, tzdata, spread_until, empty,
           (SELECT end_at FROM window_occurrence AS o
            WHERE (o.tenant_id, o.window_name) = (r.tenant_id, r.window_name)
            ORDER BY start_at DESC LIMIT 1) AS last_end_at
    FROM window_rule AS r
"""


async def lock_rules(tx: Connection) -> dict[tuple[UUID, str], KeptRule]:
    """Return what is written down of every client's windows; nobody else writes until the transaction ends."""
    await tx.execute(LOCK)
    rules = [KeptRule(**row) for row in await tx.fetch(RULES)]
    return {(each.tenant_id, each.name): each for each in rules}


TO_COME: Final[LiteralString] = """
    SELECT tenant_id, window_name AS name, start_at, end_at, local, note FROM window_occurrence
    WHERE tenant_id = $1 AND window_name = $2 AND end_at > $3
    ORDER BY start_at
"""


async def to_come(tx: Connection, tenant_id: UUID, name: str, now: datetime) -> list[KeptWindow]:
    """Return what is written down of one window and not over yet."""
    return [KeptWindow(**row) for row in await tx.fetch(TO_COME, tenant_id, name, now)]


KEEP_RULE: Final[LiteralString] = """
    INSERT INTO window_rule (tenant_id, window_name, digest, zone, tzdata, spread_until, empty)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (tenant_id, window_name) DO UPDATE
    SET digest = excluded.digest, zone = excluded.zone, tzdata = excluded.tzdata,
        spread_until = excluded.spread_until, empty = excluded.empty
"""
CUT: Final[LiteralString] = """
    UPDATE window_occurrence SET end_at = $3
    WHERE tenant_id = $1 AND window_name = $2 AND start_at < $3 AND end_at > $3
"""
FORGET: Final[LiteralString] = """
    DELETE FROM window_occurrence WHERE tenant_id = $1 AND window_name = $2 AND start_at >= $3
"""
ADD: Final[LiteralString] = """
    INSERT INTO window_occurrence (tenant_id, window_name, start_at, end_at, local, note)
    SELECT $1, $2, * FROM unnest($3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[])
    ON CONFLICT (tenant_id, window_name, start_at) DO UPDATE
    SET end_at = excluded.end_at, local = excluded.local, note = excluded.note
"""


async def rewrite(tx: Connection, rule: KeptRule, windows: Sequence[KeptWindow], now: datetime) -> None:
    """Let these be what is to come of a window. What is over stays; one that is open and not among them ends now."""
    await tx.execute(KEEP_RULE, *_columns(rule))
    await tx.execute(CUT, rule.tenant_id, rule.name, now)
    await tx.execute(FORGET, rule.tenant_id, rule.name, now)
    rows = sorted(windows, key=lambda each: each.start_at)
    await tx.execute(
        ADD,
        rule.tenant_id,
        rule.name,
        [each.start_at for each in rows],
        [each.end_at for each in rows],
        [each.local for each in rows],
        [each.note for each in rows],
    )


def _columns(rule: KeptRule) -> tuple[object, ...]:
    return rule.tenant_id, rule.name, rule.digest, rule.zone, rule.tzdata, rule.spread_until, rule.empty


FORGET_RULE: Final[LiteralString] = "DELETE FROM window_rule WHERE tenant_id = $1 AND window_name = $2"


async def end(tx: Connection, tenant_id: UUID, name: str, now: datetime) -> None:
    """Let a window that no policy has any more come never again; what came of it stays."""
    await tx.execute(FORGET_RULE, tenant_id, name)
    await tx.execute(CUT, tenant_id, name, now)
    await tx.execute(FORGET, tenant_id, name, now)


FORGET_OVER: Final[LiteralString] = """
    DELETE FROM window_occurrence WHERE (tenant_id, window_name, start_at) IN (
        SELECT tenant_id, window_name, start_at FROM window_occurrence WHERE end_at < $1 ORDER BY end_at LIMIT $2)
"""


async def forget_over(tx: Connection, before: datetime, limit: int) -> None:
    """Forget up to `limit` windows that were over before `before`; policies and zones' rules still tell of them."""
    await tx.execute(FORGET_OVER, before, limit)
