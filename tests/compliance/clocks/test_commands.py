"""What an operator sees of windows."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from services.compliance.clocks.commands import window_app
from tests.builders import ACME
from tests.compliance.clocks.calendar import SUNDAYS, Calendar
from tests.compliance.clocks.moments import utc
from tests.compliance.house import House

ADD_CLIENT = "INSERT INTO gateway.client VALUES ($1, $2, 'UTC', NULL, NULL, now(), now()) ON CONFLICT DO NOTHING"


@pytest.fixture
async def calendar(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Calendar]:
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", house.database.operator)
    admin = await asyncpg.connect(house.database.admin)
    await admin.execute(ADD_CLIENT, ACME, "Acme Dental")
    await admin.close()
    made = Calendar(house)
    await made.empty()
    house.now = utc("2025-03-01 12:00")
    yield made
    await made.empty()


async def run(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, window_app, [*words])


async def answer(*words: str) -> Any:
    done = await run(*words, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def test_windows_are_shown_with_the_time_there_and_what_the_clocks_do(calendar: Calendar) -> None:
    await calendar.agree({"weekly": SUNDAYS})

    first, second = await answer("list", "--client", "Acme Dental", "--from", "2025-03-02T10:59:59Z", "--most", "2")

    assert (first["window"], first["start"], first["note"]) == ("weekly", "2025-03-02 07:00:00+00:00", None)
    assert second["there"] == "Sun 2025-03-09 03:00 EDT to 07:00 EDT"
    assert second["note"] == "the clocks skip its start: later by as much"
    assert second["tzdata"] == "2025a"


async def test_the_tz_data_that_was_read_is_listed(calendar: Calendar) -> None:
    await calendar.look()
    calendar.start("2025b")
    await calendar.look()

    assert [row["version"] for row in await answer("tzdata")] == ["2025b", "2025a"]


@pytest.mark.usefixtures("calendar")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--client", "Nobody"), 2, "no client called"),
        (("--client", "Acme Dental", "--from", "2025-03-02T10:00"), 2, "no offset"),
        (("--client", "Acme Dental", "--from", "soon"), 2, "no moment"),
    ],
)
async def test_what_cannot_be_shown_is_refused(words: tuple[str, ...], code: int, says: str) -> None:
    done = await run("list", *words)

    assert (done.exit_code, says in done.output) == (code, True)
