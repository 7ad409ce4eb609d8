"""A day through the real handlers, then all of it made again from the raw topics: the same rows, and no effect."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from chassis.postgres import open_pool, transaction
from contracts import ids
from patchline.rebuild import logs
from patchline.rebuild.replay import Chosen, Replayed, replay
from services.compliance.policies import store_commands
from services.compliance.policies.reading import policy_of
from services.compliance.policies.store_commands import Said
from services.inventory import merging
from services.inventory.merging import Decision
from simulators.fleet import CLIENTS, NINJAONE_MAIN, PATCHLINE_SCRIPTS
from simulators.script import EVENING
from tests.compliance.policies.files import file_of
from tests.rebuild.product import Product

pytestmark = pytest.mark.timeout(600)


async def outside(product: Product) -> dict[str, object]:
    """Return what others can see: the ends of the topics, and what is still to be sent."""
    topics = ("rmm.events", "inventory.assets", "compliance.events", "compliance.figures", "tickets")
    [row] = await product.rows(
        "SELECT (SELECT max(id) FROM inventory.outbox) AS inventory, (SELECT max(id) FROM compliance.outbox) AS made, "
        "(SELECT last_value FROM inventory.outbox_id_seq) AS told, "
        "(SELECT last_value FROM compliance.outbox_id_seq) AS decided"
    )
    return {**row, "ends": await product.ends(topics)}


@pytest.mark.parametrize("service", ["inventory", "compliance"])
async def test_a_day_is_rebuilt_to_the_same_rows_and_nothing_is_published(product: Product, service: str) -> None:
    before = await outside(product)

    report = await product.rebuild(service)

    assert report.listed == []
    assert report.is_equal
    assert report.is_swapped
    assert all(each.live == each.rebuilt > 0 for each in report.compared if each.table != "uncatalogued_failure")
    assert await outside(product) == before


PAIRS = """
    SELECT one.asset_id AS one, other.asset_id AS other
    FROM compliance.obligation AS owed
    JOIN inventory.asset AS one USING (asset_id)
    JOIN inventory.asset AS other ON other.tenant_id = one.tenant_id AND other.asset_id <> one.asset_id
    WHERE owed.state = 'FAILED' AND one.asset_id <> ALL ($1::uuid[])
      AND one.removed_at IS NULL AND other.removed_at IS NULL
    ORDER BY 1, 2 LIMIT 1
