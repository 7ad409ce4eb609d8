"""Adds what a feed said, as the operator's role: versions are kept, never changed or removed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

import asyncpg

from chassis.postgres import Connection
from services.compliance.catalog.intelligence import Known

ONE_AT_A_TIME: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('compliance.catalog.loading', 0))"
EXCLUDE: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('compliance.catalog', 0))"
NEWEST: Final[LiteralString] = """
    SELECT sha256, label FROM compliance.feed_version WHERE feed = $1 ORDER BY id DESC LIMIT 1
"""
ADD_VERSION: Final[LiteralString] = """
    INSERT INTO compliance.feed_version (id, feed, label, origin, sha256, entries, published_at, fetched_at, loaded_at,
                                         catalog_version)
    SELECT 1 + coalesce((SELECT max(id) FROM compliance.feed_version), 0), $1, $2, $3, $4, $5, $6, $7, $8, $9
    RETURNING id
"""
ADD_FACTS: Final[LiteralString] = """
    INSERT INTO compliance.feed_fact (id, cve, kev_added_at, kev_due_at, ransomware, epss, epss_percentile, cvss,
                                      cvss_vector, exploitation, automatable, technical_impact_total)
    SELECT $1, added.*
    FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[], $5::boolean[], $6::double precision[],
                $7::double precision[], $8::double precision[], $9::text[], $10::text[], $11::boolean[], $12::boolean[])
        AS added
    ON CONFLICT (id, cve) DO NOTHING
"""
AT_ONCE: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a feed. `catalog_version`: the catalog that it became, where it speaks of products."""

    feed: str
    label: str
    origin: str
    sha256: str
    entries: int
    loaded_at: datetime
    published_at: datetime | None = None
    fetched_at: datetime | None = None
    catalog_version: int | None = None


async def one_at_a_time(tx: Connection) -> None:
    """Let nobody else load anything until the transaction ends; decisions go on."""
    await tx.execute(ONE_AT_A_TIME)


async def exclude_decisions(tx: Connection) -> None:
    """Wait until the batches under way are committed; those after this transaction decide by what it adds."""
    await tx.execute(EXCLUDE)


async def is_newest(tx: Connection, feed: str, sha256: str, label: str) -> bool:
    """Return whether the newest version of a feed is of these bytes, read under this label."""
    row = await tx.fetchrow(NEWEST, feed)
    return row is not None and (row["sha256"], row["label"]) == (sha256, label)


async def add(tx: Connection, version: Version, known: Sequence[Known]) -> int:
    """Add a version with what it says of vulnerabilities; return its id. Of a CVE that is told twice one counts."""
    id_: int = await tx.fetchval(
        ADD_VERSION,
        version.feed,
        version.label,
        version.origin,
        version.sha256,
        version.entries,
        version.published_at,
        version.fetched_at,
        version.loaded_at,
        version.catalog_version,
    )
    ordered = sorted(known, key=lambda each: each.cve)
    for start in range(0, len(ordered), AT_ONCE):
        await _add_facts(tx, id_, ordered[start : start + AT_ONCE])
    return id_


async def _add_facts(tx: Connection, id_: int, known: Sequence[Known]) -> None:
    await tx.execute(
        ADD_FACTS,
        id_,
        [each.cve for each in known],
        [each.kev_added_at for each in known],
        [each.kev_due_at for each in known],
        [each.ransomware for each in known],
        [each.epss for each in known],
        [each.epss_percentile for each in known],
        [each.cvss for each in known],
        [each.cvss_vector for each in known],
        [each.exploitation for each in known],
        [each.automatable for each in known],
        [each.technical_impact_total for each in known],
    )


FEEDS: Final[LiteralString] = """
    SELECT DISTINCT ON (feed) feed, label, published_at, loaded_at, fetched_at, entries, origin, sha256,
           catalog_version, count(*) OVER (PARTITION BY feed) AS versions,
           catalog_version IS NOT NULL OR id <= (SELECT applied.id FROM compliance.feed_applied AS applied) AS applied
    FROM compliance.feed_version
    ORDER BY feed, id DESC
"""


async def feeds(tx: Connection) -> list[asyncpg.Record]:
    """Return the newest version of each feed, and how many there are."""
    return await tx.fetch(FEEDS)


OF_CVE: Final[LiteralString] = """
    SELECT told.feed, told.label, fact.kev_added_at, fact.kev_due_at, fact.ransomware, fact.epss, fact.epss_percentile,
           fact.cvss, fact.cvss_vector, fact.exploitation, fact.automatable, fact.technical_impact_total
    FROM compliance.feed_fact AS fact JOIN compliance.feed_version AS told USING (id)
    WHERE fact.cve = $1
    ORDER BY told.feed, fact.id DESC
"""


async def of_cve(tx: Connection, cve: str) -> list[asyncpg.Record]:
    """Return what every version of every feed said of a CVE, the newest first."""
    return await tx.fetch(OF_CVE, cve)
