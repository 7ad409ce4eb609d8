"""Inventory's handlers on a real database: does it, repeats it, gets it late, gets it beside a bad neighbour."""

import asyncio

import pytest

from chassis.postgres import transaction
from contracts import ids
from contracts.events import rmm
from contracts.events.asset import AssetChanged, AssetRemoved
from services.inventory import rules, store
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON, SOURCE, client_changed, event, of_device, rising
from tests.inventory.conftest import Inventory
from tests.inventory.facts import QUIET, patch_detected, removed, seen, updated, usable

ASSET = ids.asset_id(SOURCE, "d1")
LATER = NOON + MINUTE


async def test_a_device_becomes_an_asset_with_history_and_news(inventory: Inventory) -> None:
    enrolled = seen(hostname="pc-1", os_name="Windows Server 2022", tags=("ring-1", "ePHI: yes"), serial="S1")

    await inventory.hears(enrolled, of_device(rmm.DeviceOnline(device="d1"), at=LATER), patch_detected("d2"))

    first, second = await inventory.table("asset")
    asset = first if first["asset_id"] == ASSET else second
    assert asset | {"stamps": b""} == {
        "asset_id": ASSET,
        "tenant_id": ACME,
        "source": SOURCE,
        "device": "d1",
        "hostname": "pc-1",
        "os_family": "windows",
        "os_family_from": "os_name",
        "os_name": "Windows Server 2022",
        "os_version": None,
        "os_build": None,
        "tier": "server",
        "tier_from": "os_name",
        "owner": None,
        "location": None,
        "serial": "S1",
        "tags": ["ePHI: yes", "ring-1"],
        "ephi": True,
        "ephi_from": "tags",
        "online": True,
        "last_boot_at": None,
        "removed_at": None,
        "retired_at": None,
        "first_seen_at": NOON,
        "last_seen_at": LATER,
        "announced_seen_at": LATER,
        "revision": 1,
        "stamps": b"",
    }
    published = {each.subject: each for each in await inventory.published()}
    assert set(published) == {str(ASSET), str(ids.asset_id(SOURCE, "d2"))}
    assert published[str(ASSET)].sequence is not None
    assert isinstance(published[str(ASSET)].data, AssetChanged)


async def test_history_keeps_what_was_said_of_the_device_with_both_times(inventory: Inventory) -> None:
    enrolled = seen(hostname="pc-1")

    batch = await inventory.hears(enrolled, patch_detected(at=LATER))

    [line] = await inventory.table("device_fact")
    assert line["event_id"] == enrolled.id
    assert (line["occurred_at"], line["received_at"]) == (enrolled.time, enrolled.received)
    assert (line["effective_at"], line["recorded_at"]) == (NOON, batch.recorded_at)
    assert line["tenant_id"] == ACME
    assert line["type"] == "device.seen.v1"
    facts = line["facts"]
    assert isinstance(facts, dict)
    assert facts["facts"] == {"hostname": "pc-1"}


async def test_the_same_events_again_change_nothing(inventory: Inventory) -> None:
    events = [seen(hostname="pc-1"), updated(owner="ann", at=LATER), patch_detected(at=LATER), removed("d2", at=LATER)]
    await inventory.hears(*events, *events)
    tables = [await inventory.table(name) for name in ("asset", "device_fact", "outbox")]

    await inventory.hears(*reversed(events))

    assert [await inventory.table(name) for name in ("asset", "device_fact", "outbox")] == tables
    assert len(tables[1]) == 3
    assert len(tables[2]) == 2


async def test_a_late_event_adds_what_nobody_said_since_and_takes_nothing_back(inventory: Inventory) -> None:
    await inventory.hears(updated(hostname="pc-2", at=LATER))

    await inventory.hears(seen(hostname="pc-1", serial="S1"))

    [asset] = await inventory.table("asset")
    assert (asset["hostname"], asset["serial"]) == ("pc-2", "S1")
    assert (asset["first_seen_at"], asset["last_seen_at"]) == (NOON, LATER)
    assert len(await inventory.table("device_fact")) == 2
    assert rising([each.sequence for each in await inventory.published()])


