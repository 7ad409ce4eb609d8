"""What `patchline offboarding` reads and writes, as the operator's role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

from chassis.postgres import Connection

WHERE: Final[LiteralString] = """
    SELECT c.tenant_id, c.zone,
           (SELECT document FROM credentials.guard_document AS d
            WHERE d.tenant_id = c.tenant_id ORDER BY version DESC LIMIT 1) AS document
    FROM gateway.client AS c
    WHERE c.name = $1
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A client, its time zone, and what it allows as a document; `None`: nobody described it."""

    tenant: UUID
    zone: str
    document: dict[str, Any] | None


async def place_of(tx: Connection, client: str) -> Place | None:
    """Return the client of that name; `None`: there is none."""
    row = await tx.fetchrow(WHERE, client)
    return None if row is None else Place(row["tenant_id"], row["zone"], row["document"])


ACCOUNTS: Final[LiteralString] = """
    SELECT directory, object_id FROM credentials.login JOIN credentials.identity AS i USING (directory, object_id)
    WHERE login.tenant_id = $1 AND login.login = $2 AND i.gone_at IS NULL
    ORDER BY directory, object_id
"""


async def accounts_of(tx: Connection, tenant: UUID, login: str) -> list[tuple[str, str]]:
    """Return (directory, immutable id) of the accounts that have a login."""
    return [(row["directory"], row["object_id"]) for row in await tx.fetch(ACCOUNTS, tenant, login)]


START: Final[LiteralString] = """
    INSERT INTO credentials.offboarding
        (offboarding_id, tenant_id, login, directories, object_ids, leaves_at, started_at, started_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT DO NOTHING
    RETURNING offboarding_id
"""
LIST_ITEMS: Final[LiteralString] = """
    INSERT INTO credentials.offboarding_item (offboarding_id, number, tenant_id, item)
    SELECT $1, t.number, $2, t.item FROM unnest($3::text[]) WITH ORDINALITY AS t (item, number)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """Somebody who leaves, with the checklist as the client has it now."""

    tenant: UUID
    login: str
    accounts: Sequence[tuple[str, str]]
    leaves_at: datetime
    items: Sequence[str]


async def start(tx: Connection, leaving: Leaving, *, by: str, at: datetime) -> bool:
    """Begin an offboarding; false if one of this login is under way."""
    directories, object_ids = [each for each, _ in leaving.accounts], [each for _, each in leaving.accounts]
    number = await tx.fetchval(
        START, uuid4(), leaving.tenant, leaving.login, directories, object_ids, leaving.leaves_at, at, by
    )
    if number is not None:
        await tx.execute(LIST_ITEMS, number, leaving.tenant, list(leaving.items))
    return number is not None


DONE: Final[LiteralString] = """
    UPDATE credentials.offboarding_item AS i SET done_at = $4, done_by = $5, note = $6
    FROM credentials.offboarding AS o
    WHERE i.offboarding_id = o.offboarding_id AND o.tenant_id = $1 AND o.login = $2 AND o.called_off_at IS NULL
      AND i.number = ANY($3::integer[]) AND i.done_at IS NULL
    RETURNING i.number
"""


async def complete(  # noqa: PLR0913 - one argument per column
    tx: Connection, tenant: UUID, login: str, *, numbers: Sequence[int], by: str, at: datetime, note: str | None
) -> set[int]:
    """Say that items are done, and return the numbers of those that were not before."""
    return {row["number"] for row in await tx.fetch(DONE, tenant, login, sorted(numbers), at, by, note)}


CALL_OFF: Final[LiteralString] = """
    UPDATE credentials.offboarding SET called_off_at = $3, called_off_by = $4
    WHERE tenant_id = $1 AND login = $2 AND called_off_at IS NULL
    RETURNING true
"""


async def call_off(tx: Connection, tenant: UUID, login: str, *, by: str, at: datetime) -> bool:
    """End an offboarding without finishing it; false if none is under way."""
    return bool(await tx.fetchval(CALL_OFF, tenant, login, at, by))


LIST: Final[LiteralString] = """
    SELECT c.name AS client, o.login, o.leaves_at, done.done, done.items, done.todo,
           (SELECT count(*) FROM credentials.identity AS i
            WHERE i.gone_at IS NULL AND i.enabled AND (i.directory, i.object_id) IN
                  (SELECT l.directory, l.object_id FROM credentials.login AS l
                   WHERE l.tenant_id = o.tenant_id AND l.login = o.login
                   UNION SELECT * FROM unnest(o.directories, o.object_ids))) AS live_accounts,
           o.started_at, o.started_by, o.called_off_at, o.called_off_by
    FROM credentials.offboarding AS o
    JOIN gateway.client AS c USING (tenant_id)
    CROSS JOIN LATERAL (
        SELECT count(*) AS items, count(i.done_at) AS done,
               string_agg(i.number || ' ' || i.item, '; ' ORDER BY i.number) FILTER (WHERE i.done_at IS NULL) AS todo
        FROM credentials.offboarding_item AS i WHERE i.offboarding_id = o.offboarding_id
    ) AS done
    WHERE ($1::text IS NULL OR c.name = $1) AND ($2::boolean OR o.called_off_at IS NULL)
    ORDER BY client, o.leaves_at, o.login
"""


async def every(tx: Connection, client: str | None, *, with_called_off: bool) -> list[dict[str, Any]]:
    """Return the offboardings of one client, or of all, as the command line shows them."""
    return [dict(row) for row in await tx.fetch(LIST, client, with_called_off)]


ITEMS: Final[LiteralString] = """
    SELECT i.number, i.item, i.done_at, i.done_by, i.note
    FROM credentials.offboarding_item AS i JOIN credentials.offboarding AS o USING (offboarding_id)
    WHERE o.tenant_id = $1 AND o.login = $2 AND o.called_off_at IS NULL
    ORDER BY i.number
"""


async def items(tx: Connection, tenant: UUID, login: str) -> list[dict[str, Any]]:
    """Return the checklist of the offboarding of one login that is under way; none: there is none."""
    return [dict(row) for row in await tx.fetch(ITEMS, tenant, login)]