"""


async def test_machines_that_were_merged_and_parted_by_hand_are_so_after_a_rebuild(product: Product) -> None:
    pool = await open_pool(product.database.writer("inventory"), application="test")
    by_hand = Decision(who="test", why="one machine", at=product.now, by_hand=True)
    [first] = await product.rows(PAIRS, [])
    async with transaction(pool) as tx:
        assert isinstance(await merging.merge(tx, list(first.values()), by_hand), UUID)
    await product.settle()
    async with transaction(pool) as tx:
        assert isinstance(await merging.unmerge(tx, first["one"], by_hand), UUID)
    [second] = await product.rows(PAIRS, list(first.values()))
    async with transaction(pool) as tx:
        merged = await merging.merge(tx, list(second.values()), by_hand)
    await pool.close()
    await product.settle()
    known = await product.rows("SELECT * FROM inventory.asset_merge ORDER BY 1")

    reports = [await product.rebuild(service) for service in ("inventory", "compliance")]

    assert [each.listed for each in reports] == [[], []]
    assert all(each.is_swapped for each in reports)
    assert await product.rows("SELECT * FROM inventory.asset_merge ORDER BY 1") == known
    gone = max(second.values())
    [linked] = await product.rows("SELECT asset_id FROM compliance.device WHERE device_id = $1", gone)
    assert linked["asset_id"] == merged
    assert await product.rows("SELECT FROM compliance.obligation WHERE asset_id = $1", gone) == []


async def differing(product: Product, service: str) -> set[tuple[str, str, tuple[str, ...]]]:
    report = await product.rebuild(service, compare_only=True)
    assert not report.is_swapped
    return {(each.table, str(each.what), each.columns) for each in report.listed}


async def oids(product: Product) -> list[dict[str, object]]:
    """Return which table each name is."""
    return await product.rows(
        "SELECT oid::bigint, relname FROM pg_class WHERE relkind = 'r' AND relnamespace IN "
        "('inventory'::regnamespace, 'compliance'::regnamespace) ORDER BY relname, oid"
    )


CORRUPTIONS = {
    "inventory": {
        (
            "UPDATE inventory.asset SET hostname = 'nobody' WHERE asset_id = "
            "(SELECT asset_id FROM inventory.asset ORDER BY 1 LIMIT 1)"
        ): ("asset", "differs", ("hostname",)),
        (
            "DELETE FROM inventory.device_fact WHERE event_id = "
            "(SELECT event_id FROM inventory.device_fact ORDER BY 1 LIMIT 1)"
        ): ("device_fact", "only rebuilt", ()),
        "DELETE FROM inventory.application WHERE name = 'vim'": ("application", "only rebuilt", ()),
        "UPDATE inventory.application_listing SET added = 7 WHERE added = 1": (
            "application_listing",
            "differs",
            ("added",),
        ),
    },
    "compliance": {
        (
            "UPDATE compliance.obligation SET state = 'VERIFIED', next_change_at = NULL WHERE (asset_id, "
            "requirement_id) = (SELECT asset_id, requirement_id FROM compliance.obligation WHERE state = 'FAILED' "
            "ORDER BY 1, 2 LIMIT 1)"
        ): ("obligation", "differs", ("state",)),
        (
            "INSERT INTO compliance.patch_fact SELECT gen_random_uuid(), tenant_id, source, device, device_id, "
            "patch_id, type, method, occurred_at, received_at, effective_at, recorded_at, facts "
            "FROM compliance.patch_fact LIMIT 1"
        ): ("patch_fact", "only live", ()),
        (
            "UPDATE compliance.evidence SET registers = registers - 'failed' WHERE (device_id, patch_id) = (SELECT "
            "device_id, patch_id FROM compliance.evidence WHERE registers ? 'failed' ORDER BY 1, 2 LIMIT 1)"
        ): ("evidence", "differs", ("registers",)),
        (
            "UPDATE compliance.figure SET percent = 100 WHERE (tenant_id, os_family, tier, severity) = (SELECT "
            "tenant_id, os_family, tier, severity FROM compliance.figure WHERE percent < 100 ORDER BY 1, 2, 3, 4 "
            "LIMIT 1)"
        ): ("figure", "differs", ("percent",)),
        (
            "UPDATE compliance.asset SET os_name = 'Plan 9' WHERE asset_id = "
            "(SELECT asset_id FROM compliance.asset ORDER BY 1 LIMIT 1)"
        ): ("asset", "differs", ("os_name",)),
    },
}


@pytest.mark.parametrize("service", CORRUPTIONS)
async def test_planted_corruptions_are_found_and_swapped_away_only_if_accepted(product: Product, service: str) -> None:
    for corruption in CORRUPTIONS[service]:
        assert (await product.execute(corruption)).endswith(" 1")
    tables = await oids(product)

    refused = await product.rebuild(service)

    assert (refused.is_swapped, await oids(product)) == (False, tables)
    found = {(each.table, str(each.what), each.columns) for each in refused.listed}
    assert found == set(CORRUPTIONS[service].values())
    accepted = await product.rebuild(service, accept_differences=True)
    assert accepted.is_swapped
    await product.settle()
    assert await differing(product, service) == set()


async def stamps(product: Product) -> list[dict[str, object]]:
    return await product.rows(
        "SELECT event_id, recorded_at FROM inventory.device_fact UNION ALL "
        "SELECT event_id, recorded_at FROM compliance.patch_fact UNION ALL "
        "SELECT event_id, recorded_at FROM compliance.obligation_history ORDER BY event_id, recorded_at"
    )


async def sequences(product: Product) -> dict[str, int]:
    rows = await product.rows(
        "SELECT aggregate, sequence FROM inventory.aggregate_sequence "
        "UNION ALL SELECT aggregate, sequence FROM compliance.aggregate_sequence"
    )
    return {row["aggregate"]: row["sequence"] for row in rows}


async def test_the_swap_keeps_stamps_walls_and_places_and_running_services_go_on(product: Product) -> None:
    known, numbers = await stamps(product), await sequences(product)

    for service in ("inventory", "compliance"):
        assert (await product.rebuild(service)).is_swapped

    assert await stamps(product) == known
    await assert_one_client_sees_nothing_of_another(product)
    await product.take(product.held_back[:30])
    await product.settle()
    after = await sequences(product)
    assert all(after[each] >= number for each, number in numbers.items())
    assert after != numbers
    assert await differing(product, "inventory") == set()
    assert await differing(product, "compliance") == set()


async def test_what_a_stopped_service_has_not_heard_is_left_for_it_and_so_are_deadlines(product: Product) -> None:
    """The gateway and time go on; what was published stands behind the services' watermarks, and in no rebuilt row."""
    await product.stop()
    await product.start("gateway")
    await product.take(product.held_back[30:])
    await product.settle(only="gateway")
    product.offset += timedelta(days=8).total_seconds()
    due = "SELECT count(*) AS due FROM compliance.obligation WHERE next_change_at <= $1"
    [unrung] = await product.rows(due, product.now)
    assert unrung["due"] > 0

    reports = [await product.rebuild(service) for service in ("inventory", "compliance")]

    assert all(each.is_equal and each.is_swapped and each.counts.under_way > 0 for each in reports)
    assert await product.rows(due, product.now) == [unrung]
    await product.stop()
    await product.start()
    await product.settle()
    assert await differing(product, "inventory") == set()
    assert await differing(product, "compliance") == set()


class Died(Exception):
    """The test's own crash."""


