"""What compliance does with batches: it does it, repeats it, gets it late, gets it with a bad neighbour."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest

from chassis.batch import Record
from chassis.portions import TooMuch
from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm
from contracts.events.event import Tier
from contracts.events.obligation import (
    ObligationFailureRepeated,
    ObligationStateChanged,
    PatchCatalogued,
    State,
    UncataloguedFailureChanged,
)
from tests.builders import ACME, BIRCH, of_device
from tests.compliance.house import House, asset_changed, asset_removed, bundled, client_in, with_release
from tests.compliance.stories import (
    DEC_BUILD,
    JAN_BUILD,
    SERVER_2022,
    A,
    B,
    booted,
    failed,
    gone,
    hour,
    listed,
    read,
    reported,
    scanned,
)

PROVEN = (listed(0), reported(1), booted(2), gone(3))
READER = rmm.PatchRef(patch="7.4.2", product="Brightwater Dispatch", title="Brightwater Dispatch Client 7.4.2")


def reader_failed(at: float, code: str = "1603") -> Envelope:
    return of_device(rmm.PatchInstallFailed(device="dc01", patch=READER, code=code), at=hour(at), source=A)


def reader_reported(at: float) -> Envelope:
    return of_device(rmm.PatchInstallReported(device="dc01", patch=READER), at=hour(at), source=A)


def windows_11(build: str, *, sequence: int = 1) -> Envelope:
    return asset_changed(build=build, sequence=sequence, os_name="Windows 11 Pro", tier=Tier.WORKSTATION)


async def test_every_asset_owes_what_its_product_owes_before_anyone_said_a_word(house: House) -> None:
    await house.hear(asset_changed())

    assert await house.states() == {SERVER_2022.name: "UNKNOWN"}
    [told] = await house.told(ObligationStateChanged)
    assert (told.before, told.state, told.label.hostname) == (None, State.UNKNOWN, "DC01")


async def test_a_story_ends_in_its_state_and_each_transition_is_told_and_kept(house: House) -> None:
    await house.hear(asset_changed())
    for said in PROVEN:
        await house.hear(said)

    told = [(each.before, each.state) for each in await house.told(ObligationStateChanged)]
    kept = await house.rows("SELECT before, state FROM obligation_history ORDER BY recorded_at, occurred_at")
    assert told == [
        (None, State.UNKNOWN),
        (State.UNKNOWN, State.MISSING_IN_SLA),
        (State.MISSING_IN_SLA, State.PENDING_REBOOT),
        (State.PENDING_REBOOT, State.REPORTED_UNVERIFIED),
        (State.REPORTED_UNVERIFIED, State.VERIFIED),
    ]
    assert {(row["before"], row["state"]) for row in kept} == set(told)


async def test_the_witnesses_of_a_proof_are_kept(house: House) -> None:
    await house.hear(asset_changed(), *PROVEN)

    rows = await house.rows("SELECT source, method, saw, at FROM witness ORDER BY at")
    assert [(row["source"], row["method"], row["saw"], row["at"]) for row in rows] == [
        (A, "webhook", "booted", hour(2)),
        (A, "poll", "no longer listed KB5049983", hour(3)),
    ]
    [told] = await house.told(ObligationStateChanged)
    assert {witness.saw for witness in told.witnesses} == {row["saw"] for row in rows}


async def test_what_follows_from_an_event_carries_its_time_tenant_trace_and_cause(house: House) -> None:
    await house.hear(asset_changed())
    cause = replace(failed(1), traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01", correlation="series-1")

    await house.hear(cause)

    event = (await house.published())[-1]
    asset_id = ids.asset_id(A, "dc01")
    requirement = ids.requirement_id(SERVER_2022.name, "cumulative")
    assert event.id == ids.fact_id(cause.id, ObligationStateChanged.TYPE, f"{asset_id}/{requirement}")
    assert (event.time, event.received, event.tenant) == (cause.time, cause.received, ACME)
    assert (event.causation, event.correlation, event.traceparent) == (cause.id, "series-1", cause.traceparent)


async def test_everything_heard_again_changes_nothing(house: House) -> None:
    story = (asset_changed(), *PROVEN, failed(-1), reader_failed(1))
    await house.hear(*story)
    before = await house.everything(), await house.published()

    await house.hear(*story)
    for said in story:
        await house.hear(said)

    assert (await house.everything(), await house.published()) == before


async def test_a_repeat_inside_one_batch_counts_once(house: House) -> None:
    await house.hear(asset_changed(), failed(1), failed(1), failed(2))

    [row] = await house.rows("SELECT failures FROM obligation")
    assert row["failures"] == 2


async def test_what_is_heard_late_takes_its_place_and_undoes_nothing_newer(house: House) -> None:
    await house.hear(asset_changed(), *PROVEN)

    await house.hear(failed(0.5))

    assert await house.state() == "VERIFIED"
    [row] = await house.rows("SELECT failures, verified_at FROM obligation")
    assert (row["failures"], row["verified_at"]) == (1, hour(3))


async def test_an_impossible_record_is_refused_and_its_neighbours_are_not(house: House) -> None:
    homeless = replace(failed(2), tenant=None)
    ancient = replace(failed(3), time=datetime(1, 1, 1, tzinfo=UTC))

    batch = await house.hear(asset_changed(), failed(1), homeless, ancient)

    assert [reason.partition(":")[0] for _, reason in batch.refused] == ["ce_tenantid", "ce_time"]
    assert await house.state() == "FAILED"
    [row] = await house.rows("SELECT failures FROM obligation")
    assert row["failures"] == 1


async def test_names_at_their_longest_fit(house: House) -> None:
    long = rmm.PatchRef(patch="\U0001f9f0" * 512, product="\U0001f9f0" * 512, title="\U0001f9f0" * 2048)
    device = "\U0001f9f0" * 512
    said = of_device(rmm.PatchInstallFailed(device=device, patch=long, code="9" * 512), at=hour(1), source=A)

    await house.hear(asset_changed(device), said)

    [told] = await house.told(UncataloguedFailureChanged)
    assert told.patch == long.patch


async def test_a_failure_is_told_though_its_cure_came_in_the_same_batch(house: House) -> None:
    await house.hear(asset_changed(), listed(0), failed(1), reported(2), booted(3), gone(4))

    assert [each.state for each in await house.told(ObligationStateChanged)] == [State.FAILED, State.VERIFIED]


async def test_a_device_that_fails_a_thousand_times_is_told_of_once(house: House) -> None:
    await house.hear(asset_changed(), *(failed(attempt / 1000) for attempt in range(1000)))

    [told] = await house.told(ObligationStateChanged)
    assert (told.state, told.failures) == (State.FAILED, 1000)


async def test_failures_are_told_one_by_one_while_it_fails(house: House) -> None:
    await house.hear(asset_changed())
    for attempt in range(1, 4):
        await house.hear(failed(attempt, code=f"0x{attempt}"))

    [_, changed] = await house.told(ObligationStateChanged)
    repeated = await house.told(ObligationFailureRepeated)
    assert (changed.state, changed.failures, changed.code) == (State.FAILED, 1, "0x1")
    assert [(each.failures, each.code) for each in repeated] == [(2, "0x2"), (3, "0x3")]


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


async def test_what_does_not_bear_on_patch_state_leaves_no_trace(house: House) -> None:
    await house.hear(
        of_device(rmm.DeviceOffline(device="dc01"), at=hour(1), source=A),
        of_device(rmm.DeviceUpdated(device="dc01", facts=rmm.DeviceFacts(hostname="x")), at=hour(1), source=A),
        of_device(rmm.AlertRaised(device="dc01", alert="1", kind="disk"), at=hour(1), source=A),
    )

    assert await house.rows("SELECT * FROM patch_fact") == []
    assert await house.rows("SELECT * FROM device") == []


async def test_history_keeps_when_it_happened_and_when_we_knew(house: House) -> None:
    await house.hear(asset_changed())
    house.now = hour(20)

    await house.hear(failed(1))

    [row] = await house.rows("SELECT * FROM patch_fact")
    assert (row["occurred_at"], row["effective_at"], row["recorded_at"]) == (hour(1), hour(1), hour(20))
    [changed] = await house.rows("SELECT * FROM obligation_history WHERE state = 'FAILED'")
    assert (changed["occurred_at"], changed["recorded_at"], changed["policy"]) == (hour(1), hour(20), "default-1")


async def test_builds_and_lists_of_different_devices_do_not_mix(house: House) -> None:
    proven = [
        of_device(rmm.PatchScanCompleted(device="dc02", scanned_at=hour(2)), at=hour(2), source=A),
        of_device(rmm.DeviceUpdated(device="dc02", facts=rmm.DeviceFacts(os_build=JAN_BUILD)), at=hour(2), source=A),
    ]

    await house.hear(asset_changed(), asset_changed("dc02"), scanned(1), read(1, DEC_BUILD), *proven)

    assert (await house.state(), await house.state("dc02")) == ("MISSING_IN_SLA", "VERIFIED")


async def test_as_many_events_share_a_transaction_as_decide_a_few_thousand_obligations(house: House) -> None:
    records = [cast("Record", None)] * 1_000
    with pytest.raises(TooMuch):
        await house.handler.prepare(records)  # before any event was seen

    await house.hear(*[client_in("UTC", sequence=number) for number in range(1, 201)])
    await house.handler.prepare(records)

    await house.hear(asset_changed(), *[listed(0.01 * minute) for minute in range(200)])
    await house.handler.prepare(records[:100])
