"""Cases in PostgreSQL: loaded for one client's identities at a time, saved whole."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from chassis.postgres import Connection
from contracts.events.credential import AccountKind, Decision
from contracts.events.exposure import ExposureFound
from services.credentials.cases.records import Case, Evidence, Rule, Sighting, Strength, Verdict
from services.credentials.cases.rules_fold import Known
from services.credentials.records import Cause

Key = tuple[UUID, str]
"""A client and one of its identities."""

_FOUND: Final = TypeAdapter(ExposureFound)

LOCK: Final[LiteralString] = """
    SELECT pg_advisory_xact_lock(7283645, hashtext(tenant::text))
    FROM (SELECT tenant FROM unnest($1::uuid[]) AS tenant ORDER BY tenant) AS ordered
"""


async def lock_clients(tx: Connection, tenants: Collection[UUID]) -> None:
    """Let nobody else open cases of these clients until the transaction ends."""
    await tx.execute(LOCK, sorted(set(tenants)))


LOAD: Final[LiteralString] = """
    SELECT c.case_id, c.tenant_id, c.identity_key, c.number, c.login, c.directory, c.object_id, c.kind, c.privileged,
           c.strength, c.evidence_at, c.session, c.decision, c.rule, c.why, c.dry_run, c.approved, c.turned_down,
           c.failed, c.retry_at, c.told_by_hand, c.feed, c.source, c.breach, c.exposures, c.ticket_key,
           c.ticket_number, c.ticket_closed_at, c.password_before, c.password_after, c.reset_at, c.proof, c.cause_id,
           c.occurred_at, c.received_at, c.traceparent, c.correlation, c.opened_at, c.closed_at
    FROM exposure_case AS c
    WHERE c.case_id = ANY($1::uuid[])
    ORDER BY c.case_id
    FOR UPDATE
"""


async def load_for_update(tx: Connection, cases: Collection[UUID]) -> dict[UUID, Case]:
    """Return these cases by id, locked; one that is not there is not in the answer."""
    return {row["case_id"]: _case(row) for row in await tx.fetch(LOAD, sorted(set(cases)))}


KNOWN_CASES: Final[LiteralString] = """
    SELECT c.case_id, c.tenant_id, c.identity_key, c.number
    FROM exposure_case AS c
    JOIN unnest($1::uuid[], $2::text[]) AS wanted (tenant, key) ON c.tenant_id = wanted.tenant AND c.identity_key = key
"""
KNOWN_EXPOSURES: Final[LiteralString] = """
    SELECT e.tenant_id, e.identity_key, c.number, e.found
    FROM exposure AS e
    JOIN exposure_case AS c USING (case_id)
    JOIN unnest($1::uuid[], $2::text[]) AS wanted (tenant, key) ON e.tenant_id = wanted.tenant AND e.identity_key = key
    ORDER BY e.tenant_id, e.identity_key, c.number, e.recorded_at, e.event_id
"""


async def load_known(tx: Connection, keys: Collection[Key]) -> dict[Key, tuple[dict[int, Case], Known]]:
    """Return of each identity its cases by number, locked, and what is known of it. Lock the clients first."""
    ordered = sorted(set(keys))
    columns = [tenant for tenant, _ in ordered], [key for _, key in ordered]
    places = {row["case_id"]: row for row in await tx.fetch(KNOWN_CASES, *columns)}
    cases: dict[Key, dict[int, Case]] = {key: {} for key in ordered}
    for case in (await load_for_update(tx, places)).values():
        cases[case.tenant, case.key][case.number] = case
    exposures: dict[Key, list[tuple[int, ExposureFound]]] = {key: [] for key in ordered}
    for row in await tx.fetch(KNOWN_EXPOSURES, *columns):
        found = _FOUND.validate_python(row["found"])
        exposures[row["tenant_id"], row["identity_key"]].append((row["number"], found))
    return {
        key: (mine, Known(newest=mine[max(mine)] if mine else None, exposures=tuple(exposures[key])))
        for key, mine in cases.items()
    }


SAVE: Final[LiteralString] = """
    INSERT INTO exposure_case AS c (
        case_id, tenant_id, identity_key, number, login, directory, object_id, kind, privileged, strength,
        evidence_at, session, decision, rule, why, dry_run, approved, turned_down, failed, retry_at, feed, source,
        breach, exposures, ticket_key, ticket_number, ticket_closed_at, password_before, password_after, reset_at,
        proof, cause_id, occurred_at, received_at, traceparent, correlation, opened_at, closed_at
    )
    SELECT * FROM unnest(
        $1::uuid[], $2::uuid[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::boolean[], $10::text[], $11::timestamptz[], $12::boolean[], $13::text[], $14::text[], $15::text[],
        $16::boolean[], $17::boolean[], $18::boolean[], $19::text[], $20::timestamptz[], $21::text[], $22::text[],
        $23::text[], $24::integer[], $25::text[], $26::text[], $27::timestamptz[], $28::timestamptz[],
        $29::timestamptz[], $30::timestamptz[], $31::text[], $32::uuid[], $33::timestamptz[], $34::timestamptz[],
        $35::text[], $36::text[], $37::timestamptz[], $38::timestamptz[]
    )
    ON CONFLICT (case_id) DO UPDATE
    SET kind = excluded.kind, privileged = excluded.privileged, strength = excluded.strength, evidence_at =
        excluded.evidence_at, session = excluded.session, decision = excluded.decision, rule = excluded.rule, why =
        excluded.why, dry_run = excluded.dry_run, approved = excluded.approved, turned_down = excluded.turned_down,
        failed = excluded.failed, retry_at = excluded.retry_at, exposures = excluded.exposures, ticket_key =
        excluded.ticket_key, ticket_number = excluded.ticket_number, ticket_closed_at = excluded.ticket_closed_at,
        password_before = excluded.password_before, password_after = excluded.password_after, reset_at =
        excluded.reset_at, proof = excluded.proof, closed_at = excluded.closed_at
"""


async def save(tx: Connection, cases: Iterable[Case]) -> None:
    """Save cases as they are now; of what is there already, only what can change. Lock them first."""
    rows = [_row(case) for case in sorted(cases, key=lambda case: case.id)]
    if rows:
        await tx.execute(SAVE, *zip(*rows, strict=True))


KEEP_EXPOSURES: Final[LiteralString] = """
    INSERT INTO exposure (event_id, identity_key, tenant_id, case_id, login, source, found, occurred_at, received_at,
                          recorded_at)
    SELECT *, $10::timestamptz
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::jsonb[],
                $8::timestamptz[], $9::timestamptz[])
    ON CONFLICT (event_id) DO UPDATE SET case_id = excluded.case_id, identity_key = excluded.identity_key
    WHERE exposure.case_id IS NULL
