"""Row by row: the live tables against the rebuilt ones, whatever their columns are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from chassis.postgres import Connection
from patchline.rebuild.rules import Compared, Difference, What
from patchline.rebuild.sessions import shadow_of


@dataclass(frozen=True, slots=True)
class Table:
    """A derived table: its key, and the columns that depend on when something was done instead of on what happened."""

    name: str
    key: tuple[str, ...]
    left_out: tuple[str, ...] = ()


COMPARE: Final[LiteralString] = """
    WITH rest AS (
        SELECT a.attname AS name, a.attnum AS place FROM pg_attribute AS a
        WHERE a.attrelid = format('%I.%I', $1::text, $3::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped
          AND a.attname <> ALL ($4::text[]) AND a.attname <> ALL ($5::text[])
    ), keys AS (SELECT * FROM unnest($4::text[]) WITH ORDINALITY AS k (name, place))
    SELECT format(
        'INSERT INTO %2$I.rebuild_difference (relation, key, what, columns) '
        'SELECT %3$L, jsonb_build_object(%4$s), '
        '       CASE WHEN %5$s THEN ''only rebuilt'' WHEN %6$s THEN ''only live'' ELSE ''differs'' END, '
        '       CASE WHEN %5$s OR %6$s THEN ''{}''::text[] ELSE array_remove(ARRAY[%7$s]::text[], NULL) END '
        'FROM %1$I.%3$I AS live FULL JOIN %2$I.%3$I AS made ON %8$s '
        'WHERE %5$s OR %6$s OR (%9$s) IS DISTINCT FROM (%10$s)',
        $1::text, $2::text, $3::text,
        (SELECT string_agg(format('%1$L, coalesce(live.%1$I, made.%1$I)', name), ', ' ORDER BY place) FROM keys),
        (SELECT format('live.%I IS NULL', name) FROM keys WHERE place = 1),
        (SELECT format('made.%I IS NULL', name) FROM keys WHERE place = 1),
        (SELECT string_agg(format('CASE WHEN live.%1$I IS DISTINCT FROM made.%1$I THEN %1$L END', name), ', '
                           ORDER BY place) FROM rest),
        (SELECT string_agg(format('live.%1$I = made.%1$I', name), ' AND ' ORDER BY place) FROM keys),
        (SELECT string_agg(format('live.%I', name), ', ' ORDER BY place) FROM rest),
        (SELECT string_agg(format('made.%I', name), ', ' ORDER BY place) FROM rest))
"""
COUNT: Final[LiteralString] = """
    SELECT format('SELECT (SELECT count(*) FROM %1$I.%3$I) AS live, (SELECT count(*) FROM %2$I.%3$I) AS rebuilt, '
                  '(SELECT count(*) FROM %2$I.rebuild_difference WHERE relation = %3$L) AS differences',
                  $1::text, $2::text, $3::text)
"""


async def compare(tx: Connection, service: str, table: Table) -> None:
    """Note every row of `table` that is not the same in live and shadow schema. PostgreSQL itself quotes the names."""
    shadow = shadow_of(service)
    await tx.execute(await tx.fetchval(COMPARE, service, shadow, table.name, table.key, table.left_out))


async def compared(tx: Connection, service: str, tables: Sequence[Table]) -> list[Compared]:
    """Return how many rows each table has on both sides, and how many are noted as different."""
    found: list[Compared] = []
    for table in tables:
        row = await tx.fetchrow(await tx.fetchval(COUNT, service, shadow_of(service), table.name))
        if row is not None:
            found.append(Compared(table.name, row["live"], row["rebuilt"], row["differences"]))
    return found


LIST: Final[LiteralString] = """
    SELECT relation, key, what, columns FROM rebuild_difference ORDER BY relation, key::text LIMIT $1
"""


async def listed(tx: Connection, most: int) -> list[Difference]:
    """Return noted differences, at most so many, in one order."""
    return [
        Difference(row["relation"], row["key"], What(row["what"]), tuple(row["columns"]))
        for row in await tx.fetch(LIST, most)
    ]
