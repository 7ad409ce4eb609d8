"""What is told of machines: by what happened to them, by time alone, once each, and of nobody who did not ask."""

from datetime import timedelta

from chassis.batch import Fate
from contracts import ids
from contracts.events import rmm
from contracts.events.event import Tier
from contracts.events.monitor import Monitor, MonitorChanged, RebootRecorded, RebootVerdict
from tests.builders import ACME, BIRCH, of_device
from tests.compliance.house import asset_changed, asset_removed, client_in
from tests.compliance.monitors.agreeing import POLICY
from tests.compliance.monitors.room import Room
from tests.compliance.stories import JAN_BUILD, A, booted, failed, gone, hour, listed, reported, scanned

OFF = POLICY.replace("on: true", "on: false")
HOUR = timedelta(hours=1)
ONLY_OUT_OF_DATE = [Monitor.OUT_OF_DATE]


async def flips(room: Room) -> list[tuple[Monitor, bool]]:
    return [(each.monitor, each.failing) for each in await room.told(MonitorChanged)]


async def test_a_failure_is_told_once_with_how_long_it_took_to_notice(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9), failed(9.5))
    await room.settle()
    await room.settle()

    [told] = await room.told(MonitorChanged)
    assert (told.monitor, told.failing, told.label.hostname) == (Monitor.UPDATES_FAILED, True, "DC01")
    assert told.happened_at == hour(9.5)
    assert (told.delay_seconds, told.longest_delay_seconds, told.late) == (0, 7200, False)


async def test_what_came_too_late_is_told_as_late(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9.9))
    await room.at(hour(14))
    await room.house.hear(listed(11), failed(11))
    await room.settle()

    [told] = await room.told(MonitorChanged)
    assert (told.delay_seconds, told.late) == (3 * 3600, True)
    kept = await room.house.rows("SELECT monitor, delay_seconds, late FROM monitor_history")
    assert kept == [{"monitor": "updates_failed", "delay_seconds": 10800.0, "late": True}]


async def test_the_proof_that_it_is_there_ends_what_failed(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9), failed(9.5))
    await room.settle()
    room.house.now = hour(12)
    await room.house.hear(reported(10.5), booted(10.8, JAN_BUILD), scanned(11), gone(11))
    await room.settle()

    assert await flips(room) == [(Monitor.UPDATES_FAILED, True), (Monitor.UPDATES_FAILED, False)]


async def test_what_is_only_reported_is_not_installed(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9), reported(9.5))
    await room.settle()

    assert await flips(room) == [(Monitor.UPDATES_INSTALLED, True)]


async def test_a_repeated_and_a_late_batch_tell_nothing_more(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9), failed(9.5))
    await room.settle()
    await room.house.hear(scanned(9), listed(9), failed(9.5), scanned(3), listed(3))
    await room.settle()

    assert await flips(room) == [(Monitor.UPDATES_FAILED, True)]


async def test_of_a_client_without_a_policy_or_with_all_monitors_off_nothing_is_told(room: Room) -> None:
    await room.house.hear(scanned(9), listed(9), failed(9.5))
    await room.settle()
    await room.apply(OFF)
    await room.house.hear(reported(9.7))
    await room.settle()

    assert await room.told(MonitorChanged) == []


async def test_a_policy_that_comes_later_tells_how_machines_stand_already(room: Room) -> None:
    await room.house.hear(scanned(9), listed(9), failed(9.5))
    await room.apply()
    assert await flips(room) == [(Monitor.UPDATES_FAILED, True)]

    room.house.now += HOUR
    await room.apply(OFF)

    assert await flips(room) == [(Monitor.UPDATES_FAILED, True), (Monitor.UPDATES_FAILED, False)]


