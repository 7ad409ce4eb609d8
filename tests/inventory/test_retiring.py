"""Retirements: with a reason, told at once, undone by whatever is heard from later, in any order."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from chassis import commands
from contracts import ids
from contracts.events.asset import AssetChanged, AssetRemoved
from contracts.order import OrderKey
from services.inventory import rules
from services.inventory.commands_retire import asset_app
from services.inventory.rules import Asset
from services.inventory.rules_stamp import stamp
from tests.builders import HOUR, NOON, SOURCE
from tests.inventory.conftest import Inventory
from tests.inventory.facts import asset_of, patch_detected, removed, seen, usable
from tests.inventory.test_commands import two_clients
from tests.inventory.test_joining import serials
from tests.inventory.test_merging import AGENT_ID, RMM_ID

__all__ = ["two_clients"]

ASSET = ids.asset_id(SOURCE, "d1")
SECOND = timedelta(seconds=1)


def gone(at: datetime = NOON + HOUR) -> Asset:
    return rules.retired(asset_of([seen()]), at, stamp(OrderKey(at, UUID(int=1))))


@pytest.mark.parametrize(
    ("word", "is_removed"),
    [
        (patch_detected(at=NOON + HOUR - SECOND), True),
        (patch_detected(at=NOON + HOUR), True),
        (patch_detected(at=NOON + HOUR + SECOND), False),
        (seen(at=NOON + HOUR + SECOND), False),
        (removed(at=NOON + HOUR + SECOND), True),
    ],
    ids=["a late word", "of the same second", "it reports again", "it is enrolled anew", "the vendor removed it too"],
)
def test_a_retired_machine_comes_back_when_it_is_heard_from_later(word: Any, *, is_removed: bool) -> None:
    after = rules.folded(ASSET, gone(), [usable(word)])

    assert after.is_removed is is_removed


WORDS = st.lists(
    st.tuples(st.sampled_from([seen, removed, patch_detected]), st.integers(30, 90)),
    min_size=1,
    max_size=5,
    unique=True,
)


@given(words=WORDS, shuffle=st.randoms(use_true_random=False))
def test_what_is_heard_after_a_retirement_makes_the_same_asset_in_any_order(words: Any, shuffle: Any) -> None:
    facts = [usable(make(at=NOON + minutes * timedelta(minutes=1))) for make, minutes in words]
    in_order = rules.folded(ASSET, gone(), facts)
    shuffle.shuffle(facts)
    one_by_one = gone()
    for each in [*facts, facts[0]]:
        one_by_one = rules.folded(ASSET, one_by_one, [each])

    assert one_by_one == in_order


async def typed(*words: object) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, asset_app, [str(word) for word in words])


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    answer: list[dict[str, Any]] = json.loads(result.stdout)
    return answer


@pytest.mark.usefixtures("two_clients")
async def test_a_retirement_is_told_with_its_reason_and_listed_for_ever(inventory: Inventory) -> None:
    rows(await typed("retire", "acme-1", "--reason", "sold in March", "--by", "kim", "--json"))

    told = (await inventory.published())[-1]
    assert (told.subject, told.data) == (str(ASSET), AssetRemoved(reason="sold in March"))
    assert "acme-1" not in [each["hostname"] for each in rows(await typed("list", "--json"))]
    [line] = rows(await typed("retirements", "--json"))
    assert (line["machine"], line["reason"], line["who"], line["came_back"]) == (
        "acme-1",
        "sold in March",
        "kim",
        False,
    )


@pytest.mark.usefixtures("two_clients")
async def test_a_machine_that_reports_again_is_told_of_again(inventory: Inventory) -> None:
    rows(await typed("retire", "acme-1", "--reason", "lost", "--json"))
    retired = (await inventory.published())[-1]
    await inventory.hears(patch_detected(at=NOON + HOUR))
    assert (await inventory.published())[-1].id == retired.id

    again = patch_detected(at=retired.time + SECOND)
    await inventory.hears(again._replace(received=again.time))

    back = (await inventory.published())[-1]
    assert isinstance(back.data, AssetChanged)
    assert (back.data.hostname, back.sequence and retired.sequence and back.sequence > retired.sequence) == (
        "acme-1",
        True,
    )
    [line] = rows(await typed("retirements", "--json"))
    assert line["came_back"]


@pytest.mark.usefixtures("two_clients")
async def test_a_machine_of_two_sources_is_retired_as_one(inventory: Inventory) -> None:
    await inventory.hears(*serials("C02XK1"))
    rows(await typed("merge", RMM_ID, AGENT_ID, "--why", "one server", "--json"))

    rows(await typed("retire", AGENT_ID, "--reason", "scrapped", "--json"))

    told = (await inventory.published())[-1]
    assert (told.subject, told.data) == (str(min(RMM_ID, AGENT_ID)), AssetRemoved(reason="scrapped"))
    assert {str(RMM_ID), str(AGENT_ID)}.isdisjoint(each["asset"] for each in rows(await typed("list", "--json")))


@pytest.mark.usefixtures("two_clients")
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("retire", "acme-1", "--reason", " "), commands.WRONG_USE, "1 to 500 characters"),
        (("retire", "acme-1", "--reason", "two\nlines"), commands.WRONG_USE, "on one line"),
        (("retire", "nobody", "--reason", "r"), commands.NO, "no asset 'nobody'"),
        (("retire", ids.asset_id(SOURCE, "d3"), "--reason", "r"), commands.NO, "not in the inventory any more"),
    ],
    ids=["no reason", "two lines", "nobody", "gone already"],
)
async def test_what_cannot_be_retired_is_refused(words: tuple[object, ...], code: int, says: str) -> None:
    refused = await typed(*words)

    assert refused.exit_code == code
    assert says in refused.stderr