@pytest.mark.parametrize("at", ["folding", "swapping"])
async def test_a_rebuild_that_dies_halfway_changes_nothing_and_the_next_one_cleans_up(
    product: Product, at: str
) -> None:
    def dies(title: str, _done: int, _total: int) -> None:
        if title.startswith(at):
            raise Died

    tables = await oids(product)
    with pytest.raises(Died):
        await product.rebuild("compliance", show=dies)
    assert await oids(product) == tables

    report = await product.rebuild("compliance")

    assert report.is_swapped
    left = "SELECT nspname FROM pg_namespace WHERE nspname LIKE '%rebuild' OR nspname LIKE '%replaced'"
    assert await product.rows(left) == []
    assert await product.rows("SELECT rolname FROM pg_roles WHERE rolname LIKE '%rebuild%'") == []


async def assert_one_client_sees_nothing_of_another(product: Product) -> None:
    tables = ["inventory.asset", "inventory.device_fact", "compliance.asset", "compliance.device"]
    tables += ["compliance.evidence", "compliance.patch_fact", "compliance.obligation"]
    reader = await asyncpg.connect(product.database.reader)
    for table in tables:
        assert await reader.fetch(f"SELECT * FROM {table}") == []
        for tenant in (ids.tenant_id(each.name) for each in CLIENTS[:2]):
            async with reader.transaction():
                await reader.execute("SELECT set_config('patchline.tenants', $1, true)", str(tenant))
                rows = await reader.fetch(f"SELECT tenant_id FROM {table}")
            assert {row["tenant_id"] for row in rows} == {tenant}
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.execute(f"DELETE FROM {table}")
    await reader.close()


async def test_the_command_compares_and_swaps_nothing(product: Product) -> None:
    tables = await oids(product)

    code, printed = await product.type("rebuild", "inventory", "--compare-only", "--json")

    found = json.loads(printed)
    assert (code, found["is_equal"], found["is_swapped"], found["listed"]) == (0, True, False, [])
    assert await oids(product) == tables


async def replayed(product: Product, *, dry_run: bool = False) -> Replayed:
    chosen = Chosen(
        source=NINJAONE_MAIN.full_name, since=EVENING - timedelta(days=2), until=EVENING + timedelta(days=20)
    )
    async with logs.opened(product.kafka) as log:
        return await replay(
            product.kafka,
            log,
            chosen,
            clock_offset=timedelta(seconds=product.offset),
            dry_run=dry_run,
            show=lambda _title, _done, _total: None,
        )


async def flow(product: Product) -> dict[str, int]:
    [row] = await product.rows(
        "SELECT sum(deliveries) AS deliveries, sum(replayed) AS replayed, sum(events) AS events FROM gateway.flow "
        "WHERE source = $1",
        NINJAONE_MAIN.full_name,
    )
    return {name: int(value) for name, value in row.items()}


async def test_a_replay_of_a_day_is_counted_apart_and_brings_nothing_twice(product: Product) -> None:
    counted, ends = await flow(product), await product.ends(["rmm.events", "rmm.events.bulk"])
    dry = await replayed(product, dry_run=True)
    assert (dry.produced, dry.deliveries > 100) == (0, True)

    first = await replayed(product)
    again = await replayed(product)
    await product.settle()

    assert first.deliveries == again.deliveries == dry.deliveries == first.produced
    assert await flow(product) == counted | {"replayed": counted["replayed"] + 2 * first.produced}
    assert await product.ends(["rmm.events", "rmm.events.bulk"]) == ends
    assert await differing(product, "inventory") == set()


@pytest.mark.parametrize("service", ["inventory", "compliance"])
async def test_what_a_destroyed_key_took_away_is_taken_from_the_histories(product: Product, service: str) -> None:
    await product.execute(
        "UPDATE gateway.data_key SET wrapped = NULL, retired_at = now(), destroyed_at = now(), destroyed_by = 'test'"
    )

    report = await product.rebuild(service)

    assert (report.listed, report.is_swapped) == ([], True)
    assert report.unreadable_sources == [PATCHLINE_SCRIPTS.full_name]
    assert report.counts.unreadable > 0
    assert report.counts.recovered > 0


NOTICED = "SELECT FROM compliance.policy_noticed WHERE number > 0"
JUDGED = "SELECT count(*) AS count FROM compliance.obligation WHERE tenant_id = $1 AND rule LIKE 'client:%'"


async def test_a_rebuild_keeps_policies_and_decides_by_them(product: Product) -> None:
    client = CLIENTS[0]
    tenant = ids.tenant_id(client.name)
    sla = [{"severities": ["critical"], "due": "P9D"}, {"due": "PT72H"}]
    since = (product.now - timedelta(days=1)).isoformat()
    agreed = policy_of(file_of(client=client.name, sla=sla, regimes=[], valid_from=since))
    said = Said(by="test", reason="agreed", at=product.now, feasible=True, accepted=None, lint={})
    pool = await open_pool(product.database.writer("compliance"), application="test")
    async with transaction(pool) as tx:
        await store_commands.add(tx, tenant, *agreed, said=said)
    await pool.close()
    while not await product.rows(NOTICED):
        await asyncio.sleep(0.1)
    await product.settle()
    [before] = await product.rows(JUDGED, tenant)

    report = await product.rebuild("compliance")

    assert report.listed == []
    assert report.is_swapped
    assert before["count"] > 0
    assert await product.rows(JUDGED, tenant) == [before]
