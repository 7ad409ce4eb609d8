"""The register of applications on a real database: does it, repeats it, gets it late, and beside a bad neighbour."""

from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import ids
from contracts.events import rmm
from tests.builders import ACME, BIRCH, HOUR, MINUTE, NOON, SOURCE, of_device
from tests.inventory.conftest import EMPTY, Inventory
from tests.inventory.facts import deliveries, seen
from tests.inventory.listings import listed, listings
from tests.inventory.test_rules_applications import by_the_law

ASSET = ids.asset_id(SOURCE, "d1")
LATER = NOON + MINUTE
TABLES = ("application", "application_listing")


async def there(inventory: Inventory, device: str = "d1") -> list[str]:
    """Return which applications a device has, as the tests name them."""
    asset = ids.asset_id(SOURCE, device)
    rows = [row for row in await inventory.table("application") if row["asset_id"] == asset]
    return sorted(f"{row['name']}/{row['version']}".removesuffix("/None") for row in rows)


async def written(inventory: Inventory) -> list[tuple[object, ...]]:
    """Return where each row of an application lies: another place says that it was written again."""
    rows = await inventory.pool.fetch("SELECT ctid::text, xmin::text FROM application ORDER BY application_id")
    return [tuple(row) for row in rows]


async def test_a_listing_is_kept_with_all_that_names_an_application(inventory: Inventory) -> None:
    openssl = rmm.Application(name="openssl", version="3.0.15", publisher="Debian", architecture="amd64", origin="deb")
    event = rmm.ApplicationsListed(device="d1", listing="l-1", complete=True, applications=(openssl,))

    await inventory.hears(of_device(event))

    [row] = await inventory.table("application")
    assert (row["asset_id"], row["tenant_id"]) == (ASSET, ACME)
    assert [row[name] for name in ("name", "version", "publisher", "architecture", "origin")] == [
        "openssl",
        "3.0.15",
        "Debian",
        "amd64",
        "deb",
    ]
    [listing] = await inventory.table("application_listing")
    assert (listing["listed_at"], listing["listing"], listing["added"]) == (NOON, "l-1", 0)
    [asset] = await inventory.table("asset")
    assert (asset["device"], asset["last_seen_at"]) == ("d1", NOON)
    assert await inventory.table("device_fact") == []


async def test_the_same_event_again_changes_nothing(inventory: Inventory) -> None:
    events = [listed("a", "b"), listed("c", at=LATER, complete=False)]
    await inventory.hears(*events, *events)
    tables = [await inventory.table(name) for name in TABLES]
    places = await written(inventory)

    await inventory.hears(*reversed(events))

    assert [await inventory.table(name) for name in TABLES] == tables
    assert await written(inventory) == places


async def test_an_unchanged_check_in_writes_no_application(inventory: Inventory) -> None:
    names = [f"package-{number}/1.{number}" for number in range(2000)]
    await inventory.hears(listed(*names))
    places = await written(inventory)

    await inventory.hears(listed(*names, at=NOON + 24 * HOUR))

    assert await written(inventory) == places
    [listing] = await inventory.table("application_listing")
    assert listing["listed_at"] == NOON + 24 * HOUR


async def test_of_two_thousand_only_what_differs_is_written(inventory: Inventory) -> None:
    names = [f"package-{number}" for number in range(2000)]
    await inventory.hears(listed(*names))
    places = await written(inventory)

    await inventory.hears(listed(*names[1:], "new", at=LATER))

    assert len(set(places) - set(await written(inventory))) == 1
    assert len(set(await written(inventory)) - set(places)) == 1


async def test_an_older_listing_that_comes_late_changes_nothing(inventory: Inventory) -> None:
    await inventory.hears(listed("a", "b", at=LATER))
    tables = [await inventory.table(name) for name in TABLES]

    await inventory.hears(listed("a", "z"))

    assert [await inventory.table(name) for name in TABLES] == tables


async def test_what_is_no_whole_listing_takes_nothing_away(inventory: Inventory) -> None:
    await inventory.hears(listed("a", "b"))

    await inventory.hears(listed("b", "c", at=LATER, complete=False))

    assert await there(inventory) == ["a", "b", "c"]


async def test_a_bad_neighbour_is_refused_alone(inventory: Inventory) -> None:
    nobodys = of_device(rmm.ApplicationsListed(device="d9", listing="l", complete=True), tenant=None)

    batch = await inventory.hears(listed("a"), nobodys, listed("b", device="d2"))

    assert len(batch.refused) == 1
    assert (await there(inventory), await there(inventory, "d2")) == (["a"], ["b"])


async def test_applications_go_along_with_a_device_that_changes_hands(inventory: Inventory) -> None:
    await inventory.hears(listed("a", "b"), listed("a", device="d2"))

    await inventory.hears(of_device(rmm.DeviceOnline(device="d1"), at=LATER, tenant=BIRCH))

    owners = {(row["asset_id"], row["tenant_id"]) for name in TABLES for row in await inventory.table(name)}
    assert owners == {(ASSET, BIRCH), (ids.asset_id(SOURCE, "d2"), ACME)}


async def test_a_device_that_lists_nothing_has_no_register(inventory: Inventory) -> None:
    await inventory.hears(seen())

    assert [await inventory.table(name) for name in TABLES] == [[], []]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_any_order_on_the_database_ends_in_what_the_law_says(inventory: Inventory, data: st.DataObject) -> None:
    await inventory.pool.execute(EMPTY)
    events = data.draw(listings(devices=("d1", "d2")))
    for batch in data.draw(deliveries(events)):
        await inventory.hears(*batch)

    kept: dict[object, set[str]] = {}
    for row in await inventory.table("application"):
        kept.setdefault(row["asset_id"], set()).add(f"{row['name']}/{row['version']}")
    for device in ("d1", "d2"):
        law = by_the_law([each for each in events if each.subject == device])
        asset: UUID = ids.asset_id(SOURCE, device)
        assert kept.get(asset, set()) == {f"{each.name}/{each.version}" for each in law}
