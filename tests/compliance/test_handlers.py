"""What compliance does with batches: it does it, repeats it, gets it late, gets it with a bad neighbour."""

from datetime import UTC, datetime
from typing import cast

import pytest

from chassis.batch import Record
from chassis.portions import TooMuch
from contracts import ids
from contracts.events import rmm
from contracts.events.obligation import (
    ObligationFailureRepeated,
    ObligationStateChanged,
    State,
    UncataloguedFailureChanged,
)
from tests.builders import ACME, of_device
from tests.compliance.house import House, asset_changed, client_in
from tests.compliance.said import PROVEN, reader_failed
from tests.compliance.stories import (
    DEC_BUILD,
    JAN_BUILD,
    SERVER_2022,
    A,
    booted,
    failed,
    gone,
    hour,
    listed,
    read,
    reported,
    scanned,
)


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
    cause = failed(1)._replace(traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01", correlation="series-1")

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
    homeless = failed(2)._replace(tenant=None)
    ancient = failed(3)._replace(time=datetime(1, 1, 1, tzinfo=UTC))

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
