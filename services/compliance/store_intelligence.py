"""What the feeds say of the vulnerabilities that the catalog names, and which obligations a new version concerns."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.catalog.intelligence import NOTHING_KNOWN, WHOLE, Feed, Intelligence, Known

LABELS: Final[LiteralString] = """
    SELECT DISTINCT ON (feed) feed, id, label FROM feed_version WHERE feed = ANY($1::text[]) ORDER BY feed, id DESC
"""
FACTS: Final[LiteralString] = """
    SELECT DISTINCT ON (told.feed, fact.cve) fact.cve, kev_added_at, kev_due_at, ransomware, epss, epss_percentile,
           cvss, cvss_vector, exploitation, automatable, technical_impact_total
    FROM feed_fact AS fact JOIN feed_version AS told USING (id)
    WHERE fact.cve = ANY($1::text[]) AND (told.feed <> ALL($2::text[]) OR fact.id = ANY($3::integer[]))
    ORDER BY told.feed, fact.cve, fact.id DESC
"""


async def intelligence(tx: Connection, cves: Collection[str]) -> Intelligence:
    """Return what the newest versions say of `cves`. Of KEV and EPSS one version speaks, of the others every one."""
    newest = {Feed(row["feed"]): row for row in await tx.fetch(LABELS, [each.value for each in Feed])}
    if not newest:
        return NOTHING_KNOWN
    whole = [row["id"] for feed, row in newest.items() if feed in WHOLE]
    rows = await tx.fetch(FACTS, sorted(cves), sorted(WHOLE), whole)
    return Intelligence(
        (Known(**dict(row)) for row in rows),
        id_=max(row["id"] for row in newest.values()),
        versions={feed: row["label"] for feed, row in newest.items()},
    )


APPLY: Final[LiteralString] = """
    UPDATE feed_applied SET id = newest.id
    FROM (SELECT max(id) AS id, max(loaded_at) AS loaded_at FROM feed_version WHERE feed = ANY($1::text[])) AS newest,
         (SELECT id FROM feed_applied FOR UPDATE) AS before
    WHERE before.id < newest.id
    RETURNING before.id AS applied, newest.id AS id, newest.loaded_at
"""
CONCERNED: Final[LiteralString] = """
    WITH version AS (
        SELECT id, lag(id) OVER (PARTITION BY feed ORDER BY id) AS before FROM feed_version WHERE feed = ANY($1::text[])
    ),
    changed AS (
        SELECT told.cve
        FROM version
        CROSS JOIN LATERAL (
            SELECT coalesce(new.cve, old.cve) AS cve
            FROM (SELECT * FROM feed_fact WHERE id = version.id) AS new
            FULL JOIN (SELECT * FROM feed_fact WHERE id = version.before) AS old ON old.cve = new.cve
            WHERE (new.kev_added_at, new.ransomware, new.epss, new.cvss, new.exploitation, new.automatable,
                   new.technical_impact_total)
                  IS DISTINCT FROM
                  (old.kev_added_at, old.ransomware, old.epss, old.cvss, old.exploitation, old.automatable,
                   old.technical_impact_total)
        ) AS told
        WHERE version.id > $2
    )
    SELECT DISTINCT release.requirement_id
    FROM (SELECT requirement_id, unnest(cves) AS cve FROM catalog_release
          WHERE version = (SELECT max(version) FROM catalog_version)) AS release
    JOIN changed USING (cve)
    ORDER BY release.requirement_id
"""
RECHECK: Final[LiteralString] = """
    INSERT INTO recheck (asset_id, tenant_id, cause_id, cause_at)
    SELECT DISTINCT asset_id, tenant_id, $2::uuid, $3::timestamptz
    FROM obligation
    WHERE requirement_id = ANY($1::uuid[])
    ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET cause_id = excluded.cause_id, cause_at = excluded.cause_at
"""


async def newly_told(tx: Connection, feeds: Iterable[str]) -> tuple[int, int, datetime] | None:
    """Return from which version to which of `feeds` nothing was decided anew yet, and when the last was loaded.

    Notes that they are; the note locks others out. `None`: there is nothing new.
    """
    row = await tx.fetchrow(APPLY, sorted(feeds))
    return (row["applied"], row["id"], row["loaded_at"]) if row else None


async def concerned(tx: Connection, feeds: Iterable[str], after: int) -> list[UUID]:
    """Return the requirements of whose vulnerabilities versions after `after` tell otherwise than those before."""
    return [row["requirement_id"] for row in await tx.fetch(CONCERNED, sorted(feeds), after)]


async def recheck(tx: Connection, requirement_ids: Collection[UUID], cause_id: UUID, cause_at: datetime) -> None:
    """Let every asset that owes one of these be decided anew."""
    await tx.execute(RECHECK, sorted(requirement_ids), cause_id, cause_at)
