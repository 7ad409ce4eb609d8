"""What was told of monitors, restarts and windows, saved with the events that tell it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.monitors.rules_monitors import Change
from services.compliance.monitors.rules_reboots import Judged
from services.compliance.monitors.rules_windows import Misses


@dataclass(frozen=True, slots=True)
class MonitorLine:
    """One change of a monitor, and the event that tells it."""

    event_id: UUID
    asset_id: UUID
    tenant_id: UUID
    change: Change
    policy: str


SAVE_STATE: Final[LiteralString] = """
    INSERT INTO monitor_state (asset_id, monitor, tenant_id, failing, why, happened_at, detected_at)
    SELECT asset_id, monitor, tenant_id, failing, why, happened_at, $7
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::boolean[], $5::text[], $6::timestamptz[])
        AS told (asset_id, monitor, tenant_id, failing, why, happened_at)
    ORDER BY asset_id, monitor
    ON CONFLICT (asset_id, monitor) DO UPDATE
    SET tenant_id = excluded.tenant_id, failing = excluded.failing, why = excluded.why,
        happened_at = excluded.happened_at, detected_at = excluded.detected_at
"""
APPEND: Final[LiteralString] = """
    INSERT INTO monitor_history (event_id, asset_id, tenant_id, monitor, failing, why, happened_at, detected_at,
                                 delay_seconds, late, policy)
    SELECT event_id, asset_id, tenant_id, monitor, failing, why, happened_at, $11, delay_seconds, late, policy
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::boolean[], $6::text[], $7::timestamptz[],
                $8::double precision[], $9::boolean[], $10::text[])
        AS told (event_id, asset_id, tenant_id, monitor, failing, why, happened_at, delay_seconds, late, policy)
    ON CONFLICT (event_id) DO NOTHING
"""


async def save_monitors(tx: Connection, lines: Sequence[MonitorLine], now: datetime) -> None:
    """Save how monitors stand, and keep what was told for ever."""
    states = [each.change.condition for each in lines]
    monitors = [each.change.monitor for each in lines]
    assets, tenants = [each.asset_id for each in lines], [each.tenant_id for each in lines]
    failing, whys = [each.failing for each in states], [each.why for each in states]
    happened_at = [each.happened_at for each in states]
    await tx.execute(SAVE_STATE, assets, monitors, tenants, failing, whys, happened_at, now)
    await tx.execute(
        APPEND,
        [each.event_id for each in lines],
        assets,
        tenants,
        monitors,
        failing,
        whys,
        happened_at,
        [each.change.delay.total_seconds() for each in lines],
        [each.change.late for each in lines],
        [each.policy for each in lines],
        now,
    )


@dataclass(frozen=True, slots=True)
class RebootLine:
    """One restart as it is judged now; `times`: how often it is told with this."""

    asset_id: UUID
    tenant_id: UUID
    judged: Judged
    policy: str
    times: int


SAVE_REBOOTS: Final[LiteralString] = """
    INSERT INTO reboot (asset_id, booted_at, tenant_id, verdict, why, deployed, rule, window_name, notified_at,
                        deferrals, consented_by, consented_at, policy, told, recorded_at)
    SELECT judged.*, $15
    FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::boolean[], $7::text[],
                $8::text[], $9::timestamptz[], $10::integer[], $11::text[], $12::timestamptz[], $13::text[],
                $14::integer[]) AS judged
    ON CONFLICT (asset_id, booted_at) DO UPDATE
    SET verdict = excluded.verdict, why = excluded.why, deployed = excluded.deployed, rule = excluded.rule,
        window_name = excluded.window_name, notified_at = excluded.notified_at, deferrals = excluded.deferrals,
        consented_by = excluded.consented_by, consented_at = excluded.consented_at, policy = excluded.policy,
        told = excluded.told, recorded_at = excluded.recorded_at
"""


async def save_reboots(tx: Connection, lines: Sequence[RebootLine], now: datetime) -> None:
    """Save restarts as they are judged."""
    rows = [(each, each.judged) for each in lines]
    await tx.execute(
        SAVE_REBOOTS,
        [each.asset_id for each, _ in rows],
        [judged.booted_at for _, judged in rows],
        [each.tenant_id for each, _ in rows],
        [judged.verdict for _, judged in rows],
        [judged.why for _, judged in rows],
        [judged.deployed for _, judged in rows],
        [judged.rule for _, judged in rows],
        [judged.window for _, judged in rows],
        [judged.notified_at for _, judged in rows],
        [judged.deferrals for _, judged in rows],
        [judged.consented_by for _, judged in rows],
        [judged.consented_at for _, judged in rows],
        [each.policy for each, _ in rows],
        [each.times for each, _ in rows],
        now,
    )


@dataclass(frozen=True, slots=True)
class MissLine:
    """How many windows one machine has missed in a row."""

    asset_id: UUID
    tenant_id: UUID
    window: str
    misses: Misses


SAVE_MISSES: Final[LiteralString] = """
    INSERT INTO window_missed (asset_id, window_name, tenant_id, misses, starts_at, ends_at, ticket)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::integer[], $5::timestamptz[], $6::timestamptz[],
                         $7::boolean[])
    ON CONFLICT (asset_id, window_name) DO UPDATE
    SET tenant_id = excluded.tenant_id, misses = excluded.misses, starts_at = excluded.starts_at,
        ends_at = excluded.ends_at, ticket = excluded.ticket
"""


async def save_misses(tx: Connection, lines: Sequence[MissLine]) -> None:
    """Save how many windows machines have missed."""
    rows = sorted(lines, key=lambda each: (each.asset_id, each.window))
    await tx.execute(
        SAVE_MISSES,
        [each.asset_id for each in rows],
        [each.window for each in rows],
        [each.tenant_id for each in rows],
        [each.misses.misses for each in rows],
        [each.misses.starts_at for each in rows],
        [each.misses.ends_at for each in rows],
        [each.misses.ticket for each in rows],
    )
