"""`patchline monitor`, as typed, against a real database."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from services.compliance.monitors.commands import monitor_app
from tests.builders import ACME
from tests.compliance.monitors.room import Room
from tests.compliance.stories import A, booted, failed, hour, listed, reported, scanned

ADD_CLIENT = (
    "INSERT INTO gateway.client VALUES ($1, 'Acme Dental', 'UTC', NULL, NULL, now(), now()) ON CONFLICT DO NOTHING"
)


@pytest.fixture
async def watched(room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A client whose server restarted on a Wednesday, failed an update, missed a window and fell silent."""
    admin = await asyncpg.connect(room.house.database.admin)
    await admin.execute(ADD_CLIENT, ACME)
    await admin.close()
    await room.apply()
    room.house.now = hour(12)
    await room.house.hear(scanned(9), listed(9), reported(10.5), booted(10.8), failed(11))
    await room.settle()
    await room.at(hour(112))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", room.house.database.operator)
    moved = room.house.now - datetime.now(UTC)
    monkeypatch.setenv("PATCHLINE_CLOCK_OFFSET_SECONDS", str(int(moved.total_seconds())))


async def typed(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, monitor_app, [*words])


async def answer(*words: str) -> list[dict[str, Any]]:
    done = await typed(*words, "--json")
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


@pytest.mark.usefixtures("watched")
async def test_everything_that_is_watched_can_be_read() -> None:
    conditions = await answer("list", "--client", "Acme Dental")
    delays = {each["monitor"]: each for each in await answer("delays")}
    [restart] = await answer("reboots", "--verdict", "surprise")
    [missed] = await answer("windows")
    [source] = await answer("sources")

    assert {each["monitor"] for each in conditions} == {"updates_failed", "detection"}
    assert (delays["updates_failed"]["told"], delays["updates_failed"]["longest_seconds"]) == (1, 3600)
    assert (restart["machine"], restart["deployed"]) == ("DC01", True)
    assert (missed["window_name"], missed["misses"], missed["ticket"]) == ("servers-sunday", 1, False)
    assert (source["source"], source["silent"]) == (A, True)


@pytest.mark.usefixtures("watched")
async def test_people_get_a_table_and_an_unknown_client_is_named() -> None:
    assert "DC01" in (await typed("list")).stdout
    assert "surprise" in (await typed("reboots")).stdout

    refused = await typed("windows", "--client", "Nobody")

    assert refused.exit_code == 1
    assert "there is no client called 'Nobody'" in refused.stderr
