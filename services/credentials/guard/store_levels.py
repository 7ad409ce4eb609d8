"""What each case has to show, by when, and when it did."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.credential import Promise
from services.credentials.guard.policy import Levels
from services.credentials.records import Cause

LEVELS: Final[LiteralString] = """
    SELECT DISTINCT ON (tenant_id) tenant_id, document -> 'levels' AS levels
    FROM guard_document WHERE tenant_id = ANY ($1::uuid[])
    ORDER BY tenant_id, version DESC
"""


async def levels(tx: Connection, tenants: AbstractSet[UUID]) -> dict[UUID, Levels]:
    """Return what is promised to each client; what nobody described is in no answer."""
    rows = await tx.fetch(LEVELS, sorted(tenants))
    return {row["tenant_id"]: Levels.model_validate(row["levels"] or {}) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A promise as it begins. `waived_at`: it is not owed in this case, as it stands."""

    tenant: UUID
    case: UUID
    promise: Promise
    login: str
    identity: str | None
    foreign: bool
    dry_run: bool
    began_at: datetime
    due_at: datetime
    waived_at: datetime | None
    cause: Cause


BEGIN: Final[LiteralString] = """
    INSERT INTO promise (tenant_id, case_id, promise, login, identity, is_foreign, dry_run, began_at, due_at, waived_at,
                         cause_id, received_at, traceparent, correlation)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::boolean[],
                         $8::timestamptz[], $9::timestamptz[], $10::timestamptz[],
                         $11::uuid[], $12::timestamptz[], $13::text[], $14::text[])
    ON CONFLICT (tenant_id, case_id, promise) DO NOTHING
"""


async def begin(tx: Connection, owed: Sequence[Owed]) -> None:
    """Keep what is owed from now on; what is kept already stays as it is."""
    ordered = sorted(owed, key=lambda each: (each.tenant, each.case, each.promise))
    await tx.execute(
        BEGIN,
        [each.tenant for each in ordered],
        [each.case for each in ordered],
        [each.promise for each in ordered],
        [each.login for each in ordered],
        [each.identity for each in ordered],
        [each.foreign for each in ordered],
        [each.dry_run for each in ordered],
        [each.began_at for each in ordered],
        [each.due_at for each in ordered],
        [each.waived_at for each in ordered],
        [each.cause.id for each in ordered],
        [each.cause.received_at for each in ordered],
        [each.cause.traceparent for each in ordered],
        [each.cause.correlation for each in ordered],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Owing:
    """What a case owes by a new decision; the rest is waived."""

    promises: AbstractSet[Promise]
    at: datetime


WAIVE: Final[LiteralString] = """
    UPDATE promise AS p
    SET waived_at = CASE WHEN n.is_owed AND NOT p.dry_run THEN NULL ELSE coalesce(p.waived_at, n.at) END
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::boolean[], $5::timestamptz[])
        AS n (tenant_id, case_id, promise, is_owed, at)
    WHERE p.tenant_id = n.tenant_id AND p.case_id = n.case_id AND p.promise = n.promise AND p.kept_at IS NULL
      AND (p.waived_at IS NULL) <> (n.is_owed AND NOT p.dry_run)
"""


async def owe(tx: Connection, owing_by_case: Mapping[tuple[UUID, UUID], Owing]) -> None:
    """Waive what cases owe no longer, and owe again what they do; a case of a dry run owes nothing whatever happens."""
    rows = [
        (tenant, case, promise, promise in owing.promises, owing.at)
        for (tenant, case), owing in sorted(owing_by_case.items())
        for promise in sorted(Promise)
    ]
    await tx.execute(WAIVE, *(list(column) for column in zip(*rows, strict=True)))


KEEP: Final[LiteralString] = """
    UPDATE promise AS p SET kept_at = n.at
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) AS n (tenant_id, case_id, promise, at)
    WHERE p.tenant_id = n.tenant_id AND p.case_id = n.case_id AND p.promise = n.promise AND p.kept_at IS NULL
"""


async def keep(tx: Connection, kept_at: Mapping[tuple[UUID, UUID, Promise], datetime]) -> None:
    """Note when promises were kept; the first time counts."""
    rows = [(*key, at) for key, at in sorted(kept_at.items())]
    await tx.execute(KEEP, *(list(column) for column in zip(*rows, strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A promise whose moment passed without what was promised."""

    tenant: UUID
    case: UUID
    promise: Promise
    login: str
    identity: str | None
    foreign: bool
    due_at: datetime
    cause: Cause


TAKE_BROKEN: Final[LiteralString] = """
    WITH due AS (
        SELECT tenant_id, case_id, promise FROM promise
        WHERE due_at <= $1 AND kept_at IS NULL AND broken_at IS NULL AND waived_at IS NULL
        ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE promise AS p SET broken_at = $1
    FROM due WHERE p.tenant_id = due.tenant_id AND p.case_id = due.case_id AND p.promise = due.promise
    RETURNING p.tenant_id, p.case_id, p.promise, p.login, p.identity, p.is_foreign, p.due_at,
              p.cause_id, p.received_at, p.traceparent, p.correlation
"""


async def take_broken(tx: Connection, now: datetime, most: int) -> list[Broken]:
    """Return the promises whose moment passed, oldest first, as told with the caller's transaction."""
    rows = await tx.fetch(TAKE_BROKEN, now, most)
    broken = [
        Broken(
            tenant=row["tenant_id"],
            case=row["case_id"],
            promise=Promise(row["promise"]),
            login=row["login"],
            identity=row["identity"],
            foreign=row["is_foreign"],
            due_at=row["due_at"],
            cause=Cause(
                id=row["cause_id"],
                received_at=row["received_at"],
                traceparent=row["traceparent"],
                correlation=row["correlation"],
            ),
        )
        for row in rows
    ]
    return sorted(broken, key=lambda each: (each.due_at, each.tenant, each.case, each.promise))
