"""Figures: summed from what each transaction changed, and cells counted whole, so that the sums are the obligations."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, LiteralString

import asyncpg

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import State
from services.compliance.rules_figures import NOTHING, Cell, Figure, Moves, Sum, Taken, figure

MOVE: Final[LiteralString] = """
    INSERT INTO figure_touched (tenant_id, os_family, tier, severity, state, attested, change)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::integer[])
"""


async def move(tx: Connection, moves: Moves) -> None:
    """Leave behind what changed, for whoever sums: in the transaction that changes the obligations."""
    rows = [(*counted, change) for counted, change in sorted(moves.items()) if change]
    if rows:
        await tx.execute(MOVE, *zip(*rows, strict=True))


ALONE: Final[LiteralString] = "SELECT pg_try_advisory_xact_lock(hashtextextended('compliance.figures', 0))"
TO_BE_COUNTED: Final[LiteralString] = """
    SELECT tenant_id, os_family, tier, severity, true AS is_asked FROM figure_touched WHERE state IS NULL
    UNION
    SELECT tenant_id, os_family, tier, severity, true
    FROM figure_touched JOIN figure USING (tenant_id, os_family, tier, severity)
    WHERE summed_as_of IS DISTINCT FROM as_of
    UNION
    (SELECT tenant_id, os_family, tier, severity, summed_as_of IS DISTINCT FROM as_of FROM figure
     WHERE counted_at IS NULL OR counted_at < $1
     ORDER BY counted_at NULLS FIRST LIMIT 1)
"""
COUNT: Final[LiteralString] = """
    SELECT tenant_id, os_family, tier, severity, state, count(*) AS count,
           count(*) FILTER (WHERE proof = 'attested') AS attested
    FROM obligation
    WHERE (tenant_id, os_family, tier, severity)
          IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]))
    GROUP BY tenant_id, os_family, tier, severity, state
"""
COUNT_WHOLE: Final[LiteralString] = """
    WITH until AS (
        DELETE FROM figure_touched
        WHERE (tenant_id, os_family, tier, severity)
              IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]))
        RETURNING tenant_id, os_family, tier, severity, state, attested, change
    )
    SELECT tenant_id, os_family, tier, severity, state, count(*) AS count,
           count(*) FILTER (WHERE proof = 'attested') AS attested, true AS is_whole
    FROM obligation
    WHERE (tenant_id, os_family, tier, severity)
          IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]))
    GROUP BY tenant_id, os_family, tier, severity, state
    UNION ALL
    SELECT tenant_id, os_family, tier, severity, state, sum(change) AS count,
           coalesce(sum(change) FILTER (WHERE attested), 0) AS attested, false AS is_whole
    FROM until
    WHERE state IS NOT NULL
    GROUP BY tenant_id, os_family, tier, severity, state
"""
"""One statement, so one moment: what is counted is what no change is left of."""
TAKE: Final[LiteralString] = """
    WITH taken AS (
        DELETE FROM figure_touched WHERE state IS NOT NULL
        RETURNING tenant_id, os_family, tier, severity, state, attested, change
    )
    SELECT tenant_id, os_family, tier, severity, state, sum(change) AS count,
           coalesce(sum(change) FILTER (WHERE attested), 0) AS attested
    FROM taken
    GROUP BY tenant_id, os_family, tier, severity, state
