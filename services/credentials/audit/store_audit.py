"""Keeping the audit: entries are only ever added, behind their client's head, in the transaction of what they tell."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.credentials.audit.chain import BEGINNING, Head, Link, chained, content_of, digest_of
from services.credentials.records import Fact

BEGIN_HEADS: Final[LiteralString] = """
    INSERT INTO audit_head (tenant_id, number, hash)
    SELECT tenant_id, 0, $2 FROM unnest($1::uuid[]) AS needed (tenant_id) ORDER BY tenant_id
    ON CONFLICT DO NOTHING
"""
LOCK_HEADS: Final[LiteralString] = """
    SELECT tenant_id, number, hash FROM audit_head WHERE tenant_id = ANY($1::uuid[]) ORDER BY tenant_id FOR UPDATE
"""
KNOWN: Final[LiteralString] = """
    SELECT tenant_id, content FROM audit_entry
    WHERE (tenant_id, content) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))
"""


async def append(tx: Connection, facts: Sequence[Fact]) -> int:
    """Add an entry for each fact, in their order, and return how many; a fact that is there already adds none.

    The heads of the facts' clients stay locked until the transaction ends: call it last.
    """
    tenants = sorted({fact.tenant for fact in facts})
    if not tenants:
        return 0
    await tx.execute(BEGIN_HEADS, tenants, BEGINNING)
    heads = {row["tenant_id"]: Head(row["number"], row["hash"]) for row in await tx.fetch(LOCK_HEADS, tenants)}
    contents = [content_of(fact) for fact in facts]
    keys = [(fact.tenant, digest_of(content)) for fact, content in zip(facts, contents, strict=True)]
    rows = await tx.fetch(KNOWN, [tenant for tenant, _ in keys], [digest for _, digest in keys])
    known = {(row["tenant_id"], row["content"]) for row in rows}
    new = {key: (fact, content) for key, fact, content in zip(keys, facts, contents, strict=True) if key not in known}
    entries: list[tuple[UUID, datetime, Link]] = []
    for tenant in tenants:
        own = [(fact, content) for fact, content in new.values() if fact.tenant == tenant]
        links = chained(heads[tenant], [content for _, content in own])
        entries += [(tenant, fact.at, link) for (fact, _), link in zip(own, links, strict=True)]
    await _save(tx, entries)
    return len(entries)


ADD: Final[LiteralString] = """
    INSERT INTO audit_entry (tenant_id, number, at, line, hash, content)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[])
"""
MOVE_HEADS: Final[LiteralString] = """
    UPDATE audit_head AS head SET number = newest.number, hash = newest.hash
    FROM (
        SELECT DISTINCT ON (tenant_id) tenant_id, number, hash
        FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS added (tenant_id, number, hash)
        ORDER BY tenant_id, number DESC
    ) AS newest
    WHERE head.tenant_id = newest.tenant_id
"""


async def _save(tx: Connection, entries: Sequence[tuple[UUID, datetime, Link]]) -> None:
    if not entries:
        return
    tenants = [tenant for tenant, _, _ in entries]
    numbers = [link.number for _, _, link in entries]
    hashes = [link.hash for _, _, link in entries]
    await tx.execute(
        ADD,
        tenants,
        numbers,
        [at for _, at, _ in entries],
        [link.line for _, _, link in entries],
        hashes,
        [link.content for _, _, link in entries],
    )
    await tx.execute(MOVE_HEADS, tenants, numbers, hashes)
