"""Figures: counted from the obligations themselves, so that the states of a population always sum to it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, LiteralString

import asyncpg

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import State
from services.compliance.rules_figures import Cell, Figure, figure

ALONE: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock(hashtextextended('compliance.figures', 0))"
TAKE: Final[LiteralString] = """
    WITH taken AS (DELETE FROM figure_touched RETURNING tenant_id, os_family, tier, severity)
    SELECT DISTINCT tenant_id, os_family, tier, severity FROM taken
"""


async def take_touched(tx: Connection) -> list[Cell]:
    """Return the cells to count anew and forget them; none while another process does so."""
    if not await tx.fetchval(ALONE):
        return []
    return sorted(_cell(row) for row in await tx.fetch(TAKE))


def _cell(row: asyncpg.Record) -> Cell:
    return Cell(row["tenant_id"], OsFamily(row["os_family"]), Tier(row["tier"]), Severity(row["severity"]))


COUNT: Final[LiteralString] = """
    SELECT tenant_id, os_family, tier, severity, state, count(*) AS count,
           count(*) FILTER (WHERE proof = 'attested') AS attested
    FROM obligation
    WHERE (tenant_id, os_family, tier, severity)
          IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]))
    GROUP BY tenant_id, os_family, tier, severity, state
"""


async def count(tx: Connection, cells: Sequence[Cell]) -> list[Figure]:
    """Return the figure of each cell as its obligations stand now."""
    rows = await tx.fetch(
        COUNT,
        [each.tenant_id for each in cells],
        [each.os_family for each in cells],
        [each.tier for each in cells],
        [each.severity for each in cells],
    )
    counts: dict[Cell, dict[State, int]] = {each: {} for each in cells}
    attested = dict.fromkeys(cells, 0)
    for row in rows:
        counts[_cell(row)][State(row["state"])] = row["count"]
        attested[_cell(row)] += row["attested"]
    return [figure(cell, found, attested[cell]) for cell, found in counts.items()]


PUBLISHED: Final[LiteralString] = """
    SELECT tenant_id, os_family, tier, severity, counts, attested
    FROM figure
    WHERE (tenant_id, os_family, tier, severity)
          IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]))
"""


async def published(tx: Connection, cells: Sequence[Cell]) -> dict[Cell, tuple[Mapping[str, int], int]]:
    """Return the counts of these cells as they were last published, and how many of them were attested."""
    rows = await tx.fetch(
        PUBLISHED,
        [each.tenant_id for each in cells],
        [each.os_family for each in cells],
        [each.tier for each in cells],
        [each.severity for each in cells],
    )
    return {_cell(row): (row["counts"], row["attested"]) for row in rows}


SAVE: Final[LiteralString] = """
    INSERT INTO figure (tenant_id, os_family, tier, severity, population, percent, counts, attested, as_of)
    SELECT counted.*, $9
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::numeric[], $7::jsonb[],
                $8::integer[]) AS counted
    ON CONFLICT (tenant_id, os_family, tier, severity) DO UPDATE
    SET population = excluded.population, percent = excluded.percent, counts = excluded.counts,
        attested = excluded.attested, as_of = excluded.as_of
"""


async def save(tx: Connection, figures: Sequence[Figure], as_of: datetime) -> None:
    """Save what is published."""
    await tx.execute(
        SAVE,
        [each.cell.tenant_id for each in figures],
        [each.cell.os_family for each in figures],
        [each.cell.tier for each in figures],
        [each.cell.severity for each in figures],
        [each.population for each in figures],
        [each.percent for each in figures],
        [dict(each.counts) for each in figures],
        [each.attested for each in figures],
        as_of,
    )
