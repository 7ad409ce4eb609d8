"""The floor of a stage that writes rows: the service's own statement, but with one array a column.

That is the bare `unnest` upsert that anyone would write. The services send one array of rows (ADR 0064), which is
cheaper; as their own floor it would move with them, and say nothing of what else they do.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, LiteralString

from chassis.postgres import Connection

ROWS: Final = re.compile(r"FROM unnest\(\$1::(?P<type>\w+)\[\]\) AS (?P<name>\w+)")
COLUMNS: Final[LiteralString] = """
    SELECT attname AS name, format_type(atttypid, -1) AS type
    FROM pg_attribute WHERE attrelid = $1::text::regclass ORDER BY attnum
"""


async def by_columns(connection: Connection, statement: str, *, table: str, into: str) -> str:
    """Return `statement`, which upserts one array of rows into `table`, as one into `into` with an array a column.

    A column of arrays travels as the text of each: PostgreSQL's unnest takes no array of arrays apart. See `taken`.

    Raises:
        ValueError: the statement does not take its rows as one array of a row's type.
    """
    found = ROWS.search(statement)
    if not found:
        raise ValueError("not a statement that takes one array of rows: unnest($1::<type>[]) AS <name>")
    columns = [(row["name"], row["type"]) for row in await connection.fetch(COLUMNS, found["type"])]
    names = ", ".join(name for name, _ in columns)
    cast = ", ".join(f"{name}::{kind}" for name, kind in columns)
    sent = ", ".join(f"${number}::{_sent(kind)}[]" for number, (_, kind) in enumerate(columns, start=1))
    source = f"FROM (SELECT {cast} FROM unnest({sent}) AS sent ({names})) AS {found['name']}"  # noqa: S608
    return ROWS.sub(lambda _: source, statement).replace(f"INSERT INTO {table} (", f"INSERT INTO {into} (")


def _sent(kind: str) -> str:
    return "text" if kind.endswith("[]") else kind


def taken(rows: Iterable[Iterable[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows as such a statement takes them: an array as its text; none has what would need quotes."""
    for row in rows:
        yield tuple("{" + ",".join(each) + "}" if isinstance(each, tuple | list) else each for each in row)
