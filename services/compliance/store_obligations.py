"""Obligations, their history and witnesses, and failures that no catalog knows."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg
from pydantic_core import from_json, to_json

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import State
from services.compliance.policy import ProofClass
from services.compliance.rules_cause import Part
from services.compliance.rules_known import Heard, Transition
from services.compliance.rules_rows import Obligation
from services.compliance.rules_uncatalogued import Failing
from services.compliance.rules_views import Saying

OF_ASSETS: Final[LiteralString] = """
    SELECT asset_id, requirement_id, tenant_id, product, train, os_family, tier, severity, state, why, since_at,
           release, clock_started_at, due_at, next_change_at, verified_at, failures, code, moments::text, rule, proof,
           breached_at
    FROM obligation
    WHERE asset_id = ANY($1::uuid[])
"""
OF_PARTS: Final[LiteralString] = """
    SELECT asset_id, requirement_id, tenant_id, product, train, os_family, tier, severity, state, why, since_at,
           release, clock_started_at, due_at, next_change_at, verified_at, failures, code, moments::text, rule, proof,
           breached_at
    FROM obligation
    WHERE (asset_id, requirement_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""


async def load(tx: Connection, asset_ids: Collection[UUID], parts: Collection[Part]) -> list[Obligation]:
    """Return all obligations of these assets, and these single ones. The assets are locked."""
    rows = await tx.fetch(OF_ASSETS, list(asset_ids)) if asset_ids else []
    if parts:
        rows += await tx.fetch(OF_PARTS, [asset for asset, _ in parts], [requirement for _, requirement in parts])
    return [_obligation(row) for row in rows]


_MOMENTS: Final = Obligation._fields.index("moments")
_PROOF: Final = Obligation._fields.index("proof")
_WORDS: Final = [
    (Obligation._fields.index(name), {each.value: each for each in kind})
    for name, kind in (("os_family", OsFamily), ("tier", Tier), ("severity", Severity), ("state", State))
]


def _obligation(row: asyncpg.Record) -> Obligation:
    """Return a row as it was selected: its columns are in the order of the fields."""
    values = list(row)
    for place, known in _WORDS:
        values[place] = known[values[place]]
    values[_MOMENTS] = from_json(values[_MOMENTS])
    values[_PROOF] = ProofClass(values[_PROOF]) if values[_PROOF] else None
    return Obligation._make(values)


SAVE: Final[LiteralString] = """
    INSERT INTO obligation (asset_id, requirement_id, tenant_id, product, train, os_family, tier, severity, state, why,
                            since_at, release, clock_started_at, due_at, next_change_at, verified_at, failures, code,
                            moments, rule, proof, breached_at)
    SELECT asset_id, requirement_id, tenant_id, product, train, os_family, tier, severity, state, why, since_at,
           release, clock_started_at, due_at, next_change_at, verified_at, failures, code, moments::jsonb, rule, proof,
           breached_at
    FROM unnest($1::obligation_row[]) AS decided
    ON CONFLICT (asset_id, requirement_id) DO UPDATE
    SET tenant_id = excluded.tenant_id, os_family = excluded.os_family, tier = excluded.tier,
        severity = excluded.severity, state = excluded.state, why = excluded.why, since_at = excluded.since_at,
        release = excluded.release, clock_started_at = excluded.clock_started_at, due_at = excluded.due_at,
        next_change_at = excluded.next_change_at, verified_at = excluded.verified_at, failures = excluded.failures,
        code = excluded.code, moments = excluded.moments, rule = excluded.rule, proof = excluded.proof,
        breached_at = excluded.breached_at
"""


async def save(tx: Connection, obligations: Sequence[Obligation]) -> None:
    """Save obligations of locked assets."""
    await tx.execute(SAVE, [_row(each) for each in sorted(obligations, key=_key)])


def _row(each: Obligation) -> tuple[object, ...]:
    return *each[:_MOMENTS], to_json(each.moments).decode(), *each[_MOMENTS + 1 :]


def _key(each: Obligation) -> Part:
    return each.asset_id, each.requirement_id


WITHDRAW: Final[LiteralString] = """
    DELETE FROM obligation
    WHERE (asset_id, requirement_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""


async def withdraw(tx: Connection, obligations: Sequence[Obligation]) -> None:
    """Let go of obligations that nothing makes any more; their history stays."""
    await tx.execute(WITHDRAW, [each.asset_id for each in obligations], [each.requirement_id for each in obligations])


APPEND: Final[LiteralString] = """
    INSERT INTO obligation_history (event_id, asset_id, requirement_id, tenant_id, before, state, why, release,
                                    severity, due_at, failures, occurred_at, caused_by, policy, rule, proof,
                                    recorded_at, catalog)
    SELECT changed.*, $2, $3
    FROM unnest($1::transition_row[]) AS changed
    ON CONFLICT (event_id) DO NOTHING
"""


async def append(tx: Connection, transitions: Sequence[Transition], *, recorded_at: datetime, catalog: int) -> None:
    """Keep what changed: when it was so, when we knew, and by which catalog and policy it was judged."""
    await tx.execute(APPEND, [_line(each) for each in transitions], recorded_at, catalog)


def _line(each: Transition) -> tuple[object, ...]:
    after = each.after
    return (
        each.told.id,
        after.asset_id,
        after.requirement_id,
        each.told.tenant,
        each.before,
        after.state,
        after.why,
        after.release,
        after.severity,
        after.due_at,
        after.failures,
        after.since_at,
        each.caused_by,
        each.policy,
        after.rule,
        after.proof,
    )


KEEP_WITNESSES: Final[LiteralString] = """
    INSERT INTO witness (asset_id, requirement_id, event_id, saw, tenant_id, source, method, at)
    SELECT * FROM unnest($1::witness_row[])
    ON CONFLICT (asset_id, requirement_id, event_id, saw) DO NOTHING
"""


async def keep_witnesses(tx: Connection, witnesses: Iterable[Heard]) -> None:
    """Keep who said what about which obligation, once each."""
    rows = [_witness(each.obligation, each.saying) for each in witnesses]
    await tx.execute(KEEP_WITNESSES, sorted(rows, key=_witness_key))


def _witness(obligation: Obligation, saying: Saying) -> tuple[object, ...]:
    return (
        obligation.asset_id,
        obligation.requirement_id,
        saying.event,
        saying.saw,
        obligation.tenant_id,
        saying.source,
        saying.method,
        saying.at,
    )


def _witness_key(row: tuple[object, ...]) -> tuple[object, ...]:
    return row[:4]


FAILING_OF_ASSETS: Final[LiteralString] = """
    SELECT asset_id, patch_id, tenant_id, patch, kb, product, failing, failures, requirement_id
    FROM uncatalogued_failure
    WHERE asset_id = ANY($1::uuid[])
"""
FAILING_OF_PARTS: Final[LiteralString] = """
    SELECT asset_id, patch_id, tenant_id, patch, kb, product, failing, failures, requirement_id
    FROM uncatalogued_failure
    WHERE (asset_id, patch_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""


async def load_failing(tx: Connection, asset_ids: Collection[UUID], parts: Collection[Part]) -> list[Failing]:
    """Return what was told of uncatalogued failures of these assets, and of these single ones."""
    rows = await tx.fetch(FAILING_OF_ASSETS, list(asset_ids)) if asset_ids else []
    if parts:
        rows += await tx.fetch(FAILING_OF_PARTS, [asset for asset, _ in parts], [patch for _, patch in parts])
    return [Failing(**dict(row)) for row in rows]


SAVE_FAILING: Final[LiteralString] = """
    INSERT INTO uncatalogued_failure (asset_id, patch_id, tenant_id, patch, kb, product, failing, failures,
                                      requirement_id)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::boolean[],
                         $8::integer[], $9::uuid[])
    ON CONFLICT (asset_id, patch_id) DO UPDATE
    SET tenant_id = excluded.tenant_id, failing = excluded.failing, failures = excluded.failures,
        requirement_id = excluded.requirement_id
"""


async def save_failing(tx: Connection, failing: Sequence[Failing]) -> None:
    """Save what is told of uncatalogued failures."""
    rows = sorted(failing, key=lambda each: (each.asset_id, each.patch_id))
    await tx.execute(
        SAVE_FAILING,
        [each.asset_id for each in rows],
        [each.patch_id for each in rows],
        [each.tenant_id for each in rows],
        [each.patch for each in rows],
        [each.kb for each in rows],
        [each.product for each in rows],
        [each.failing for each in rows],
        [each.failures for each in rows],
        [each.requirement_id for each in rows],
    )
