"""Decisions, overrides, and what was seen of each client when it was last looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.event import Tier
from contracts.events.obligation import OUTSIDE_POPULATION, State
from services.compliance.priority.rules_needs import Group, Key
from services.compliance.priority.rules_priority import Judged, Override

OPEN: Final = sorted(state.value for state in State if state not in OUTSIDE_POPULATION and state is not State.VERIFIED)
"""States in which there is something to be done, an exception among them: the risk is there."""

CLIENTS: Final[LiteralString] = """
    SELECT client.tenant_id, mark.looked_at, mark.inputs, mark.next_at,
           EXISTS (SELECT FROM priority_retagged AS r WHERE r.tenant_id = client.tenant_id) AS is_retagged,
           mark.figures_at AS figures_seen,
           (SELECT max(as_of) FROM figure WHERE figure.tenant_id = client.tenant_id) AS figures_now,
           mark.overrides AS overrides_seen,
           (SELECT max(number) FROM priority_override AS o WHERE o.tenant_id = client.tenant_id) AS overrides_now,
           mark.records AS records_seen,
           (SELECT max(number) FROM triage_record AS r WHERE r.tenant_id = client.tenant_id) AS records_now
    FROM client LEFT JOIN priority_mark AS mark USING (tenant_id)
    ORDER BY mark.looked_at NULLS FIRST, client.tenant_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What there is of a client's news, to be compared with what was seen when it was last looked at."""

    figures_at: datetime | None = None
    overrides: int = 0
    records: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client, what there is, and what was seen of it at `looked_at`; `None`: never looked at.

    `is_retagged`: machines of its belong to another class since.
    """

    tenant_id: UUID
    looked_at: datetime | None
    inputs: str | None
    next_at: datetime | None
    is_retagged: bool
    seen: Seen
    now: Seen


async def clients(tx: Connection) -> list[Client]:
    """Return every client, the one that was not looked at for longest first."""
    return [
        Client(
            tenant_id=row["tenant_id"],
            looked_at=row["looked_at"],
            inputs=row["inputs"],
            next_at=row["next_at"],
            is_retagged=row["is_retagged"],
            seen=Seen(
                figures_at=row["figures_seen"], overrides=row["overrides_seen"] or 0, records=row["records_seen"] or 0
            ),
            now=Seen(
                figures_at=row["figures_now"], overrides=row["overrides_now"] or 0, records=row["records_now"] or 0
            ),
        )
        for row in await tx.fetch(CLIENTS)
    ]


CLAIM: Final[LiteralString] = (
    "SELECT pg_try_advisory_xact_lock(hashtextextended('compliance.priority/' || $1::text, 0))"
)
TAKE_RETAGGED: Final[LiteralString] = "DELETE FROM priority_retagged WHERE tenant_id = $1"
MARK: Final[LiteralString] = """
    INSERT INTO priority_mark (tenant_id, looked_at, figures_at, inputs, overrides, records, next_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (tenant_id) DO UPDATE
    SET looked_at = excluded.looked_at, figures_at = excluded.figures_at, inputs = excluded.inputs,
        overrides = excluded.overrides, records = excluded.records, next_at = excluded.next_at
"""


async def claim(tx: Connection, tenant: UUID) -> bool:
    """Return whether this transaction alone looks at a client; tags that change from now on are looked at next time."""
    if not await tx.fetchval(CLAIM, str(tenant)):
        return False
    await tx.execute(TAKE_RETAGGED, tenant)
    return True


async def mark(tx: Connection, client: Client, *, inputs: str, at: datetime, next_at: datetime | None) -> None:
    """Keep what was seen of a client."""
    now = client.now
    await tx.execute(MARK, client.tenant_id, at, now.figures_at, inputs, now.overrides, now.records, next_at)


GROUPS: Final[LiteralString] = """
    SELECT owed.requirement_id, owed.release, owed.tier, asset.tags, asset.ephi,
           min(owed.clock_started_at) AS since, count(*)::integer AS open
    FROM obligation AS owed JOIN asset USING (asset_id)
    WHERE owed.tenant_id = $1 AND owed.state = ANY($2::text[]) AND owed.release IS NOT NULL
    GROUP BY owed.requirement_id, owed.release, owed.tier, asset.tags, asset.ephi
    ORDER BY owed.requirement_id, owed.release, owed.tier
"""


async def groups(tx: Connection, tenant: UUID) -> list[Group]:
    """Return what a client's machines lack."""
    return [
        Group(
            requirement_id=row["requirement_id"],
            release=row["release"],
            tier=Tier(row["tier"]),
            tags=tuple(row["tags"]),
            ephi=row["ephi"],
            since=row["since"],
            open=row["open"],
        )
        for row in await tx.fetch(GROUPS, tenant, OPEN)
    ]


OVERRIDES: Final[LiteralString] = """
    SELECT override_id AS id, requirement_id, machines, table_id AS table, outcome, reason, said_by AS by, valid_from,
           until, recorded_at
    FROM priority_override WHERE tenant_id = $1 AND until > $2
"""


async def overrides(tx: Connection, tenant: UUID, now: datetime) -> list[Override]:
    """Return a client's overrides that hold or will hold."""
    return [Override(**dict(row)) for row in await tx.fetch(OVERRIDES, tenant, now)]


STANDING: Final[LiteralString] = """
    SELECT requirement_id, release, machines, digest, outcome, open FROM priority_standing WHERE tenant_id = $1
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """The last decision of one key, as far as it says whether there is news."""

    digest: str
    outcome: str
    open: int


async def standing(tx: Connection, tenant: UUID) -> dict[Key, Standing]:
    """Return the last decision of each key of a client."""
    return {
        (row["requirement_id"], row["release"], row["machines"]): Standing(row["digest"], row["outcome"], row["open"])
        for row in await tx.fetch(STANDING, tenant)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision as it is logged: its id is that of the event in which it is told."""

    id: UUID
    tenant_id: UUID
    judged: Judged
    before: str | None
    catalog: str
    at: datetime

    @property
    def key(self) -> Key:
        """Return what it is about."""
        return self.judged.requirement_id, self.judged.release, self.judged.machines.key


LOG: Final[LiteralString] = """
    INSERT INTO priority_decision (decision_id, tenant_id, requirement_id, product, train, release, severity, machines,
                                   class, inputs, table_id, verdict, also, outcome, before, override, decided_by,
                                   policy, catalog, digest, decided_at)
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                         $9::jsonb[], $10::jsonb[], $11::text[], $12::jsonb[], $13::jsonb[], $14::text[], $15::text[],
                         $16::jsonb[], $17::text[], $18::text[], $19::text[], $20::text[], $21::timestamptz[])
    ON CONFLICT (decision_id) DO NOTHING
"""


async def log(tx: Connection, decided: Sequence[Decided]) -> None:
    """Add decisions to the log."""
    rows = sorted(decided, key=lambda each: each.id)
    await tx.execute(
        LOG,
        [each.id for each in rows],
        [each.tenant_id for each in rows],
        [each.judged.requirement_id for each in rows],
        [each.judged.product for each in rows],
        [each.judged.train for each in rows],
        [each.judged.release for each in rows],
        [each.judged.severity.value for each in rows],
        [each.judged.machines.key for each in rows],
        [asdict(each.judged.machines) for each in rows],
        [written(asdict(each.judged.risk)) for each in rows],
        [each.judged.verdict.table for each in rows],
        [asdict(each.judged.verdict) for each in rows],
        [{also.table: asdict(also) for also in each.judged.also} for each in rows],
        [each.judged.outcome for each in rows],
        [each.before for each in rows],
        [_override(each.judged.override) for each in rows],
        [each.judged.decided_by for each in rows],
        [each.judged.policy for each in rows],
        [each.catalog for each in rows],
        [each.judged.digest for each in rows],
        [each.at for each in rows],
    )


def written(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as JSON takes them: moments in ISO 8601."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def _override(override: Override | None) -> dict[str, Any] | None:
    if override is None:
        return None
    told = written(asdict(override))
    return told | {"id": str(override.id), "requirement_id": str(override.requirement_id)}


SAVE: Final[LiteralString] = """
    INSERT INTO priority_standing (tenant_id, requirement_id, release, machines, decision_id, digest, outcome, open)
    SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::integer[])
    ON CONFLICT (tenant_id, requirement_id, release, machines) DO UPDATE
    SET decision_id = excluded.decision_id, digest = excluded.digest, outcome = excluded.outcome, open = excluded.open
"""
COUNT: Final[LiteralString] = """
    UPDATE priority_standing AS kept SET open = new.open
    FROM unnest($2::uuid[], $3::text[], $4::text[], $5::integer[]) AS new (requirement_id, release, machines, open)
    WHERE kept.tenant_id = $1 AND kept.requirement_id = new.requirement_id AND kept.release = new.release
      AND kept.machines = new.machines
"""


async def save(tx: Connection, tenant: UUID, decided: Sequence[Decided], open_by_key: Mapping[Key, int]) -> None:
    """Keep new decisions as the last ones; `open_by_key` has how many machines each is open on, where that changed."""
    new = sorted(decided, key=lambda each: each.key)
    if new:
        await tx.execute(
            SAVE,
            tenant,
            *_columns([each.key for each in new]),
            [each.id for each in new],
            [each.judged.digest for each in new],
            [each.judged.outcome for each in new],
            [open_by_key[each.key] for each in new],
        )
    counted = sorted(open_by_key.keys() - {each.key for each in new})
    if counted:
        await tx.execute(COUNT, tenant, *_columns(counted), [open_by_key[key] for key in counted])


def _columns(keys: Sequence[Key]) -> tuple[list[UUID], list[str], list[str]]:
    return [key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]
