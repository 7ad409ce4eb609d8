"""What compliance does when machines, their products, owners and clients change, in whatever order it hears of it."""

from datetime import UTC, datetime

from contracts import ids
from contracts.events import rmm
from contracts.events.event import Tier
from contracts.events.obligation import (
    ObligationStateChanged,
    PatchCatalogued,
    State,
    UncataloguedFailureChanged,
)
from tests.builders import ACME, BIRCH, of_device
from tests.compliance.house import House, asset_changed, asset_removed, bundled, client_in, with_release
from tests.compliance.said import PROVEN, READER, reader_failed, reader_reported, windows_11
from tests.compliance.stories import (
    SERVER_2022,
    A,
    B,
    failed,
    gone,
    hour,
    listed,
    reported,
)


async def test_evidence_waits_for_inventory_and_joins_when_the_asset_is_known(house: House) -> None:
    await house.hear(*PROVEN)
    assert await house.states() == {}
    assert await house.published() == []
    [parked] = await house.rows("SELECT count(*) AS count FROM device WHERE asset_id IS NULL")
    assert parked["count"] == 1

    await house.hear(asset_changed())

    assert await house.state() == "VERIFIED"


async def test_a_second_sources_device_joins_the_asset_that_inventory_names(house: House) -> None:
    one = str(ids.asset_id(A, "dc01"))
    await house.hear(asset_changed(), listed(0), reported(1))
    assert await house.state() == "PENDING_REBOOT"
    await house.hear(listed(0, source=B), gone(2, source=B))

    await house.hear(asset_changed(source=B, asset=one, sequence=2))

    assert await house.state() == "VERIFIED"


async def test_a_device_that_belongs_to_another_asset_now_takes_its_evidence_along(house: House) -> None:
    await house.hear(asset_changed(), *PROVEN)
    other = str(ids.asset_id(A, "merged"))

    await house.hear(asset_changed(asset=other, at=hour(5)))

    assert await house.state() is None
    assert await house.states("merged") == {SERVER_2022.name: "VERIFIED"}


async def test_a_failure_that_no_catalog_knows_goes_along_with_its_device(house: House) -> None:
    await house.hear(asset_changed(), reader_failed(1))
    other = str(ids.asset_id(A, "merged"))

    await house.hear(asset_changed(asset=other, at=hour(5)))

    told = {each.label.asset: (each.failing, each.failures) for each in await house.told(UncataloguedFailureChanged)}
    assert told == {str(ids.asset_id(A, "dc01")): (False, 1), other: (True, 1)}


async def test_an_asset_that_left_is_retired_and_comes_back(house: House) -> None:
    await house.hear(asset_changed(), failed(1))

    await house.hear(asset_removed(sequence=2, at=hour(2)))
    retired = await house.state()
    await house.hear(asset_changed(sequence=3, at=hour(3)))

    assert retired == "RETIRED"
    assert await house.state() == "FAILED"


async def test_a_removal_that_is_heard_late_does_not_retire_what_came_back(house: House) -> None:
    await house.hear(asset_changed(sequence=3), failed(1))

    await house.hear(asset_removed(sequence=2, at=hour(2)))

    assert await house.state() == "FAILED"


async def test_an_upgraded_machine_owes_the_new_product_and_lists_the_old_as_not_applicable(house: House) -> None:
    await house.hear(windows_11("22631.4602"))

    await house.hear(windows_11("26100.2314", sequence=2))

    assert await house.states() == {"Windows 11 23H2 x64": "NOT_APPLICABLE", "Windows 11 24H2 x64": "UNKNOWN"}


async def test_the_old_products_record_heard_late_ends_the_same(house: House) -> None:
    await house.hear(windows_11("26100.2314", sequence=2))

    await house.hear(windows_11("22631.4602"))

    assert await house.states() == {"Windows 11 23H2 x64": "NOT_APPLICABLE", "Windows 11 24H2 x64": "UNKNOWN"}


async def test_a_machine_of_unknown_product_owes_what_its_evidence_names_by_its_tier(house: House) -> None:
    shared = listed(0, "5050009")

    await house.hear(asset_changed(build=None, os_name=None, tier=Tier.WORKSTATION), shared)
    as_workstation = await house.states()
    await house.hear(asset_changed(build=None, os_name=None, tier=Tier.SERVER, sequence=2))

    assert set(as_workstation) == {"Windows 11 24H2 x64"}
    assert set(await house.states()) == {"Windows Server 2025"}
    withdrawn = [each for each in await house.told(ObligationStateChanged) if each.state is State.NOT_APPLICABLE]
    assert [each.product for each in withdrawn] == ["Windows 11 24H2 x64"]


