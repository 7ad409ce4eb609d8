"""Merges on a real database: what is told, whichever came first, and that an unmerge brings everything back."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest

from chassis.postgres import transaction
from contracts import ids
from contracts.envelope import Envelope
from contracts.events.asset import AssetChanged, AssetRemoved
from services.inventory import merging, store_merges
from services.inventory.merging import Decision, Refusal
from services.inventory.store import AssetMovedOn
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON, SOURCE
from tests.inventory.conftest import Inventory
from tests.inventory.facts import again, patch_detected, removed, seen, updated

AGENTS = "rmm/glpi-agent/acme"
RMM_ID, AGENT_ID = ids.asset_id(SOURCE, "d1"), ids.asset_id(AGENTS, "a1")
SURVIVING, GONE = sorted([RMM_ID, AGENT_ID])


def of_agent(event: Envelope, *, tenant: UUID = ACME) -> Envelope:
    """Return `event` as the agent's source tells it."""
    return event._replace(source=AGENTS, tenant=tenant, id=ids.fact_id(event.id, "agent", AGENTS))


RMM = seen("d1", hostname="pc-1", serial="S-1", os_name="Windows 11 Pro", tags=("kiosk",))
AGENT = of_agent(seen("a1", at=NOON + MINUTE, hostname="PC-1", serial="S-1", os_build="10.0.22631.4602"))


def decision(at: datetime = NOON + HOUR, *, by_hand: bool = True) -> Decision:
    return Decision(who="kim", why="the same machine", at=at, by_hand=by_hand)


async def merge(inventory: Inventory, *asset_ids: UUID, decided: Decision | None = None) -> UUID | Refusal:
    async with transaction(inventory.pool) as tx:
        return await merging.merge(tx, asset_ids or (RMM_ID, AGENT_ID), decided or decision())


async def unmerge(inventory: Inventory, asset_id: UUID = AGENT_ID, decided: Decision | None = None) -> UUID | Refusal:
    async with transaction(inventory.pool) as tx:
        return await merging.unmerge(tx, asset_id, decided or decision(NOON + 2 * HOUR))


async def records(inventory: Inventory) -> dict[UUID, AssetChanged]:
    """Return what the compacted topic comes to: of each asset the newest record, but of those removed."""
    newest: dict[UUID, Envelope] = {}
    for each in await inventory.published():
        kept = newest.get(UUID(each.subject))
        if kept is None or (kept.sequence or 0) < (each.sequence or 0):
            newest[UUID(each.subject)] = each
    return {asset: each.data for asset, each in newest.items() if isinstance(each.data, AssetChanged)}


async def test_two_assets_become_one_record_and_the_other_goes_away(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)

    assert await merge(inventory) == SURVIVING

    [(asset, record)] = (await records(inventory)).items()
    assert (asset, record.asset) == (SURVIVING, str(SURVIVING))
    assert (record.hostname, record.os_name, record.os_build) == ("PC-1", "Windows 11 Pro", "10.0.22631.4602")
    assert {(each.source, each.device) for each in record.members or ()} == {(SOURCE, "d1"), (AGENTS, "a1")}
    [gone] = [each for each in await inventory.published() if isinstance(each.data, AssetRemoved)]
    assert (gone.subject, gone.data) == (str(GONE), AssetRemoved(merged_into=str(SURVIVING)))
    assert gone.tenant == ACME


async def test_a_merge_again_changes_nothing_and_says_so(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)
    told = await inventory.published()

    assert await merge(inventory, AGENT_ID, RMM_ID) == Refusal("they are one asset already")

    assert await inventory.published() == told
    assert len(await inventory.table("asset_merge_history")) == 1


async def test_what_either_pair_says_later_changes_the_one_record(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)

    await inventory.hears(updated("d1", at=NOON + 2 * HOUR, location="Berlin"))
    await inventory.hears(of_agent(updated("a1", at=NOON + 3 * HOUR, os_build="10.0.22631.5000")))

    [record] = (await records(inventory)).values()
    assert (record.location, record.os_build) == ("Berlin", "10.0.22631.5000")
    assert record.last_seen_at == NOON + 3 * HOUR


async def test_a_late_word_of_one_pair_takes_nothing_from_a_newer_one_of_the_other(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)

    await inventory.hears(updated("d1", at=NOON + MINUTE / 2, os_build="10.0.22631.1"))

    [record] = (await records(inventory)).values()
    assert record.os_build == "10.0.22631.4602"


async def test_a_repeated_delivery_after_a_merge_changes_nothing(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)
    before = await records(inventory)

    await inventory.hears(again(RMM, later=HOUR), again(AGENT, later=HOUR))

    assert await records(inventory) == before


async def test_a_bad_neighbour_in_the_batch_harms_no_merged_asset(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)
    nobodys = seen("d9")._replace(tenant=None)

    batch = await inventory.hears(nobodys, updated("d1", at=NOON + 2 * HOUR, location="Berlin"), patch_detected("d7"))

    assert len(batch.refused) == 1
    assert (await records(inventory))[SURVIVING].location == "Berlin"


