"""Clients and whose organisation is whose, in PostgreSQL. Unqualified names: the schema is on the search path."""

from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.gateway.registry.clients import Client, Mapping

SEE_ALL: Final[LiteralString] = """
    SELECT set_config('search_path', 'gateway', true),
           set_config('patchline.tenants', array_to_string(gateway.all_tenants() || $1::uuid[], ','), true)
"""


async def see_all(tx: Connection, new: UUID | None = None) -> None:
    """Let the operator's transaction work in this schema and see every client, and the one that it is about to add."""
    await tx.execute(SEE_ALL, [] if new is None else [new])


ADD: Final[LiteralString] = """
    INSERT INTO client (tenant_id, name, zone, owner_contact, psa_company, added_at, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6)
    ON CONFLICT DO NOTHING
    RETURNING tenant_id
"""


async def add(tx: Connection, client: Client, added_at: datetime) -> bool:
    """Insert a client and return whether neither its name nor its id was taken."""
    row = await tx.fetchrow(
        ADD, client.tenant, client.name, client.zone, client.owner_contact, client.psa_company, added_at
    )
    return row is not None


FOR_UPDATE: Final[LiteralString] = """
    SELECT tenant_id, name, zone, owner_contact, psa_company FROM client WHERE name = $1 FOR UPDATE
"""


async def load_for_update(tx: Connection, name: str) -> Client | None:
    """Lock the client called `name` until the transaction ends and return it; `None`: there is none."""
    row = await tx.fetchrow(FOR_UPDATE, name)
    if row is None:
        return None
    return Client(
        tenant=row["tenant_id"],
        name=row["name"],
        zone=row["zone"],
        owner_contact=row["owner_contact"],
        psa_company=row["psa_company"],
    )


NAME_OF: Final[LiteralString] = "SELECT name FROM client WHERE tenant_id = $1"


async def name_of(tx: Connection, tenant: UUID) -> str | None:
    """Return the name of a client; `None`: there is no such client."""
    name: str | None = await tx.fetchval(NAME_OF, tenant)
    return name


SAVE: Final[LiteralString] = """
    UPDATE client SET name = $2, zone = $3, owner_contact = $4, psa_company = $5, changed_at = $6 WHERE tenant_id = $1
"""


async def save(tx: Connection, client: Client, changed_at: datetime) -> None:
    """Update the record of a client."""
    await tx.execute(
        SAVE, client.tenant, client.name, client.zone, client.owner_contact, client.psa_company, changed_at
    )


LIST: Final[LiteralString] = """
    SELECT name, zone, owner_contact, psa_company, tenant_id::text AS tenant, added_at, changed_at
    FROM client
    ORDER BY name
"""


async def every(connection: Connection) -> list[asyncpg.Record]:
    """Return every visible client as the command line shows it."""
    return await connection.fetch(LIST)


LIST_MAPPINGS: Final[LiteralString] = """
    SELECT c.name AS client, m.source_id AS source, m.organisation, m.site, m.valid_from, m.valid_to
    FROM client_mapping AS m
    JOIN client AS c USING (tenant_id)
    ORDER BY c.name, m.source_id, m.organisation, m.site NULLS FIRST, m.valid_from NULLS FIRST
"""


async def every_mapping(connection: Connection) -> list[asyncpg.Record]:
    """Return every visible mapping as the command line shows it."""
    return await connection.fetch(LIST_MAPPINGS)


OF_PLACE: Final[LiteralString] = """
    SELECT source_id, organisation, site, tenant_id, valid_from, valid_to
    FROM client_mapping
    WHERE source_id = $1 AND organisation = $2 AND site IS NOT DISTINCT FROM $3
    ORDER BY valid_from NULLS FIRST
"""


async def mappings_of_place(tx: Connection, source_id: str, organisation: str, site: str | None) -> list[Mapping]:
    """Return what is known of one organisation or site, oldest first."""
    return [
        Mapping(
            source_id=row["source_id"],
            organisation=row["organisation"],
            site=row["site"],
            tenant=row["tenant_id"],
            valid_from=row["valid_from"],
            valid_to=row["valid_to"],
        )
        for row in await tx.fetch(OF_PLACE, source_id, organisation, site)
    ]


ADD_MAPPING: Final[LiteralString] = """
    INSERT INTO client_mapping (source_id, organisation, site, tenant_id, valid_from, valid_to)
    VALUES ($1, $2, $3, $4, $5, $6)
"""


async def add_mapping(tx: Connection, mapping: Mapping) -> None:
    """Insert a mapping."""
    await tx.execute(
        ADD_MAPPING,
        mapping.source_id,
        mapping.organisation,
        mapping.site,
        mapping.tenant,
        mapping.valid_from,
        mapping.valid_to,
    )


END_MAPPING: Final[LiteralString] = """
    UPDATE client_mapping SET valid_to = $5
    WHERE source_id = $1 AND organisation = $2 AND site IS NOT DISTINCT FROM $3
      AND valid_from IS NOT DISTINCT FROM $4
"""


async def end_mapping(tx: Connection, mapping: Mapping, valid_to: datetime) -> None:
    """Let a mapping end at `valid_to`."""
    await tx.execute(END_MAPPING, mapping.source_id, mapping.organisation, mapping.site, mapping.valid_from, valid_to)