async def test_a_machine_that_moves_to_another_client_is_counted_there_and_told_to_both(house: House) -> None:
    await house.hear(asset_changed(), listed(0))

    await house.hear(asset_changed(tenant=BIRCH, sequence=2))

    [row] = await house.rows("SELECT tenant_id, state FROM obligation")
    assert row["tenant_id"] == BIRCH
    tenants = [each.tenant for each in await house.published()]
    states = [each.state for each in await house.told(ObligationStateChanged)]
    assert (tenants, states) == (
        [ACME, ACME, BIRCH],
        [State.MISSING_IN_SLA, State.NOT_APPLICABLE, State.MISSING_IN_SLA],
    )


async def test_an_application_is_owed_once_evidence_names_it_by_title(house: House) -> None:
    chrome = rmm.PatchRef(patch="a4d0", product="7f-product", title="Google Chrome  132.0.6834.83")
    said = of_device(rmm.PatchDetected(device="dc01", patch=chrome, scanned_at=hour(5)), at=hour(5), source=A)

    await house.hear(asset_changed(), said)

    assert (await house.states())["Google Chrome"] == "MISSING_IN_SLA"


async def test_definitions_are_listed_outside_the_population(house: House) -> None:
    await house.hear(asset_changed(), listed(0, "2267602"), failed(1, "2267602"))

    [row] = await house.rows("SELECT state, why FROM obligation WHERE train = 'definitions'")
    assert row["state"] == "OUT_OF_SCOPE"
    assert "several times a day" in row["why"]


async def test_a_failure_that_no_catalog_knows_is_kept_and_told_until_it_ends(house: House) -> None:
    await house.hear(asset_changed(), reader_failed(1))
    await house.hear(reader_failed(2))
    await house.hear(reader_reported(3))

    told = await house.told(UncataloguedFailureChanged)
    assert [(each.failing, each.failures) for each in told] == [(True, 1), (True, 2), (False, 2)]
    assert {(each.patch, each.product, each.title) for each in told} == {(READER.patch, READER.product, READER.title)}
    assert set(await house.states()) == {SERVER_2022.name}


async def test_the_loaded_catalog_makes_the_obligation_and_links_what_had_failed(house: House) -> None:
    await house.load_catalog(bundled(without=[SERVER_2022.name]))
    await house.hear(asset_changed(), failed(1), failed(2))
    [failing] = await house.told(UncataloguedFailureChanged)
    assert (failing.patch, failing.kb, failing.product, failing.failures) == ("KB5049983", "5049983", None, 2)

    await house.load_catalog(bundled())

    assert await house.state() == "FAILED"
    *_, linked, changed = await house.published()
    assert isinstance(linked.data, PatchCatalogued)
    assert linked.data.requirement == str(ids.requirement_id(SERVER_2022.name, "cumulative"))
    assert (linked.data.patch, linked.data.kb, linked.data.product) == (failing.patch, failing.kb, failing.product)
    assert isinstance(changed.data, ObligationStateChanged)
    assert (changed.data.state, changed.data.failures) == (State.FAILED, 2)


async def test_a_catalog_without_the_product_lets_go_of_the_obligation(house: House) -> None:
    await house.hear(asset_changed(), listed(0))

    await house.load_catalog(bundled(without=[SERVER_2022.name]))

    assert await house.states() == {}
    assert (await house.told(ObligationStateChanged))[-1].state is State.OUT_OF_SCOPE


async def test_the_clients_zone_sets_the_deadline_whichever_is_heard_first(house: House) -> None:
    """The update comes out a week before New York's clocks change: seven days there are an hour less."""
    catalog = with_release("Windows 10 22H2 x64", kb="5053606", released_at="2025-03-04T18:00:00Z", alone=True)
    await house.load_catalog(catalog)
    workstation = asset_changed(build="19045.5371", os_name="Windows 10 Pro", tier=Tier.WORKSTATION)
    house.now = datetime(2025, 3, 5, tzinfo=UTC)

    await house.hear(workstation)
    in_utc = await house.rows("SELECT due_at FROM obligation")
    await house.hear(client_in("America/New_York"))
    await house.settle()
    afterwards = await house.rows("SELECT due_at FROM obligation")
    await house.empty()
    await house.hear(client_in("America/New_York"))
    await house.hear(workstation)
    from_the_start = await house.rows("SELECT due_at FROM obligation")

    assert in_utc == [{"due_at": datetime(2025, 3, 11, 18, tzinfo=UTC)}]
    assert afterwards == from_the_start == [{"due_at": datetime(2025, 3, 11, 17, tzinfo=UTC)}]


async def test_a_client_with_a_zone_that_is_none_is_refused(house: House) -> None:
    batch = await house.hear(client_in("Mars/Olympus_Mons"), asset_changed())

    assert [reason for _, reason in batch.refused] == ["zone: no IANA time zone has that name"]
    assert await house.state() == "UNKNOWN"
