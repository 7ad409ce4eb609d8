"""What `patchline audit export|verify` reads, as the operator's role."""

from collections.abc import AsyncIterator
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.credentials.audit.chain import Head

SEE_ALL_TENANTS: Final[LiteralString] = """
    SELECT set_config('patchline.tenants', array_to_string(
        gateway.all_tenants() || '00000000-0000-0000-0000-000000000000'::uuid, ','), true)
"""
TENANTS: Final[LiteralString] = """
    SELECT c.name, c.tenant_id
    FROM (SELECT name, tenant_id FROM gateway.client
          UNION ALL  -- what was done about all clients together has a chain of its own
          SELECT 'All clients', tenant_id FROM credentials.audit_head
          WHERE tenant_id = '00000000-0000-0000-0000-000000000000') AS c
    WHERE $1::text IS NULL OR c.name = $1 OR c.tenant_id::text = $1
    ORDER BY c.name
"""
HEAD: Final[LiteralString] = "SELECT number, hash FROM credentials.audit_head WHERE tenant_id = $1"
PAGE: Final[LiteralString] = """
    SELECT number, line, hash FROM credentials.audit_entry
    WHERE tenant_id = $1 AND number > $2 AND number <= $3
    ORDER BY number LIMIT $4
"""
PAGE_ROWS: Final = 2000


async def see_all_tenants(tx: Connection) -> None:
    """Let the operator see the rows of every client until the transaction ends."""
    await tx.execute(SEE_ALL_TENANTS)


async def tenants(tx: Connection, client: str | None) -> list[tuple[str, UUID]]:
    """Return the client of this name or id, or all, by name."""
    return [(row["name"], row["tenant_id"]) for row in await tx.fetch(TENANTS, client)]


async def head(tx: Connection, tenant: UUID) -> Head:
    """Return the newest entry of a client's audit."""
    row = await tx.fetchrow(HEAD, tenant)
    return Head(row["number"], row["hash"]) if row else Head()


async def pages(tx: Connection, tenant: UUID, *, up_to: int) -> AsyncIterator[list[tuple[str, str]]]:
    """Yield a client's entries in their order, each with its hash, up to a number."""
    last = 0
    while rows := await tx.fetch(PAGE, tenant, last, up_to, PAGE_ROWS):
        yield [(row["line"], row["hash"]) for row in rows]
        last = rows[-1]["number"]
