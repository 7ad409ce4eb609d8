"""What `patchline exception` and `patchline control` read and write, as the operator's role."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis import commands
from chassis.postgres import Connection
from services.compliance.exceptions.records import Chapter, Request, Signoff
from services.compliance.exceptions.store_requests import request_in
from services.compliance.store_commands import see_all_tenants


@asynccontextmanager
async def operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator, for all clients."""
    async with commands.operator() as connection, connection.transaction():
        await see_all_tenants(connection)
        yield connection


CLIENT: Final[LiteralString] = "SELECT tenant_id, name, zone FROM compliance.client WHERE name = $1"


@dataclass(frozen=True, slots=True)
class Named:
    """A client as the command line names it."""

    tenant_id: UUID
    name: str
    zone: str


async def client(tx: Connection, name: str) -> Named | None:
    """Return the client of that name; `None`: there is none."""
    row = await tx.fetchrow(CLIENT, name)
    return Named(row["tenant_id"], row["name"], row["zone"]) if row else None


MACHINES: Final[LiteralString] = """
    SELECT asset_id, coalesce(hostname, asset_id::text) AS name FROM compliance.asset
    WHERE tenant_id = $1 AND (lower(hostname) = ANY($2::text[]) OR asset_id::text = ANY($2::text[]))
    ORDER BY name, asset_id
"""


async def machines(tx: Connection, tenant_id: UUID, names: Sequence[str]) -> dict[UUID, str]:
    """Return the client's machines of these hostnames or ids, with a name each."""
    rows = await tx.fetch(MACHINES, tenant_id, [each.lower() for each in names])
    return {row["asset_id"]: row["name"] for row in rows}


REQUIREMENT: Final[LiteralString] = """
    SELECT requirement_id, product, train FROM compliance.catalog_requirement
    WHERE version = (SELECT max(version) FROM compliance.catalog_version)
      AND (requirement_id::text = $1 OR (lower(product) = lower($1) AND lower(train) = lower($2)))
"""


async def requirement(tx: Connection, product: str, train: str) -> tuple[UUID, str] | None:
    """Return the requirement of a product and train (or of an id), with its words; `None`: the catalog has none."""
    row = await tx.fetchrow(REQUIREMENT, product, train)
    return (row["requirement_id"], f"{row['product']}, {row['train']}") if row else None


ASK: Final[LiteralString] = """
    INSERT INTO compliance.exception_request
        (exception_id, tenant_id, lane, requirement_id, title, asset_ids, machines, reason, controls, valid_from, until,
         renews, renewal, requested_at, requested_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
    ON CONFLICT DO NOTHING
"""


async def ask(tx: Connection, request: Request) -> None:
    """Keep a request; the service looks at it within a second."""
    await tx.execute(
        ASK,
        request.id,
        request.tenant_id,
        request.lane,
        request.requirement_id,
        request.title,
        None if request.asset_ids is None else sorted(request.asset_ids),
        list(request.machines),
        request.reason,
        [{"kind": each.kind.value, "text": each.text} for each in request.controls],
        request.valid_from,
        request.until,
        request.renews,
        request.renewal,
        request.requested_at,
        request.requested_by,
    )


FIND: Final[LiteralString] = """
    SELECT q.exception_id, q.tenant_id, q.lane, q.requirement_id, q.title, q.asset_ids, q.machines, q.reason,
           q.controls, q.valid_from, q.until, q.renews, q.renewal, q.requested_at, q.requested_by,
           coalesce(c.name, q.tenant_id::text) AS client, t.ticket,
           e.valid_from AS holds_from, r.revoked_at, k.name AS owner, e.signed_at, e.statement,
           e.signature, k.public_key
    FROM compliance.exception_request AS q
    LEFT JOIN compliance.client AS c USING (tenant_id)
    LEFT JOIN compliance.exception_ticket AS t USING (exception_id)
    LEFT JOIN compliance.exception AS e USING (exception_id)
    LEFT JOIN compliance.exception_revocation AS r USING (exception_id)
    LEFT JOIN compliance.owner_key AS k ON (k.tenant_id, k.approver_id) = (e.tenant_id, e.approver_id)
    WHERE ($1::text IS NULL OR q.exception_id::text LIKE $1 || '%') AND ($2::text IS NULL OR c.name = $2)
    ORDER BY client, q.until, q.exception_id
"""
CHAPTERS: Final[LiteralString] = """
    SELECT exception_id, chapter, at, recorded_at, why FROM compliance.exception_chapter
    WHERE exception_id = ANY($1::uuid[]) ORDER BY at, recorded_at, chapter
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the story of a request."""

    chapter: Chapter
    at: datetime
    recorded_at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A request with all that became of it. `holds_from` `None`: nobody signed it."""

    request: Request
    client: str
    ticket: str | None
    holds_from: datetime | None
    revoked_at: datetime | None
    owner: str | None
    signed_at: datetime | None
    statement: str | None
    signature: bytes | None
    public_key: bytes | None
    story: tuple[Line, ...]


async def filed(tx: Connection, *, prefix: str | None = None, client_name: str | None = None) -> list[Filed]:
    """Return the requests whose id begins so, of one client or of all, those that end first in front."""
    rows = await tx.fetch(FIND, prefix, client_name)
    stories: dict[UUID, list[Line]] = {}
    for row in await tx.fetch(CHAPTERS, [row["exception_id"] for row in rows]):
        line = Line(chapter=Chapter(row["chapter"]), at=row["at"], recorded_at=row["recorded_at"], why=row["why"])
        stories.setdefault(row["exception_id"], []).append(line)
    return [_filed(row, stories.get(row["exception_id"], [])) for row in rows]


def _filed(row: asyncpg.Record, story: Sequence[Line]) -> Filed:
    return Filed(
        request=request_in(row),
        client=row["client"],
        ticket=row["ticket"],
        holds_from=row["holds_from"],
        revoked_at=row["revoked_at"],
        owner=row["owner"],
        signed_at=row["signed_at"],
        statement=row["statement"],
        signature=row["signature"],
        public_key=row["public_key"],
        story=tuple(story),
    )


BRING: Final[LiteralString] = """
    INSERT INTO compliance.exception_signoff
        (signoff_id, exception_id, tenant_id, statement, signature, brought_at, brought_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT DO NOTHING
"""
ANSWERED: Final[LiteralString] = """
    SELECT state, answer FROM compliance.exception_signoff WHERE signoff_id = $1 AND state <> 'pending'
"""


async def bring(tx: Connection, signoff: Signoff, *, by: str) -> None:
    """Hand over what an owner signed; the service checks it. Bringing the same again changes nothing."""
    await tx.execute(
        BRING,
        signoff.id,
        signoff.exception_id,
        signoff.tenant_id,
        signoff.statement,
        signoff.signature,
        signoff.brought_at,
        by,
    )


async def answered(tx: Connection, signoff_id: UUID) -> tuple[bool, str | None] | None:
    """Return whether it was counted, and why not; `None`: nobody looked at it yet."""
    row = await tx.fetchrow(ANSWERED, signoff_id)
    return None if row is None else (row["state"] == "counted", row["answer"])


REVOKE: Final[LiteralString] = """
    INSERT INTO compliance.exception_revocation (exception_id, tenant_id, why, revoked_at, revoked_by)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING
"""


async def revoke(tx: Connection, request: Request, *, why: str, at: datetime, by: str) -> None:
    """Take a granted exception back, from this transaction's end on."""
    await tx.execute(REVOKE, request.id, request.tenant_id, why, at, by)
