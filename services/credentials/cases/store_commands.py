"""What `patchline case` reads and writes, as the operator's role."""

from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection

SEE_ALL_TENANTS: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(gateway.all_tenants(), ','), true)
"""


async def see_all_tenants(tx: Connection) -> None:
    """Let the operator see the rows of every client until the transaction ends."""
    await tx.execute(SEE_ALL_TENANTS)


IS_CLIENT: Final[LiteralString] = "SELECT EXISTS (SELECT FROM gateway.client WHERE name = $1)"


async def is_client(tx: Connection, name: str) -> bool:
    """Return whether there is a client of that name."""
    return bool(await tx.fetchval(IS_CLIENT, name))


CASES: Final[LiteralString] = """
    SELECT left(c.case_id::text, 8) AS case, coalesce(k.name, c.tenant_id::text) AS client, c.login, c.kind,
           c.privileged, c.decision, c.why, c.dry_run, c.exposures, c.ticket_number AS ticket, turn.step AS next,
           CASE WHEN c.closed_at IS NOT NULL THEN 'closed' WHEN turn.state = 'parked' THEN 'parked' ELSE 'open' END
               AS state,
           turn.reason AS waits_for, c.source, c.rule, c.opened_at, c.reset_at, c.closed_at, c.proof,
           c.case_id AS id
    FROM credentials.exposure_case AS c
    LEFT JOIN gateway.client AS k USING (tenant_id)
    LEFT JOIN LATERAL (
        SELECT s.step, s.state, s.reason FROM credentials.case_step AS s
        WHERE s.case_id = c.case_id AND s.state NOT IN ('done', 'passed') LIMIT 1
    ) AS turn ON true
    WHERE ($1::text IS NULL OR k.name = $1) AND ($2::text IS NULL OR c.case_id::text LIKE $2 || '%')
    ORDER BY client, c.opened_at, c.login
"""


async def cases(tx: Connection, client: str | None, begins: str | None = None) -> list[dict[str, Any]]:
    """Return the cases, of all clients or of one, or those whose id begins in this way."""
    return [dict(row) for row in await tx.fetch(CASES, client, begins)]


STEPS: Final[LiteralString] = """
    SELECT step, state, coalesce(proof, reason) AS said, attempts, due_at, done_at
    FROM credentials.case_step WHERE case_id = $1
    ORDER BY array_position(ARRAY['ticketed', 'invalidated', 'revoked', 'read_back', 'notified', 'verified', 'closed'],
                            step)
"""
EXPOSURES: Final[LiteralString] = """
    SELECT source, login, found ->> 'origin' AS origin, found ->> 'form' AS form, found ->> 'breach' AS breach,
           found ->> 'exposed_at' AS exposed_at, received_at
    FROM credentials.exposure WHERE case_id = $1 ORDER BY recorded_at, event_id
"""


async def story(tx: Connection, case: UUID) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the steps and the exposures of a case, each in their order."""
    steps = [dict(row) for row in await tx.fetch(STEPS, case)]
    return steps, [dict(row) for row in await tx.fetch(EXPOSURES, case)]


RETRY_STEP: Final[LiteralString] = """
    UPDATE credentials.case_step SET state = 'pending', due_at = $2
    WHERE state IN ('parked', 'pending') AND step <> 'ticketed' AND ($1::uuid IS NULL OR case_id = $1)
      AND ($1 IS NOT NULL OR state = 'parked')
    RETURNING left(case_id::text, 8) AS case, step, attempts, reason
"""
ASK_AGAIN: Final[LiteralString] = """
    UPDATE credentials.exposure_case SET retry_at = $2 WHERE case_id = $1 AND closed_at IS NULL AND reset_at IS NULL
"""


async def retry(tx: Connection, case: UUID | None, now: datetime) -> list[dict[str, Any]]:
    """Have what is parked tried again; one case that waits is decided again too. Return the steps."""
    if case is not None:
        await tx.execute(ASK_AGAIN, case, now)
    return [dict(row) for row in await tx.fetch(RETRY_STEP, case, now)]


TOLD: Final[LiteralString] = """
    UPDATE credentials.exposure_case SET told_by_hand = $2 WHERE case_id = $1 AND closed_at IS NULL
    RETURNING left(case_id::text, 8) AS case
"""


async def told(tx: Connection, case: UUID, how: str, now: datetime) -> list[dict[str, Any]]:
    """Note that a person told the owner of a case, and how; what waited for it goes on."""
    rows = [dict(row) for row in await tx.fetch(TOLD, case, how)]
    await tx.fetch(RETRY_STEP, case, now)
    return rows


HELD: Final[LiteralString] = """
    SELECT coalesce(k.name, e.tenant_id::text) AS client, e.source, count(*) AS exposures,
           count(DISTINCT e.identity_key) AS accounts, count(e.released_at) AS released, min(e.received_at) AS since
    FROM credentials.exposure AS e
    LEFT JOIN gateway.client AS k USING (tenant_id)
    WHERE e.case_id IS NULL AND ($1::text IS NULL OR k.name = $1)
    GROUP BY 1, 2 ORDER BY 1, 2
"""


async def held(tx: Connection, client: str | None) -> list[dict[str, Any]]:
    """Return what is held, by client and feed."""
    return [dict(row) for row in await tx.fetch(HELD, client)]


RELEASE: Final[LiteralString] = """
    WITH released AS (
        UPDATE credentials.exposure AS e SET released_at = $3
        FROM gateway.client AS k
        WHERE k.tenant_id = e.tenant_id AND k.name = $1 AND e.source = $2 AND e.case_id IS NULL
          AND e.released_at IS NULL
        RETURNING e.event_id
    )
    SELECT count(*) FROM released
"""


async def release(tx: Connection, client: str, source: str, now: datetime) -> int:
    """Have what is held of one client and feed become cases, and return how many exposures those are."""
    return int(await tx.fetchval(RELEASE, client, source, now))
