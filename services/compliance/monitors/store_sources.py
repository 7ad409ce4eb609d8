"""When sources last said anything of clients who want to know of silence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.monitors.rules_agreed import Agreed, later

OfClient = tuple[str, UUID]
"""A source and a client."""

WORD: Final[LiteralString] = """
    INSERT INTO source_word (source, tenant_id, heard_at) SELECT source, tenant_id, $3
    FROM unnest($1::text[], $2::uuid[]) AS said (source, tenant_id)
"""


async def heard(tx: Connection, said: Collection[OfClient], at: datetime) -> None:
    """Note that sources said something of clients; only ever appended, so that no batch waits."""
    rows = sorted(said)
    await tx.execute(WORD, [source for source, _ in rows], [tenant for _, tenant in rows], at)


FOLLOW: Final[LiteralString] = """
    INSERT INTO source_watch (source, tenant_id, heard_at, silent, look_at)
    SELECT DISTINCT device.source, device.tenant_id, $3::timestamptz, false, wanted.look_at
    FROM device JOIN unnest($1::uuid[], $2::timestamptz[]) AS wanted (tenant_id, look_at) USING (tenant_id)
    ON CONFLICT (source, tenant_id) DO UPDATE SET look_at = $3::timestamptz WHERE NOT source_watch.silent
"""


async def follow(tx: Connection, changed: Sequence[Agreed], gone: Collection[UUID], now: datetime) -> None:
    """Listen to the sources that these clients have devices at, from now on; those who do not ask are looked at last.

    A source that is watched already is looked at at once: what counts as silence may have changed.
    """
    wanted = {each.tenant_id: later(now, each.silent_after, each.zone) for each in changed if each.silent_after}
    await tx.execute(FOLLOW, list(wanted), list(wanted.values()), now)
    unwanted = [*gone, *(each.tenant_id for each in changed if each.silent_after is None)]
    await tx.execute(LOOK_AGAIN, sorted(unwanted), now)


LOOK_AGAIN: Final[LiteralString] = "UPDATE source_watch SET look_at = $2 WHERE tenant_id = ANY($1::uuid[])"


@dataclass(frozen=True, slots=True)
class Listened:
    """One source and one client: when it was last heard, and whether its silence was told."""

    source: str
    tenant_id: UUID
    heard_at: datetime
    silent: bool


TAKE: Final[LiteralString] = """
    WITH taken AS (DELETE FROM source_word RETURNING source, tenant_id, heard_at)
    SELECT source, tenant_id, max(heard_at) AS heard_at FROM taken GROUP BY source, tenant_id
"""
KEPT: Final[LiteralString] = """
    SELECT source, tenant_id, heard_at, silent FROM source_watch
    WHERE (source, tenant_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
    FOR UPDATE
"""


async def take_words(tx: Connection) -> dict[OfClient, datetime]:
    """Return when each source was heard since the last look, and forget the words."""
    return {(row["source"], row["tenant_id"]): row["heard_at"] for row in await tx.fetch(TAKE)}


async def kept(tx: Connection, keys: Collection[OfClient]) -> dict[OfClient, Listened]:
    """Return those of them that are watched already."""
    rows = await tx.fetch(KEPT, [source for source, _ in keys], [tenant for _, tenant in keys])
    return {(row["source"], row["tenant_id"]): Listened(*row) for row in rows}


DUE: Final[LiteralString] = """
    SELECT source, tenant_id, heard_at, silent FROM source_watch WHERE look_at <= $1
    ORDER BY look_at LIMIT 500
    FOR UPDATE SKIP LOCKED
"""


async def due(tx: Connection, now: datetime) -> list[Listened]:
    """Return those that will have been silent for too long by `now`, if nothing was heard meanwhile."""
    return [Listened(*row) for row in await tx.fetch(DUE, now)]


SAVE: Final[LiteralString] = """
    INSERT INTO source_watch (source, tenant_id, heard_at, silent, look_at)
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::boolean[], $5::timestamptz[])
    ON CONFLICT (source, tenant_id) DO UPDATE
    SET heard_at = excluded.heard_at, silent = excluded.silent, look_at = excluded.look_at
"""


async def save(tx: Connection, now: Sequence[tuple[Listened, datetime | None]]) -> None:
    """Save when each was heard, whether it is silent, and when it is looked at next."""
    rows = sorted(now, key=lambda each: (each[0].source, each[0].tenant_id))
    await tx.execute(
        SAVE,
        [each.source for each, _ in rows],
        [each.tenant_id for each, _ in rows],
        [each.heard_at for each, _ in rows],
        [each.silent for each, _ in rows],
        [look_at for _, look_at in rows],
    )


FORGET: Final[LiteralString] = """
    DELETE FROM source_watch WHERE (source, tenant_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
"""


async def forget(tx: Connection, keys: Collection[OfClient]) -> None:
    """Listen no longer."""
    await tx.execute(FORGET, [source for source, _ in keys], [tenant for _, tenant in keys])


DEVICES: Final[LiteralString] = """
    SELECT source, tenant_id, count(*)::integer AS devices FROM device
    WHERE tenant_id = ANY($1::uuid[]) AND source = ANY($2::text[])
    GROUP BY source, tenant_id
"""


async def devices(tx: Connection, keys: Collection[OfClient]) -> Mapping[OfClient, int]:
    """Return how many devices each source knows of each client; asked only when silence is told."""
    rows = await tx.fetch(DEVICES, [tenant for _, tenant in keys], sorted({source for source, _ in keys}))
    return {(row["source"], row["tenant_id"]): row["devices"] for row in rows}
