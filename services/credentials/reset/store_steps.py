"""Steps in PostgreSQL: whose turn it is, leases, and what became of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection, Pool
from contracts.events.credential import CaseStep
from services.credentials.cases.records import StepState
from services.credentials.reset.rules_steps import Due

Place = Connection | Pool
"""Where one statement can run: inside the caller's transaction, or by itself."""


class LostLease(Exception):
    """Another worker has the step now, or it was overtaken: leave it alone. No failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A step that a worker has leased. `attempts` tells this lease from every other one.

    `acted_at` is when an act of which we know nothing more may have been begun.
    """

    tenant: UUID
    case: UUID
    step: CaseStep
    attempts: int
    acted_at: datetime | None
    traceparent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One step of a case as it is kept."""

    state: StepState
    acted_at: datetime | None
    done_at: datetime | None
    proof: str | None = None


DUE: Final[LiteralString] = """
    WITH RECURSIVE tenant (tenant_id) AS (                 -- each tenant once, by hopping along the index
        (SELECT tenant_id FROM case_step WHERE state IN ('pending', 'leased', 'uncertain') ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT s.tenant_id FROM case_step AS s
                WHERE s.state IN ('pending', 'leased', 'uncertain') AND s.tenant_id > tenant.tenant_id
                ORDER BY s.tenant_id LIMIT 1)
        FROM tenant WHERE tenant.tenant_id IS NOT NULL
    )
    SELECT due.tenant_id, due.case_id, due.step
    FROM tenant
    CROSS JOIN LATERAL (
        SELECT s.tenant_id, s.case_id, s.step
        FROM case_step AS s
        WHERE s.tenant_id = tenant.tenant_id AND s.state IN ('pending', 'leased', 'uncertain') AND s.due_at <= $1
        ORDER BY s.due_at, s.case_id
        LIMIT $2
    ) AS due
"""


async def load_due(place: Place, now: datetime, *, per_tenant: int) -> list[Due]:
    """Return the steps that may be taken, of each client the longest due first."""
    rows = await place.fetch(DUE, now, per_tenant)
    return [Due(row["tenant_id"], row["case_id"], CaseStep(row["step"])) for row in rows]


LEASE: Final[LiteralString] = """
    WITH free AS (
        SELECT case_id, step FROM case_step
        WHERE (case_id, step) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))
          AND state IN ('pending', 'leased', 'uncertain') AND due_at <= $3
        ORDER BY case_id, step
        FOR UPDATE SKIP LOCKED
    )
    UPDATE case_step AS s
    SET state = 'leased', due_at = $4, attempts = s.attempts + 1
    FROM free, exposure_case AS c
    WHERE s.case_id = free.case_id AND s.step = free.step AND c.case_id = s.case_id
    RETURNING s.tenant_id, s.case_id, s.step, s.attempts, s.acted_at, c.traceparent
"""


async def lease(place: Place, due: Sequence[Due], *, now: datetime, until: datetime) -> list[Turn]:
    """Take these steps until a moment, and return those that nobody else has taken first."""
    rows = await place.fetch(LEASE, [each.case for each in due], [each.step for each in due], now, until)
    return [
        Turn(
            tenant=row["tenant_id"],
            case=row["case_id"],
            step=CaseStep(row["step"]),
            attempts=row["attempts"],
            acted_at=row["acted_at"],
            traceparent=row["traceparent"],
        )
        for row in rows
    ]


LOAD: Final[LiteralString] = """
    SELECT case_id, step, state, acted_at, done_at, proof FROM case_step
    WHERE case_id = ANY($1::uuid[]) ORDER BY case_id, step FOR UPDATE
"""


async def load_for_update(tx: Connection, cases: Collection[UUID]) -> dict[UUID, dict[CaseStep, Row]]:
    """Return by case its steps, locked. Lock the cases first."""
    found: dict[UUID, dict[CaseStep, Row]] = {case: {} for case in cases}
    for row in await tx.fetch(LOAD, sorted(set(cases))):
        state, proof = StepState(row["state"]), row["proof"]
        kept = Row(state=state, acted_at=row["acted_at"], done_at=row["done_at"], proof=proof)
        found[row["case_id"]][CaseStep(row["step"])] = kept
    return found


IS_MINE: Final[LiteralString] = """
    SELECT true FROM case_step WHERE case_id = $1 AND step = $2 AND attempts = $3 AND state = 'leased'
"""


async def still_mine(tx: Connection, turn: Turn) -> None:
    """Make sure that the lease is still ours.

    Raises:
        LostLease: it is not.
    """
    await _fenced(tx, IS_MINE, turn)


ADD: Final[LiteralString] = """
    INSERT INTO case_step (case_id, step, tenant_id, state, due_at, reason)
    SELECT case_id, step, tenant_id, 'pending', due_at, reason
    FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[])
         AS added (case_id, step, tenant_id, due_at, reason)
    ON CONFLICT (case_id, step) DO UPDATE
    SET due_at = excluded.due_at, reason = excluded.reason
    WHERE case_step.state = 'pending'
