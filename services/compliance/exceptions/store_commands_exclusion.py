"""What `patchline exclusion` reads and writes, as the operator's role."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.exceptions.records import Exclusion

RELEASES: Final[LiteralString] = """
    SELECT asked.word, array_agg(DISTINCT p.release) AS releases
    FROM unnest($1::text[]) AS asked (word)
    JOIN compliance.catalog_release AS p ON p.version = (SELECT max(version) FROM compliance.catalog_version)
     AND (lower(p.release) = lower(asked.word) OR EXISTS (
         SELECT FROM compliance.catalog_patch AS n
         WHERE (n.version, n.requirement_id, n.release) = (p.version, p.requirement_id, p.release)
           AND n.name IN (lower(asked.word), regexp_replace(lower(asked.word), '^kb', ''))))
    GROUP BY asked.word
"""


async def releases(tx: Connection, words: Collection[str]) -> dict[str, list[str]]:
    """Return the releases that the catalog knows by each of these names or KBs; what it does not know is absent."""
    return {row["word"]: sorted(row["releases"]) for row in await tx.fetch(RELEASES, sorted(words))}


ADD: Final[LiteralString] = """
    INSERT INTO compliance.exclusion
        (exclusion_id, tenant_id, patches, reason, approver, valid_from, until, recorded_at, recorded_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING
"""


async def add(tx: Connection, exclusion: Exclusion, *, by: str) -> None:
    """Leave updates out of the service level. A repeat changes nothing."""
    await tx.execute(
        ADD,
        exclusion.id,
        exclusion.tenant_id,
        list(exclusion.patches),
        exclusion.reason,
        exclusion.approver,
        exclusion.valid_from,
        exclusion.until,
        exclusion.recorded_at,
        by,
    )


LIST: Final[LiteralString] = """
    SELECT coalesce(c.name, x.tenant_id::text) AS client, x.exclusion_id AS exclusion, x.tenant_id, x.patches, x.reason,
           x.approver, x.valid_from, x.until, e.ended_at, e.why AS ended_why, x.recorded_at, x.recorded_by
    FROM compliance.exclusion AS x
    LEFT JOIN compliance.client AS c USING (tenant_id)
    LEFT JOIN compliance.exclusion_end AS e USING (exclusion_id)
    WHERE ($1::text IS NULL OR c.name = $1) AND ($2::text IS NULL OR x.exclusion_id::text LIKE $2 || '%')
      AND ($3::timestamptz IS NULL OR least(x.until, e.ended_at) > $3)
    ORDER BY client, x.until, x.exclusion_id
"""


async def listed(
    tx: Connection, *, client: str | None = None, prefix: str | None = None, ends_after: datetime | None = None
) -> list[dict[str, object]]:
    """Return exclusions of one client or of all, whose id begins so, that end after a moment."""
    return [dict(row) for row in await tx.fetch(LIST, client, prefix, ends_after)]


END: Final[LiteralString] = """
    INSERT INTO compliance.exclusion_end (exclusion_id, tenant_id, why, ended_at, ended_by)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING
"""


async def end(tx: Connection, exclusion_id: UUID, tenant_id: UUID, *, why: str, at: datetime, by: str) -> None:
    """Let its updates count again, from now on."""
    await tx.execute(END, exclusion_id, tenant_id, why, at, by)
