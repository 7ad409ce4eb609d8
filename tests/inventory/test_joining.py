"""The automaton joins what one serial number makes one machine; a person's unmerge holds against it for ever."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from chassis.health import HealthServer, Progress
from chassis.platform import Platform
from chassis.postgres import open_pool, transaction
from chassis.relay import Relay
from contracts import ids
from contracts.envelope import Envelope
from services.inventory import app, joining, merging
from services.inventory.app import InventorySettings
from services.inventory.joining import Joining
from services.inventory.merging import Decision, Refusal
from tests.builders import BIRCH, HOUR, MINUTE, NOON
from tests.inventory.conftest import Inventory
from tests.inventory.facts import removed, seen
from tests.inventory.test_merging import AGENT, AGENT_ID, RMM, RMM_ID, decision, of_agent, unmerge
from tests.parts import Database

THIRD = "rmm/datto/main"


def of_third(event: Envelope) -> Envelope:
    return event._replace(source=THIRD, id=ids.fact_id(event.id, "third", THIRD))


def platform_of(inventory: Inventory) -> Platform:
    progress = Progress()
    return Platform(
        pool=inventory.pool,
        kafka="127.0.0.1:1",
        clock=lambda: NOON + HOUR,
        progress=progress,
        relay=Relay(dsn="", kafka="", progress=progress),
        health=HealthServer(progress, "127.0.0.1", 0),
    )


def automaton(inventory: Inventory) -> Joining:
    return Joining(platform_of(inventory), seconds=0.05)


async def suggested(inventory: Inventory) -> list[tuple[str, list[UUID]]]:
    async with transaction(inventory.pool) as tx:
        return [(each.serial, [one.asset_id for one in each.assets]) for each in await joining.suggested(tx)]


async def one_of_all(inventory: Inventory) -> dict[object, object]:
    return {row["asset_id"]: row["surviving_id"] for row in await inventory.table("asset_merge")}


async def test_one_serial_number_at_two_sources_is_suggested_and_joined_once(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    assert await suggested(inventory) == []  # `S-1` is too short to tell a machine

    await inventory.hears(*serials("C02XK1"))

    assert await suggested(inventory) == [("c02xk1", sorted([RMM_ID, AGENT_ID]))]
    assert [await automaton(inventory).join(), await automaton(inventory).join()] == [1, 0]
    assert await one_of_all(inventory) == dict.fromkeys([RMM_ID, AGENT_ID], min(RMM_ID, AGENT_ID))
    [line] = await inventory.table("asset_merge_history")
    assert (line["who"], line["by_hand"]) == ("inventory", False)
    assert "c02xk1" in str(line["why"])


def serials(of_rmm: str, of_the_agent: str | None = None) -> list[Envelope]:
    """Return both devices with these serial numbers."""
    agents = of_agent(seen("a1", at=NOON + 2 * MINUTE, serial=of_the_agent or of_rmm.lower()))
    return [seen("d1", at=NOON + MINUTE, serial=of_rmm), agents]


@pytest.mark.parametrize(
    "also",
    [
        [seen("d2", serial="C02XK1")],
        [seen("d2", serial="c02xk1")._replace(tenant=BIRCH)],
        [of_agent(removed("a1", at=NOON + HOUR))],
    ],
    ids=["a second device of the source", "a second device of the source, another client's", "the agent's was removed"],
)
async def test_a_number_that_is_not_one_of_each_source_tells_nothing(
    inventory: Inventory, also: list[Envelope]
) -> None:
    await inventory.hears(*serials("C02XK1"), *also)

    assert await suggested(inventory) == []
    assert await automaton(inventory).join() == 0


async def test_the_loop_joins_until_it_is_told_to_stop(inventory: Inventory) -> None:
    await inventory.hears(*serials("C02XK1"))
    stopping = asyncio.Event()
    running = asyncio.create_task(automaton(inventory).run(stopping))

    async with asyncio.timeout(20):
        while not await one_of_all(inventory):
            await asyncio.sleep(0.02)
        stopping.set()
        await running

    assert len(await one_of_all(inventory)) == 2


async def test_the_loop_waits_out_a_database_that_is_away(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    pool = await open_pool(database.writer("inventory"), application="test")
    pool.terminate()
    stopping = asyncio.Event()
    running = asyncio.create_task(automaton(Inventory(pool)).run(stopping))

    async with asyncio.timeout(20):
        while not caplog.messages.count("joined later") > 1:
            await asyncio.sleep(0.02)
        stopping.set()
        await running

    assert running.exception() is None


@pytest.mark.parametrize(
    ("is_on", "lanes", "names"),
    [(False, "both", []), (True, "both", ["joining"]), (True, "live", ["joining"]), (True, "bulk", [])],
    ids=["off", "on", "live alone", "bulk alone"],
)
async def test_the_automaton_runs_only_where_it_is_switched_on(
    inventory: Inventory, *, is_on: bool, lanes: str, names: list[str]
) -> None:
    settings = InventorySettings.model_validate(
        {"database_url": "postgresql://x@y/z", "kafka": "x:1", "lanes": lanes, "merge_automatically": is_on}
    )

    assert [each.name for each in app.loops(settings, platform_of(inventory))] == names


async def test_two_clients_are_never_joined(inventory: Inventory) -> None:
    rmm, agents = serials("C02XK1")
    await inventory.hears(rmm, agents._replace(tenant=BIRCH))

    assert await automaton(inventory).join() == 0


async def test_a_persons_unmerge_holds_for_ever_and_a_persons_merge_goes_before_it(inventory: Inventory) -> None:
    await inventory.hears(*serials("C02XK1"))
    await automaton(inventory).join()

    await unmerge(inventory)

    assert (await suggested(inventory), await automaton(inventory).join()) == ([], 0)
    async with transaction(inventory.pool) as tx:
        again = await merging.merge(tx, [RMM_ID, AGENT_ID], decision(NOON + timedelta(days=1)))
    assert again == min(RMM_ID, AGENT_ID)


async def test_a_third_witness_joins_the_two_that_are_one(inventory: Inventory) -> None:
    await inventory.hears(*serials("C02XK1"))
    await automaton(inventory).join()
    third = ids.asset_id(THIRD, "t1")

    await inventory.hears(of_third(seen("t1", serial="C02XK1")))
    await automaton(inventory).join()

    assert set((await one_of_all(inventory)).values()) == {min(RMM_ID, AGENT_ID, third)}


async def test_what_was_suggested_and_is_not_so_any_more_is_not_joined(inventory: Inventory) -> None:
    await inventory.hears(*serials("C02XK1", "C02XK2"))
    late = Decision(who="inventory", why="late", at=NOON + HOUR, by_hand=False, serial="c02xk1")

    async with transaction(inventory.pool) as tx:
        done = await merging.merge(tx, [RMM_ID, AGENT_ID], late)

    assert done == Refusal("their serial numbers are not the same any more")