async def test_time_alone_makes_a_machine_out_of_date_and_unheard(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9))
    await room.at(hour(34))
    assert await flips(room) == [(Monitor.DETECTION, True)]
    await room.house.hear(scanned(34), listed(34))
    await room.at(hour(34) + timedelta(minutes=5))
    assert await flips(room) == [(Monitor.DETECTION, True), (Monitor.DETECTION, False)]

    await room.at(hour(718) - timedelta(seconds=1))
    before = [each for each in await flips(room) if each[0] in ONLY_OUT_OF_DATE]
    await room.at(hour(718))

    assert before == []
    assert (Monitor.OUT_OF_DATE, True) in await flips(room)


async def test_a_machine_that_leaves_takes_its_monitors_with_it(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9), failed(9.5))
    await room.settle()
    room.house.now += HOUR
    await room.house.hear(asset_removed(sequence=2, at=hour(10)))
    await room.settle()

    [_, told] = await room.told(MonitorChanged)
    assert (told.failing, told.why) == (False, "it left the inventory")
    assert await room.house.rows("SELECT asset_id FROM monitor_watch") == []


async def test_a_server_that_an_update_restarts_on_a_wednesday_is_a_surprise(room: Room) -> None:
    await room.apply()
    room.house.now = hour(12)
    await room.house.hear(scanned(9), listed(9), reported(10.5), booted(10.8, JAN_BUILD))
    await room.settle()
    await room.house.hear(booted(10.8, JAN_BUILD))
    await room.settle()

    [told] = await room.told(RebootRecorded)
    assert (told.verdict, told.deployed, told.booted_at) == (RebootVerdict.SURPRISE, True, hour(10.8))
    assert "KB5049983" in told.why


async def test_a_consent_that_arrives_after_the_restart_changes_the_verdict_and_is_kept(room: Room) -> None:
    await room.house.hear(asset_changed(sequence=2, tier=Tier.WORKSTATION))
    await room.apply()
    room.house.now = hour(12)
    notified = of_device(rmm.RebootNotified(device="dc01"), at=hour(10.55), source=A)
    await room.house.hear(scanned(9), listed(9), reported(10.5), notified, booted(10.8))
    await room.settle()
    consent = of_device(rmm.RebootConsented(device="dc01", by="front desk"), at=hour(10.7), source=A)
    await room.house.hear(consent)
    await room.settle()
    again = await room.house.hear(consent)
    await room.settle()

    told = await room.told(RebootRecorded)
    assert [each.verdict for each in told] == [RebootVerdict.SURPRISE, RebootVerdict.CONSENTED]
    assert (told[-1].consented_by, told[-1].notice_seconds) == ("front desk", 900)
    assert list(again.fates.values()) == [Fate.DUPLICATE]
    [kept] = await room.house.rows("SELECT asset_id, verdict, told FROM reboot")
    assert kept == {"asset_id": ids.asset_id(A, "dc01"), "verdict": "consented", "told": 2}


async def test_words_before_the_machine_is_known_wait_for_it(room: Room) -> None:
    await room.apply()
    room.house.now = hour(12)
    early = of_device(rmm.RebootConsented(device="dc09", by="front desk"), at=hour(10.7), source=A)
    await room.house.hear(early)
    await room.settle()

    kept = await room.house.rows("SELECT tenant_id, said FROM reboot_word")
    assert kept == [{"tenant_id": ACME, "said": "consented"}]
    assert await room.told(RebootRecorded) == []


async def test_a_machine_that_comes_to_another_client_leaves_nothing_with_the_first(room: Room) -> None:
    await room.apply()
    await room.house.hear(scanned(9), listed(9), failed(9.5))
    await room.settle()
    room.house.now += HOUR
    await room.house.hear(client_in("UTC", tenant=BIRCH, name="Birch Law"), asset_changed(sequence=2, tenant=BIRCH))
    await room.settle()
    await room.settle()

    published = await room.house.published()
    told = [(each.tenant, each.data.failing) for each in published if isinstance(each.data, MonitorChanged)]
    assert told == [(ACME, True), (ACME, False)]
    assert await room.house.rows("SELECT asset_id FROM monitor_watch") == []
