"""`patchline asset merge`, `unmerge`, `merges`, `suggest`, `list` and `show` of what is one machine, as typed."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from chassis import commands
from contracts import ids
from contracts.events.asset import AssetChanged, AssetRemoved
from services.inventory.commands_merge import asset_app
from tests.builders import SOURCE
from tests.inventory.conftest import Inventory
from tests.inventory.facts import seen
from tests.inventory.test_commands import two_clients
from tests.inventory.test_joining import serials
from tests.inventory.test_merging import AGENT_ID, AGENTS, RMM_ID

__all__ = ["two_clients"]

pytestmark = pytest.mark.usefixtures("two_clients")
THEIRS = ids.asset_id(SOURCE, "d2")
"""An asset of another client."""


async def typed(*words: object) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, asset_app, [str(word) for word in words])


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    answer: list[dict[str, Any]] = json.loads(result.stdout)
    return answer


@pytest.fixture
async def twins(inventory: Inventory) -> UUID:
    """Return the surviving id of two assets that have one serial number."""
    await inventory.hears(*serials("C02XK1"))
    return min(RMM_ID, AGENT_ID)


async def merge() -> Result:
    return await typed("merge", RMM_ID, AGENT_ID, "--why", "one server", "--by", "kim", "--json")


async def test_a_merge_is_decided_told_and_listed(inventory: Inventory, twins: UUID) -> None:
    before = len(await inventory.published())

    [done] = rows(await merge())

    assert done["surviving"] == str(twins)
    told = {each.subject: each.data for each in (await inventory.published())[before:]}
    assert {asset: type(each) for asset, each in told.items()} == {
        str(twins): AssetChanged,
        str(max(RMM_ID, AGENT_ID)): AssetRemoved,
    }
    [line] = rows(await typed("merges", "--json"))
    assert (line["kind"], line["who"], line["why"], line["by_hand"]) == ("merged", "kim", "one server", True)
    assert "one server" in (await typed("merges")).stdout


async def test_one_machine_is_listed_once_with_its_pairs_and_shown_with_all_words(twins: UUID) -> None:
    rows(await merge())

    [one] = [each for each in rows(await typed("list", "--json")) if each["serial"] in {"C02XK1", "c02xk1"}]

    assert (one["asset"], one["members"]) == (str(twins), sorted([f"{AGENTS}/a1", f"{SOURCE}/d1"], key=_by_id))
    assert (one["hostname"], one["tier"]) == ("acme-1", "server")
    sources = {each["source"] for each in rows(await typed("show", twins, "--json"))}
    assert sources == {SOURCE, AGENTS}


def _by_id(pair: str) -> UUID:
    source, _, device = pair.rpartition("/")
    return ids.asset_id(source, device)


async def test_an_unmerge_lists_both_again(twins: UUID) -> None:
    rows(await merge())

    [done] = rows(await typed("unmerge", AGENT_ID, "--why", "a clone", "--json"))

    assert done["others_are"] == str(RMM_ID)
    listed = {each["asset"]: each["members"] for each in rows(await typed("list", "--json"))}
    assert listed[str(RMM_ID)] == listed[str(AGENT_ID)] == []
    assert [each["kind"] for each in rows(await typed("merges", "--json"))] == ["merged", "unmerged"]
    assert rows(await typed("suggest", "--json")) == []
    assert twins in {RMM_ID, AGENT_ID}


async def test_what_is_probably_one_machine_is_suggested(twins: UUID) -> None:
    found = rows(await typed("suggest", "--json"))

    assert {each["asset"] for each in found} == {str(RMM_ID), str(AGENT_ID)}
    assert {each["serial"] for each in found} == {"c02xk1"}
    assert found[0]["asset"] == str(twins)
    rows(await merge())
    assert rows(await typed("suggest", "--json")) == []


@pytest.mark.usefixtures("twins")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("merge", RMM_ID, THEIRS, "--why", "w"), commands.NO, "different clients"),
        (("merge", RMM_ID, RMM_ID, "--why", "w"), commands.NO, "one asset already"),
        (("merge", RMM_ID, "nobody", "--why", "w"), commands.NO, "there is no asset 'nobody'"),
        (("merge", RMM_ID, AGENT_ID, "--why", " "), commands.WRONG_USE, "--why"),
        (("merge", RMM_ID, AGENT_ID), commands.WRONG_USE, ""),
        (("merge", "acme-1", "twin", "--why", "w"), commands.WRONG_USE, "several assets"),
        (("unmerge", RMM_ID, "--why", "w"), commands.NO, "one with no other asset"),
        (("unmerge", "nobody", "--why", "w"), commands.NO, "there is no asset"),
    ],
    ids=["two clients", "itself", "unknown", "no reason", "no why", "two of the name", "not merged", "unknown alone"],
)
async def test_what_cannot_be_done_is_said_and_changes_nothing(
    inventory: Inventory,
    *,
    words: tuple[object, ...],
    code: int,
    says: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    await inventory.hears(seen("d7", hostname="twin"), seen("d8", hostname="twin"))

    result = await typed(*words)

    assert result.exit_code == code
    assert says in result.output + capfd.readouterr().err
    assert await inventory.table("asset_merge") == []