"""


async def take(tx: Connection, *, counted_before: datetime) -> Taken | None:
    """Return what changed and forget it; `None` while another process does so.

    Counted whole are the cells for which that is asked, those that another release published, and one that was last
    counted before `counted_before`.
    """
    if not await tx.fetchval(ALONE):
        return None
    found = await tx.fetch(TO_BE_COUNTED, counted_before)
    anew = sorted({_cell(row) for row in found})
    rows = await tx.fetch(COUNT_WHOLE, *_columns(anew)) if anew else []
    return Taken(
        unasked={*anew} - {_cell(row) for row in found if row["is_asked"]},
        whole=dict.fromkeys(anew, NOTHING) | _sums(row for row in rows if row["is_whole"]),
        until=_sums(row for row in rows if not row["is_whole"]),
        more=_sums(await tx.fetch(TAKE)),
    )


def _sums(rows: Iterable[asyncpg.Record]) -> dict[Cell, Sum]:
    counts: dict[Cell, dict[State, int]] = {}
    attested: dict[Cell, int] = {}
    for row in rows:
        cell = _cell(row)
        counts.setdefault(cell, {})[State(row["state"])] = row["count"]
        attested[cell] = attested.get(cell, 0) + row["attested"]
    return {cell: Sum(found, attested[cell]) for cell, found in counts.items()}


def _cell(row: asyncpg.Record) -> Cell:
    return Cell(row["tenant_id"], OsFamily(row["os_family"]), Tier(row["tier"]), Severity(row["severity"]))


def _columns(cells: Sequence[Cell]) -> list[Sequence[object]]:
    """Return the cells as the four columns that statements take."""
    return [
        [each.tenant_id for each in cells],
        [each.os_family for each in cells],
        [each.tier for each in cells],
        [each.severity for each in cells],
    ]


async def count(tx: Connection, cells: Sequence[Cell]) -> list[Figure]:
    """Return the figure of each cell as its obligations stand now."""
    sums = _sums(await tx.fetch(COUNT, *_columns(cells)))
    return [figure(cell, *sums.get(cell, NOTHING)) for cell in cells]


PUBLISHED: Final[LiteralString] = """
    SELECT tenant_id, os_family, tier, severity, counts, attested
    FROM figure
    WHERE (tenant_id, os_family, tier, severity)
          IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]))
"""


async def published(tx: Connection, cells: Sequence[Cell]) -> dict[Cell, Sum]:
    """Return the counts of these cells as they were last published, and how many of them were attested."""
    rows = await tx.fetch(PUBLISHED, *_columns(cells))
    return {
        _cell(row): Sum({State(state): count for state, count in row["counts"].items()}, row["attested"])
        for row in rows
    }


SAVE: Final[LiteralString] = """
    INSERT INTO figure (tenant_id, os_family, tier, severity, population, percent, counts, attested, as_of,
                        summed_as_of, counted_at)
    SELECT summed.*, $9, $9, $9
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::numeric[], $7::jsonb[],
                $8::integer[]) AS summed
    ON CONFLICT (tenant_id, os_family, tier, severity) DO UPDATE
    SET population = excluded.population, percent = excluded.percent, counts = excluded.counts,
        attested = excluded.attested, as_of = excluded.as_of, summed_as_of = excluded.summed_as_of
"""


async def save(tx: Connection, figures: Sequence[Figure], as_of: datetime) -> None:
    """Save what is published. What was never published before was summed from the first obligation on."""
    await tx.execute(
        SAVE,
        *_columns([each.cell for each in figures]),
        [each.population for each in figures],
        [each.percent for each in figures],
        [dict(each.counts) for each in figures],
        [each.attested for each in figures],
        as_of,
    )


COUNTED: Final[LiteralString] = """
    UPDATE figure SET counted_at = $5, summed_as_of = as_of
    WHERE (tenant_id, os_family, tier, severity)
          IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]))
"""


async def note_counted(tx: Connection, cells: Collection[Cell], now: datetime) -> None:
    """Keep that these cells were counted whole."""
    await tx.execute(COUNTED, *_columns(sorted(cells)), now)


COUNT_ANEW: Final[LiteralString] = """
    INSERT INTO figure_touched (tenant_id, os_family, tier, severity)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
"""


async def count_anew(tx: Connection, cells: Sequence[Cell]) -> None:
    """Let these cells be counted whole the next time."""
    await tx.execute(COUNT_ANEW, *_columns(cells))
