"""Data keys in PostgreSQL: minted by whoever needs one first, retired and destroyed by the operator."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.gateway.keys.key_sealing import StoredKey


@dataclass(frozen=True, slots=True)
class Destruction:
    """What is to be remembered of a destruction: who and when."""

    by: str
    at: datetime


BY_ID: Final[LiteralString] = "SELECT key_id, source_id, sealer, wrapped FROM data_key WHERE key_id = ANY($1::uuid[])"


async def by_id(connection: Connection, key_ids: Collection[str]) -> dict[str, StoredKey]:
    """Return those of these keys that are known."""
    rows = await connection.fetch(BY_ID, [UUID(each) for each in sorted(key_ids)])
    return {
        str(row["key_id"]): StoredKey(
            key_id=str(row["key_id"]), source_id=row["source_id"], sealer=row["sealer"], wrapped=row["wrapped"]
        )
        for row in rows
    }


LATEST: Final[LiteralString] = """
    SELECT DISTINCT ON (source_id) key_id, source_id, sealer, wrapped
    FROM data_key WHERE source_id = ANY($1::text[]) AND wrapped IS NOT NULL
    ORDER BY source_id, number DESC
"""


async def latest(connection: Connection, source_ids: Collection[str]) -> dict[str, StoredKey]:
    """Return by source the newest key that is not destroyed, retired or not."""
    return {
        row["source_id"]: StoredKey(
            key_id=str(row["key_id"]), source_id=row["source_id"], sealer=row["sealer"], wrapped=row["wrapped"]
        )
        for row in await connection.fetch(LATEST, sorted(source_ids))
    }


KEYLESS: Final[LiteralString] = """
    SELECT source_id FROM source AS s
    WHERE source_id = ANY($1::text[]) AND enabled
      AND NOT EXISTS (SELECT FROM data_key AS k WHERE k.source_id = s.source_id AND k.retired_at IS NULL)
    ORDER BY source_id
"""


async def keyless(connection: Connection, source_ids: Collection[str]) -> list[str]:
    """Return the enabled ones of these sources that need a key: they have none, or theirs is retired."""
    return [row["source_id"] for row in await connection.fetch(KEYLESS, sorted(source_ids))]


ADD: Final[LiteralString] = """
    INSERT INTO data_key (key_id, source_id, sealer, wrapped)
    SELECT t.key_id, t.source_id, t.sealer, t.wrapped
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[]) AS t (key_id, source_id, sealer, wrapped)
    JOIN source AS s ON s.source_id = t.source_id AND s.enabled
    ORDER BY t.source_id
    ON CONFLICT (source_id) WHERE retired_at IS NULL DO NOTHING
"""


async def add(connection: Connection, keys: Sequence[StoredKey]) -> None:
    """Make these the current keys of their sources, where nobody else was first."""
    ordered = sorted(keys, key=lambda each: each.source_id)
    await connection.execute(
        ADD,
        [UUID(each.key_id) for each in ordered],
        [each.source_id for each in ordered],
        [each.sealer for each in ordered],
        [each.wrapped for each in ordered],
    )


RETIRE: Final[LiteralString] = """
    UPDATE data_key SET retired_at = $2 WHERE source_id = $1 AND retired_at IS NULL RETURNING key_id
"""


async def retire(tx: Connection, source_id: str, at: datetime) -> bool:
    """Let the current key seal no more; whoever needs one next mints it. False: it had none."""
    return bool(await tx.fetch(RETIRE, source_id, at))


DESTROY: Final[LiteralString] = """
    UPDATE data_key SET wrapped = NULL, retired_at = coalesce(retired_at, $2), destroyed_at = $2, destroyed_by = $3
    WHERE source_id = $1 AND destroyed_at IS NULL
    RETURNING key_id
"""


async def destroy(tx: Connection, source_id: str, destruction: Destruction) -> int:
    """Forget every key of a source, keep who did it and when, and return how many there were."""
    return len(await tx.fetch(DESTROY, source_id, destruction.at, destruction.by))


UNFORGOTTEN: Final[LiteralString] = """
    SELECT DISTINCT sealer FROM data_key
    WHERE source_id = $1 AND destroyed_at IS NOT NULL AND forgotten_at IS NULL ORDER BY sealer
"""


async def unforgotten(tx: Connection, source_id: str) -> list[str]:
    """Return what wrapped destroyed keys of a source and was not told to forget them yet."""
    return [row["sealer"] for row in await tx.fetch(UNFORGOTTEN, source_id)]


FORGOTTEN: Final[LiteralString] = """
    UPDATE data_key SET forgotten_at = $3
    WHERE source_id = $1 AND sealer = $2 AND destroyed_at IS NOT NULL AND forgotten_at IS NULL
"""


async def forgotten(tx: Connection, source_id: str, sealer: str, at: datetime) -> None:
    """Note that what wrapped these keys forgot them, too."""
    await tx.execute(FORGOTTEN, source_id, sealer, at)


LIST: Final[LiteralString] = """
    SELECT source_id AS source, key_id AS key, sealer, created_at, retired_at, destroyed_at, destroyed_by, forgotten_at
    FROM data_key ORDER BY source_id, number
"""


async def every(connection: Connection) -> list[dict[str, object]]:
    """Return every data key as the command line shows it, without the key."""
    return [dict(row) for row in await connection.fetch(LIST)]


SERVED: Final[LiteralString] = """
    SELECT c.name, bool_or(m.valid_to IS NULL OR m.valid_to > $2) AS is_served
    FROM client_mapping AS m JOIN client AS c ON c.tenant_id = m.tenant_id
    WHERE m.source_id = $1 GROUP BY c.name ORDER BY c.name
"""


async def served(tx: Connection, source_id: str, at: datetime) -> dict[str, bool]:
    """Return the names of the clients that a source ever served, and of each whether it does at `at` or later."""
    return {row["name"]: row["is_served"] for row in await tx.fetch(SERVED, source_id, at)}