async def test_a_bad_neighbour_is_refused_alone(inventory: Inventory) -> None:
    homeless = of_device(rmm.DeviceOnline(device="d9"), tenant=None)
    foreign = client_changed("Acme", sequence=1)

    batch = await inventory.hears(seen(), homeless, foreign, seen("d2"))

    assert [reason.partition(":")[0] for _, reason in batch.refused] == ["ce_tenantid", "ce_type"]
    assert {asset["device"] for asset in await inventory.table("asset")} == {"d1", "d2"}


async def test_a_device_that_is_only_seen_again_is_written_but_not_told(inventory: Inventory) -> None:
    await inventory.hears(seen(hostname="pc-1"))

    await inventory.hears(updated(hostname="pc-1", at=LATER))
    [asset] = await inventory.table("asset")

    assert (asset["last_seen_at"], asset["announced_seen_at"], asset["revision"]) == (LATER, NOON, 2)
    assert len(await inventory.published()) == 1


async def test_a_device_that_is_seen_after_a_quiet_hour_is_told_and_the_next_hour_begins(inventory: Inventory) -> None:
    await inventory.hears(seen())

    await inventory.hears(patch_detected(at=NOON + QUIET))
    await inventory.hears(patch_detected(at=NOON + QUIET + HOUR / 2))

    [asset] = await inventory.table("asset")
    assert (asset["last_seen_at"], asset["announced_seen_at"]) == (NOON + QUIET + HOUR / 2, NOON + QUIET)
    assert len(await inventory.published()) == 2


async def test_a_removed_asset_is_told_with_a_null_value_and_comes_back_whole(inventory: Inventory) -> None:
    await inventory.hears(seen(hostname="pc-1"))
    await inventory.hears(removed(at=LATER))
    await inventory.hears(updated(hostname="ghost", at=LATER + MINUTE))

    await inventory.hears(seen(at=LATER + HOUR))

    told = await inventory.published()
    assert [type(each.data) for each in told] == [AssetChanged, AssetRemoved, AssetChanged]
    assert rising([each.sequence for each in told])
    assert isinstance(told[-1].data, AssetChanged)
    assert told[-1].data.hostname == "ghost"


async def test_two_consumers_that_make_the_same_asset_at_once_lose_no_word(inventory: Inventory) -> None:
    one = rules.step(ASSET, None, [usable(seen(hostname="pc-1"))], quiet=QUIET)
    other = rules.step(ASSET, None, [usable(updated(serial="S1"))], quiet=QUIET)

    async with transaction(inventory.pool) as first:
        await store.save(first, [one])
        second = asyncio.create_task(_saved(inventory, other))
        await asyncio.sleep(0.2)
    with pytest.raises(store.AssetMovedOn):
        await second

    [asset] = await inventory.table("asset")
    assert asset["hostname"] == "pc-1"


async def _saved(inventory: Inventory, step: rules.Step) -> None:
    async with transaction(inventory.pool) as tx:
        assert await store.load_for_update(tx, [ASSET]) == {}
        await store.save(tx, [step])


async def test_a_clients_name_is_kept(inventory: Inventory) -> None:
    await inventory.hears_of_clients(
        client_changed("Acme", sequence=1), client_changed("Birch", sequence=1, tenant=BIRCH)
    )

    assert {row["tenant_id"]: row["name"] for row in await inventory.table("client")} == {ACME: "Acme", BIRCH: "Birch"}


async def test_a_clients_record_again_changes_nothing(inventory: Inventory) -> None:
    record = client_changed("Acme", sequence=3)
    await inventory.hears_of_clients(record)

    await inventory.hears_of_clients(record, record)

    assert await inventory.table("client") == [{"tenant_id": ACME, "name": "Acme", "sequence": 3}]


async def test_a_late_record_of_a_client_does_not_bring_its_old_name_back(inventory: Inventory) -> None:
    await inventory.hears_of_clients(client_changed("Acme Dental", sequence=4), client_changed("Acme 3", sequence=3))

    await inventory.hears_of_clients(client_changed("Acme 2", sequence=2))

    assert await inventory.table("client") == [{"tenant_id": ACME, "name": "Acme Dental", "sequence": 4}]


async def test_what_is_no_clients_record_is_refused_alone(inventory: Inventory) -> None:
    unnumbered = event(client_changed("Acme", sequence=1).data, subject=str(ACME))

    batch = await inventory.hears_of_clients(seen(), unnumbered, client_changed("Birch", sequence=1, tenant=BIRCH))

    assert len(batch.refused) == 2
    assert [row["name"] for row in await inventory.table("client")] == ["Birch"]