"""
Added = tuple[UUID, CaseStep, UUID, datetime, str | None]
"""Case, step, client, when it may be taken, and what it waits for."""


async def add(tx: Connection, steps: Sequence[Added]) -> None:
    """Have steps done, from a moment on; one that waits already waits until that moment."""
    if steps:
        await tx.execute(ADD, *zip(*sorted(steps, key=lambda each: each[:2]), strict=True))


DROP: Final[LiteralString] = """
    DELETE FROM case_step WHERE (case_id, step) IN (SELECT * FROM unnest($1::uuid[], $2::text[])) AND acted_at IS NULL
"""


async def drop(tx: Connection, steps: Sequence[tuple[UUID, CaseStep]]) -> None:
    """Forget steps of cases that were decided anew; one that may have been acted upon stays."""
    if steps:
        await tx.execute(DROP, *zip(*sorted(steps), strict=True))


BEGIN: Final[LiteralString] = """
    UPDATE case_step SET acted_at = $4
    WHERE case_id = $1 AND step = $2 AND attempts = $3 AND state = 'leased' AND due_at > $4
    RETURNING case_id
"""


async def begin_act(tx: Connection, turn: Turn, now: datetime) -> None:
    """Note that the act may happen from now on.

    Raises:
        LostLease: do not act.
    """
    await _fenced(tx, BEGIN, turn, now)


FORGET: Final[LiteralString] = """
    UPDATE case_step SET acted_at = $4
    WHERE case_id = $1 AND step = $2 AND attempts = $3 AND state = 'leased'
    RETURNING case_id
"""


async def forget_act(place: Place, turn: Turn, *, before: datetime | None = None) -> None:
    """Note that the act certainly did not happen; one of an earlier lease may have, at `before`.

    Raises:
        LostLease: someone else has the step.
    """
    await _fenced(place, FORGET, turn, before)


POSTPONE: Final[LiteralString] = """
    UPDATE case_step
    SET state = CASE WHEN acted_at IS NULL THEN 'pending' ELSE 'uncertain' END, due_at = $4, reason = $5
    WHERE case_id = $1 AND step = $2 AND attempts = $3 AND state = 'leased'
    RETURNING case_id
"""


async def postpone(place: Place, turn: Turn, *, until: datetime, reason: str) -> None:
    """Give the lease back.

    Raises:
        LostLease: someone else has the step.
    """
    await _fenced(place, POSTPONE, turn, until, reason)


END: Final[LiteralString] = """
    UPDATE case_step SET state = $4, reason = $5, proof = $6, done_at = $7
    WHERE case_id = $1 AND step = $2 AND attempts = $3 AND state = 'leased'
    RETURNING case_id
"""


async def finish(tx: Connection, turn: Turn, proof: str, now: datetime) -> None:
    """Note that the step is done, and what shows it.

    Raises:
        LostLease: someone else has the step; roll back.
    """
    await _fenced(tx, END, turn, StepState.DONE, None, proof, now)


async def pass_by(tx: Connection, turn: Turn, reason: str, now: datetime) -> None:
    """Note that the case goes on without the step.

    Raises:
        LostLease: someone else has the step; roll back.
    """
    await _fenced(tx, END, turn, StepState.PASSED, reason, None, now)


async def park(tx: Connection, turn: Turn, reason: str) -> None:
    """Leave the step to a person.

    Raises:
        LostLease: someone else has the step; roll back.
    """
    await _fenced(tx, END, turn, StepState.PARKED, reason, None, None)


SETTLE: Final[LiteralString] = """
    UPDATE case_step SET state = 'done', attempts = attempts + 1, reason = NULL, proof = $3, done_at = $4
    WHERE case_id = $1 AND step = $2 AND state <> 'done'
    RETURNING case_id
"""


async def settle(tx: Connection, case: UUID, step: CaseStep, *, proof: str, now: datetime) -> bool:
    """Note that a step is done, whoever has leased it: something outside has shown it. False: it was done already."""
    return await tx.fetchval(SETTLE, case, step, proof, now) is not None


HASTEN: Final[LiteralString] = """
    UPDATE case_step SET due_at = $3 WHERE case_id = ANY($1::uuid[]) AND step = $2 AND state = 'pending' AND due_at > $3
"""


async def hasten(tx: Connection, cases: Collection[UUID], step: CaseStep, now: datetime) -> None:
    """Have a step of these cases taken now, if it waits."""
    await tx.execute(HASTEN, sorted(cases), step, now)


WAVE: Final[LiteralString] = """
    SELECT count(*) AS begun, count(*) FILTER (WHERE verified.state = 'done') AS verified
    FROM case_step AS act
    LEFT JOIN case_step AS verified ON verified.case_id = act.case_id AND verified.step = 'verified'
    WHERE act.tenant_id = $1 AND act.step = 'invalidated' AND act.acted_at > $2 AND act.case_id <> $3
"""


async def wave(tx: Connection, tenant: UUID, *, since: datetime, but: UUID) -> tuple[int, int]:
    """Return how many resets of a client were begun since a moment, `but` one case's, and how many are verified."""
    [row] = await tx.fetch(WAVE, tenant, since, but)
    return row["begun"], row["verified"]


async def _fenced(place: Place, statement: str, turn: Turn, *values: object) -> None:
    if await place.fetchval(statement, turn.case, turn.step, turn.attempts, *values) is None:
        raise LostLease(f"{turn.case}/{turn.step}: the lease of attempt {turn.attempts} is over")
