"""`patchline asset list`, as typed, against a real database."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from contracts.events import rmm
from services.inventory.commands import asset_app
from tests.builders import ACME, BIRCH, NOON, client_changed, of_device
from tests.inventory.conftest import Inventory
from tests.inventory.facts import removed, seen
from tests.inventory.listings import listed
from tests.parts import Database

KNOWN_TO_THE_GATEWAY = """
    INSERT INTO gateway.client (tenant_id, name, zone, added_at, changed_at)
    SELECT tenant_id, tenant_id::text, 'UTC', $2, $2 FROM unnest($1::uuid[]) AS t (tenant_id)
    ON CONFLICT DO NOTHING
"""


@pytest.fixture
async def two_clients(
    database: Database, inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clients with a device each; a third device is removed."""
    monkeypatch.setenv("PATCHLINE_HOME", str(tmp_path))
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", database.operator)
    admin = await asyncpg.connect(database.admin)
    await admin.execute(KNOWN_TO_THE_GATEWAY, [ACME, BIRCH], NOON)
    await admin.close()
    await inventory.hears_of_clients(
        client_changed("Acme Dental", sequence=1), client_changed("Birch Law", sequence=1, tenant=BIRCH)
    )
    theirs = of_device(rmm.DeviceSeen(device="d2", facts=rmm.DeviceFacts(hostname="birch-1")), tenant=BIRCH)
    await inventory.hears(seen(hostname="acme-1", os_name="Windows Server 2022"), theirs, removed("d3"))


async def typed(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, asset_app, ["list", *words])


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    answer: list[dict[str, Any]] = json.loads(result.stdout)
    return answer


@pytest.mark.usefixtures("two_clients")
async def test_all_assets_are_listed_but_the_removed_ones() -> None:
    listed = rows(await typed("--json"))

    assert [(row["client"], row["hostname"], row["tier"], row["tier_from"]) for row in listed] == [
        ("Acme Dental", "acme-1", "server", "os_name"),
        ("Birch Law", "birch-1", "workstation", "default"),
    ]


@pytest.mark.usefixtures("two_clients")
async def test_one_clients_assets_are_listed() -> None:
    listed = rows(await typed("--client", "Birch Law", "--json"))

    assert [row["device"] for row in listed] == ["d2"]


@pytest.mark.usefixtures("two_clients")
async def test_a_client_that_is_not_there_is_said_not_shown_as_empty() -> None:
    answer = await typed("--client", "Nobody", "--json")

    assert answer.exit_code == 1
    assert "no client called 'Nobody'" in answer.output


@pytest.mark.usefixtures("two_clients")
async def test_people_get_a_table() -> None:
    answer = await typed()

    assert answer.exit_code == 0
    assert "Assets" in answer.output
    assert "acme-1" in answer.output


async def shown(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, asset_app, ["show", *words])


@pytest.mark.usefixtures("two_clients")
async def test_a_device_is_shown_word_by_word_with_who_said_it() -> None:
    words = {row["field"]: row for row in rows(await shown("acme-1", "--json"))}

    assert words["hostname"]["word"] == "acme-1"
    assert words["os_name"]["type"] == "device.seen.v1"
    assert words["os_name"]["since"].startswith(NOON.date().isoformat())


@pytest.mark.usefixtures("two_clients")
async def test_before_its_first_fact_nothing_is_true_of_a_device() -> None:
    assert rows(await shown("acme-1", "--as-of", "2001-01-01", "--json")) == []


@pytest.mark.usefixtures("two_clients")
async def test_a_device_that_is_not_there_is_said() -> None:
    answer = await shown("nowhere")

    assert answer.exit_code == 1
    assert "no device called 'nowhere'" in answer.output


@pytest.mark.usefixtures("two_clients")
async def test_the_applications_of_a_device_are_shown(inventory: Inventory) -> None:
    await inventory.hears(listed("openssl/3.0.15", "7-Zip/24.08"))

    answer = rows(await shown("acme-1", "--applications", "--json"))
    for_people = await shown("acme-1", "--applications")

    assert [(row["name"], row["version"]) for row in answer] == [("7-Zip", "24.08"), ("openssl", "3.0.15")]
    assert answer[0]["listed_at"].startswith(NOON.date().isoformat())
    assert "openssl" in for_people.output


@pytest.mark.usefixtures("two_clients")
async def test_of_applications_no_past_is_promised() -> None:
    answer = await shown("acme-1", "--applications", "--as-of", "2026-01-01")

    assert answer.exit_code == 2
    assert "--as-of" in answer.output