async def test_an_unmerge_brings_both_records_back_as_if_there_had_been_no_merge(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    before = await records(inventory)
    await merge(inventory)
    await inventory.hears(updated("d1", at=NOON + 90 * MINUTE, location="Berlin"))

    assert await unmerge(inventory) == RMM_ID

    after = await records(inventory)
    assert {asset: [(one.source, one.device) for one in each.members or ()] for asset, each in after.items()} == {
        RMM_ID: [(SOURCE, "d1")],
        AGENT_ID: [(AGENTS, "a1")],
    }
    assert after[AGENT_ID].model_copy(update={"members": None}) == before[AGENT_ID]
    assert after[RMM_ID].location == "Berlin"
    assert await unmerge(inventory) == Refusal("it is one with no other asset")


async def test_after_an_unmerge_each_pair_speaks_for_itself_again(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)
    await unmerge(inventory)

    await inventory.hears(of_agent(updated("a1", at=NOON + 3 * HOUR, location="Attic")))

    found = await records(inventory)
    assert (found[RMM_ID].location, found[AGENT_ID].location) == (None, "Attic")


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_any_order_of_words_and_merge_ends_in_the_same_record(inventory: Inventory, order: Sequence[int]) -> None:
    later = [
        [updated("d1", at=NOON + 2 * HOUR, location="Berlin")],
        [of_agent(updated("a1", at=NOON + 3 * HOUR, os_build="10.0.22631.5000"))],
        [patch_detected("d1", at=NOON + 4 * HOUR)],
    ]
    await inventory.hears(RMM, AGENT)

    for number in order:
        if number < len(later):
            await inventory.hears(*later[number])
        else:
            await merge(inventory)

    [record] = (await records(inventory)).values()
    assert (record.asset, record.location, record.os_build) == (str(SURVIVING), "Berlin", "10.0.22631.5000")


async def test_the_asset_stays_while_one_of_its_pairs_lives_and_goes_with_the_last(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)

    await inventory.hears(removed("d1", at=NOON + 2 * HOUR))
    [(asset, record)] = (await records(inventory)).items()
    await inventory.hears(of_agent(removed("a1", at=NOON + 3 * HOUR)))
    none = await records(inventory)
    await inventory.hears(seen("d1", at=NOON + 4 * HOUR))

    assert (asset, record.source, none) == (SURVIVING, AGENTS, {})
    assert list(await records(inventory)) == [SURVIVING]


async def test_an_unmerge_of_what_is_removed_says_whose_its_device_is(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)
    await inventory.hears(removed("d1", at=NOON + 90 * MINUTE))

    await unmerge(inventory, RMM_ID)

    [*_, last] = [each for each in await inventory.published() if each.subject == str(RMM_ID)]
    assert last.data == AssetRemoved(merged_into=str(RMM_ID))
    assert list(await records(inventory)) == [AGENT_ID]


async def test_batches_and_decisions_side_by_side_lose_nothing(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)

    async def hears(device: str) -> None:
        for number in range(1, 21):
            said = updated(device, at=NOON + number * MINUTE, os_build=f"{number}", location=f"{device}-{number}")
            while True:
                try:
                    await inventory.hears(of_agent(said) if device == "a1" else said)
                except AssetMovedOn:
                    continue
                break

    async def decides() -> None:
        for number in range(1, 12):
            at = NOON + timedelta(days=number)
            done = await (
                merge(inventory, decided=decision(at)) if number % 2 else unmerge(inventory, decided=decision(at))
            )
            assert not isinstance(done, Refusal)

    await asyncio.gather(hears("d1"), hears("a1"), decides())

    [(asset, record)] = (await records(inventory)).items()
    assert (asset, record.os_build) == (SURVIVING, "20")
    assert len(record.members or ()) == 2


async def test_clients_are_never_mixed(inventory: Inventory) -> None:
    await inventory.hears(RMM, of_agent(AGENT, tenant=BIRCH))

    refusal = await merge(inventory)

    assert refusal == Refusal("they belong to different clients, and clients are never mixed")
    assert await inventory.table("asset_merge") == []


async def test_a_pair_that_goes_to_another_client_leaves_the_merge(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)

    await inventory.hears(updated("d1", at=NOON + 2 * HOUR, location="Berlin")._replace(tenant=BIRCH))

    assert {asset: each.location for asset, each in (await records(inventory)).items()} == {
        RMM_ID: "Berlin",
        AGENT_ID: None,
    }
    [_, line] = sorted(await inventory.table("asset_merge_history"), key=lambda each: str(each["decided_at"]))
    assert (line["kind"], line["who"], line["why"]) == ("unmerged", "inventory", merging.CHANGED_HANDS)
    assert {each["asset_id"]: each["tenant_id"] for each in await inventory.table("asset_merge")} == {
        RMM_ID: BIRCH,
        AGENT_ID: ACME,
    }
    assert await inventory.table("asset_apart") == []


async def test_an_asset_that_is_not_there_is_named(inventory: Inventory) -> None:
    await inventory.hears(RMM)

    assert await merge(inventory) == Refusal(f"there is no asset {AGENT_ID}")
    assert await unmerge(inventory) == Refusal(f"there is no asset {AGENT_ID}")


async def test_history_says_who_why_when_and_by_which_words(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)
    await merge(inventory)
    await unmerge(inventory)

    first, last = sorted(await inventory.table("asset_merge_history"), key=lambda each: str(each["decided_at"]))

    assert (first["kind"], first["who"], first["why"], first["by_hand"]) == ("merged", "kim", "the same machine", True)
    evidence: object = first["evidence"]
    assert isinstance(evidence, dict)
    assert evidence[str(RMM_ID)] == {"source": SOURCE, "device": "d1", "hostname": "pc-1", "serial": "S-1"}
    assert (last["kind"], last["assets"], last["surviving_id"]) == ("unmerged", [AGENT_ID], RMM_ID)
    assert [(each["smaller_id"], each["larger_id"]) for each in await inventory.table("asset_apart")] == [
        (SURVIVING, GONE)
    ]


async def test_a_batch_that_a_merge_overtook_is_taken_up_again(inventory: Inventory) -> None:
    await inventory.hears(RMM, AGENT)

    async with transaction(inventory.pool) as tx:
        before = await store_merges.memberships(tx, [RMM_ID])
        await merge(inventory)
        with pytest.raises(AssetMovedOn, match="meanwhile"):
            await merging.locked(tx, [RMM_ID], before)
