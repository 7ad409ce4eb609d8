"""A floor's statement leaves the rows that the service's own leaves, with one array a column."""

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from bench import state_load
from bench.by_columns import by_columns, taken
from bench.state import UNGUARDED
from services.inventory import store
from services.inventory.rules import Kept
from tests.builders import NOON
from tests.parts import Database

DIFFERENCE = """
    (SELECT * FROM asset EXCEPT SELECT * FROM bench_floor) UNION ALL
    (SELECT * FROM bench_floor EXCEPT SELECT * FROM asset)
"""


@pytest.mark.parametrize("load", [state_load.changing, state_load.ordinary], ids=["changing", "ordinary"])
async def test_both_leave_the_same_rows(database: Database, load: state_load.Load) -> None:
    connection = await asyncpg.connect(database.admin, server_settings={"search_path": "inventory"})
    try:
        await connection.execute("DROP TABLE IF EXISTS bench_floor; TRUNCATE asset")
        await connection.execute("CREATE TABLE bench_floor (LIKE asset INCLUDING ALL)")
        statement = await by_columns(connection, UNGUARDED, table="asset", into="bench_floor")
        kept: dict[UUID, Kept] = {}
        for hour in range(2):
            events = list(state_load.events(load, 40, first_at=NOON + timedelta(hours=hour), seed=0, devices=20))
            rows = [store.row(step) for step in state_load.steps(events, kept)]
            await connection.execute(store.SAVE, rows)
            await connection.execute(statement, *zip(*taken(rows), strict=True))

        assert await connection.fetchval("SELECT count(*) FROM asset WHERE tags <> '{}'") > 0
        assert await connection.fetch(DIFFERENCE) == []
    finally:
        await connection.close()


async def test_a_statement_that_takes_no_rows_is_refused(database: Database) -> None:
    connection = await asyncpg.connect(database.admin)
    try:
        with pytest.raises(ValueError, match="one array of rows"):
            await by_columns(connection, "INSERT INTO asset (a) VALUES ($1)", table="asset", into="bench_floor")
    finally:
        await connection.close()