"""


async def keep_exposures(
    tx: Connection, placed: Sequence[tuple[Sighting, str, UUID | None]], recorded_at: datetime
) -> None:
    """Keep exposures, each with its identity's key and its case; `None`: it is held, and has no case yet."""
    rows = [
        (
            each.cause.id,
            key,
            each.tenant,
            case,
            each.found.login,
            each.source,
            each.found.model_dump(mode="json", exclude_none=True),
            each.occurred_at,
            each.cause.received_at,
        )
        for each, key, case in sorted(placed, key=lambda item: item[0].cause.id)
    ]
    if rows:
        await tx.execute(KEEP_EXPOSURES, *zip(*rows, strict=True), recorded_at)


EXPOSURES: Final[LiteralString] = """
    SELECT found FROM exposure WHERE case_id = $1 ORDER BY recorded_at, event_id
"""


async def load_exposures(tx: Connection, case: UUID) -> list[ExposureFound]:
    """Return what feeds said that belongs to a case, in the order in which it arrived."""
    return [_FOUND.validate_python(row["found"]) for row in await tx.fetch(EXPOSURES, case)]


OUT_OF_REACH: Final[LiteralString] = """
    SELECT DISTINCT c.directory, c.object_id
    FROM exposure_case AS c
    JOIN case_step AS act ON act.case_id = c.case_id AND act.step = 'invalidated' AND act.acted_at IS NOT NULL
    LEFT JOIN identity AS i ON i.directory = c.directory AND i.object_id = c.object_id
    WHERE c.tenant_id = $1 AND c.privileged
      AND coalesce((i.account ->> 'password_changed_at')::timestamptz <= coalesce(c.password_after, 'infinity'), true)
"""


async def out_of_reach(tx: Connection, tenant: UUID) -> set[tuple[str, str]]:
    """Return the accounts with power whose password we made invalid, or may have, and that have not come back since.

    Who came back has changed the password themselves: the directory shows a change later than the one read back. Both
    are moments of its own clock.
    """
    return {(row["directory"], row["object_id"]) for row in await tx.fetch(OUT_OF_REACH, tenant)}


def _row(case: Case) -> tuple[object, ...]:
    return (
        case.id,
        case.tenant,
        case.key,
        case.number,
        case.login,
        case.directory,
        case.object_id,
        case.kind,
        case.privileged,
        *(case.evidence.strength, case.evidence.at, case.evidence.session),
        *(case.verdict.decision, case.verdict.rule, case.verdict.why),
        case.dry_run,
        case.approved,
        case.turned_down,
        case.failed,
        case.retry_at,
        case.feed,
        case.source,
        case.breach,
        case.exposures,
        case.ticket_key,
        case.ticket_number,
        case.ticket_closed_at,
        case.password_before,
        case.password_after,
        case.reset_at,
        case.proof,
        case.cause.id,
        case.occurred_at,
        case.cause.received_at,
        case.cause.traceparent,
        case.cause.correlation,
        case.opened_at,
        case.closed_at,
    )


def _case(row: asyncpg.Record) -> Case:
    return Case(
        id=row["case_id"],
        tenant=row["tenant_id"],
        key=row["identity_key"],
        number=row["number"],
        login=row["login"],
        directory=row["directory"],
        object_id=row["object_id"],
        kind=AccountKind(row["kind"]),
        privileged=row["privileged"],
        evidence=Evidence(strength=Strength(row["strength"]), at=row["evidence_at"], session=row["session"]),
        verdict=Verdict(decision=Decision(row["decision"]), rule=Rule(row["rule"]), why=row["why"]),
        dry_run=row["dry_run"],
        feed=row["feed"],
        source=row["source"],
        breach=row["breach"],
        cause=Cause(
            id=row["cause_id"],
            received_at=row["received_at"],
            traceparent=row["traceparent"],
            correlation=row["correlation"],
        ),
        occurred_at=row["occurred_at"],
        opened_at=row["opened_at"],
        exposures=row["exposures"],
        approved=row["approved"],
        turned_down=row["turned_down"],
        failed=row["failed"],
        retry_at=row["retry_at"],
        told_by_hand=row["told_by_hand"],
        ticket_key=row["ticket_key"],
        ticket_number=row["ticket_number"],
        ticket_closed_at=row["ticket_closed_at"],
        password_before=row["password_before"],
        password_after=row["password_after"],
        reset_at=row["reset_at"],
        closed_at=row["closed_at"],
        proof=row["proof"],
    )
