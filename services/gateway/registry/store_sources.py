"""Sources and their secrets in PostgreSQL. Unqualified names: the schema is on the search path."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString

import asyncpg

from chassis.postgres import Connection
from services.gateway.keys.key_sealing import StoredKey
from services.gateway.registry.schemes import Scheme
from services.gateway.registry.sources import LiveSecret, NewSource, Polling, StoredSource

DELIVERING: Final[LiteralString] = """
    SELECT s.source_id, s.vendor, s.scheme, s.header_name, s.live_rate, s.key_hosts, d.key_id, d.sealer, d.wrapped,
           d.retired_at,
           coalesce(array_agg(k.material ORDER BY k.created_at DESC) FILTER (WHERE k.material IS NOT NULL), '{}')
               AS materials
    FROM source AS s
    LEFT JOIN source_secret AS k ON k.source_id = s.source_id AND k.retired_at IS NULL
    LEFT JOIN LATERAL (
        SELECT key_id, sealer, wrapped, retired_at FROM data_key AS d
        WHERE d.source_id = s.source_id AND wrapped IS NOT NULL ORDER BY number DESC LIMIT 1
    ) AS d ON true
    WHERE s.enabled
    GROUP BY s.source_id, d.key_id, d.sealer, d.wrapped, d.retired_at
    ORDER BY s.source_id
"""


async def delivering(connection: Connection) -> list[StoredSource]:
    """Return the enabled sources with their live secrets and data keys, ordered by id."""
    return [
        StoredSource(
            source_id=row["source_id"],
            vendor=row["vendor"],
            scheme=Scheme(row["scheme"]),
            header_name=row["header_name"],
            materials=row["materials"],
            data_key=_data_key(row),
            needs_key=row["key_id"] is None or row["retired_at"] is not None,
            live_rate=row["live_rate"],
            key_hosts=tuple(row["key_hosts"]),
        )
        for row in await connection.fetch(DELIVERING)
    ]


def _data_key(row: asyncpg.Record) -> StoredKey | None:
    if row["key_id"] is None:
        return None
    return StoredKey(
        key_id=str(row["key_id"]), source_id=row["source_id"], sealer=row["sealer"], wrapped=row["wrapped"]
    )


LIST: Final[LiteralString] = """
    SELECT s.source_id AS source, s.scheme, s.header_name AS header, s.enabled,
           (SELECT count(*) FROM source_secret AS k WHERE k.source_id = s.source_id AND k.retired_at IS NULL)
               AS live_secrets,
           (SELECT max(created_at) FROM source_secret AS k WHERE k.source_id = s.source_id) AS newest_secret_at,
           s.live_rate, s.key_hosts, s.api_url, s.client_id, s.poll_seconds, s.quarantined_at, s.quarantine_reason,
           s.added_at,
           (SELECT p.last_succeeded_at FROM poll_state AS p WHERE p.source = s.source_id) AS polled_at,
           (SELECT p.failures FROM poll_state AS p WHERE p.source = s.source_id) AS failed_polls,
           (SELECT p.last_error FROM poll_state AS p WHERE p.source = s.source_id) AS poll_error,
           (SELECT p.lost_webhooks FROM poll_state AS p WHERE p.source = s.source_id) AS lost_webhooks
    FROM source AS s
    ORDER BY s.source_id
"""


async def every(connection: Connection) -> list[asyncpg.Record]:
    """Return every source as the command line shows it: no secret, sealed or not."""
    return await connection.fetch(LIST)


ADD: Final[LiteralString] = """
    INSERT INTO source (source_id, vendor, name, scheme, header_name, key_hosts, added_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT DO NOTHING
    RETURNING source_id
"""


async def add(tx: Connection, source: NewSource, added_at: datetime) -> bool:
    """Insert a source and return whether it was not there."""
    row = await tx.fetchrow(
        ADD,
        source.source_id,
        source.vendor,
        source.name,
        source.scheme,
        source.header_name,
        list(source.key_hosts),
        added_at,
    )
    return row is not None


LOCK: Final[LiteralString] = "SELECT scheme, header_name FROM source WHERE source_id = $1 FOR UPDATE"


async def scheme_for_update(tx: Connection, source_id: str) -> Scheme | None:
    """Lock a source until the transaction ends and return its scheme; `None`: there is no such source."""
    row = await tx.fetchrow(LOCK, source_id)
    return None if row is None else Scheme(row["scheme"])


LIVE: Final[LiteralString] = """
    SELECT slot, created_at FROM source_secret WHERE source_id = $1 AND retired_at IS NULL ORDER BY created_at
"""


async def live_secrets(tx: Connection, source_id: str) -> list[LiveSecret]:
    """Return which secrets of a source are live, oldest first."""
    return [LiveSecret(row["slot"], row["created_at"]) for row in await tx.fetch(LIVE, source_id)]


KEEP: Final[LiteralString] = """
    INSERT INTO source_secret (source_id, slot, material, created_at) VALUES ($1, $2, $3, $4)
"""


async def add_secret(tx: Connection, source_id: str, slot: int, *, material: bytes, created_at: datetime) -> None:
    """Insert a live secret into a free slot."""
    await tx.execute(KEEP, source_id, slot, material, created_at)


RETIRE: Final[LiteralString] = """
    UPDATE source_secret SET retired_at = $3, material = NULL
    WHERE source_id = $1 AND slot = ANY($2::smallint[]) AND retired_at IS NULL
"""


async def retire(tx: Connection, source_id: str, slots: Sequence[int], retired_at: datetime) -> None:
    """End the live secrets in `slots` and forget what is kept of them."""
    await tx.execute(RETIRE, source_id, sorted(slots), retired_at)


SET_HEADER: Final[LiteralString] = "UPDATE source SET header_name = $2 WHERE source_id = $1"


async def set_header(tx: Connection, source_id: str, header_name: str) -> None:
    """Expect the secret in another header."""
    await tx.execute(SET_HEADER, source_id, header_name)


SET_ENABLED: Final[LiteralString] = "UPDATE source SET enabled = $2 WHERE source_id = $1"


async def set_enabled(tx: Connection, source_id: str, *, enabled: bool) -> None:
    """Believe a source, or treat it as unknown."""
    await tx.execute(SET_ENABLED, source_id, enabled)


SET_LIVE_RATE: Final[LiteralString] = "UPDATE source SET live_rate = $2 WHERE source_id = $1"


async def set_live_rate(tx: Connection, source_id: str, live_rate: float | None) -> None:
    """Let a source deliver so many a second live; `None`: as many as the setting says."""
    await tx.execute(SET_LIVE_RATE, source_id, live_rate)


SET_POLLING: Final[LiteralString] = """
    UPDATE source SET api_url = $2, client_id = $3, sealed_client_secret = $4, poll_seconds = $5 WHERE source_id = $1
"""


async def set_polling(tx: Connection, source_id: str, polling: Polling) -> None:
    """Poll a source, in place of how it was polled before."""
    await tx.execute(
        SET_POLLING,
        source_id,
        polling.api_url,
        polling.client_id,
        polling.sealed_client_secret,
        polling.poll_seconds,
    )


RELEASE: Final[LiteralString] = """
    UPDATE source SET quarantined_at = NULL, quarantine_reason = NULL
    WHERE source_id = $1 AND quarantined_at IS NOT NULL
    RETURNING source_id
"""


async def release(tx: Connection, source_id: str) -> bool:
    """Translate a quarantined source again and return whether it was quarantined."""
    return await tx.fetchrow(RELEASE, source_id) is not None
