"""The simulated day: what a device's story leaves behind, and that a seed writes it once and for all."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from simulators import releases, stories
from simulators.datto_day import ALERTS_FROM, LAST_LOOK, PUSHED
from simulators.day import Day, day
from simulators.fleet import CLIENTS, DATTO_CLINIC, NINJAONE_MAIN, PATCHLINE_SCRIPTS, Client, Device, Source
from simulators.releases import PATCH_TUESDAY, System
from simulators.script import EVENING, NIGHT, NOW, Script, What, window_of


@pytest.fixture(scope="module")
def usual_day() -> Day:
    return day(seed=1, devices=400)


def device(
    *,
    source: Source = NINJAONE_MAIN,
    client: Client = CLIENTS[0],
    system: System = releases.WINDOWS_11_24H2,
    tier: str = "workstation",
) -> Device:
    return Device(
        source=source,
        number=4001,
        client=client,
        hostname="HDG-WS-001",
        system=system,
        tier=tier,
        serial="C0FFEE1",
        booted_at=PATCH_TUESDAY - timedelta(days=5),
    )


def script(of: Device | None = None) -> Script:
    written = Script(of or device(), random.Random(1))
    written.go_to(NIGHT)
    written.missing.append(written.device.system.update)
    written.scan()
    return written


def test_the_same_seed_writes_the_same_day_and_another_seed_another(usual_day: Day) -> None:
    assert day(seed=1, devices=400) == usual_day
    assert day(seed=2, devices=400) != usual_day


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_day_of_400_devices_tells_more_than_2000_things_before_the_deliveries_begin(seed: int) -> None:
    written = day(seed=seed, devices=400)

    assert sum(happening.told for happening in written.happenings) >= 2000
    assert all(each.at < NOW for each in written.happenings if each.device.source is not DATTO_CLINIC)
    assert [each.at for each in written.happenings] == sorted(each.at for each in written.happenings)


@pytest.mark.parametrize("seed", range(1, 6))
def test_every_day_has_its_rare_devices(seed: int) -> None:
    written = day(seed=seed, devices=400)

    failures = Counter(
        (each.device.number, each.release.title)
        for each in written.happenings
        if each.what is What.FAILED and each.release is not None
    )
    assert max(failures.values()) >= 9
    assert any(title == releases.LINE_OF_BUSINESS.title for _, title in failures)
    assert sum(not each.told for each in written.happenings) > 0


@pytest.mark.parametrize("seed", range(1, 6))
def test_datto_pushes_the_alerts_of_the_evening_and_loses_some_but_never_the_first_failure(seed: int) -> None:
    own = [each for each in day(seed=seed, devices=400).happenings if each.device.source is DATTO_CLINIC]
    pushed = [each for each in own if each.what in PUSHED]
    failures = [each for each in pushed if each.what is What.FAILED]

    assert {each.what for each in pushed} == PUSHED
    assert all(ALERTS_FROM <= each.at < LAST_LOOK for each in pushed)
    assert failures[0].told
    assert not all(each.told for each in failures)
    assert not any(each.told for each in own if each.what not in PUSHED)


def test_a_proven_update_is_gone_from_the_next_scan_after_a_restart() -> None:
    told = script()

    stories.proven(told, told.device.system.update)
    told.scan()

    assert told.scans[-1].missing == ()
    assert told.scans[-1].build == "26100.2894"
    assert told.scans[-1].booted_at > told.scans[0].at


def test_a_lie_is_still_listed_after_the_restart_and_the_build_is_the_old_one() -> None:
    told = script()

    stories.lies(told, told.device.system.update)
    told.scan()

    assert What.INSTALLED in [each.what for each in told.happenings]
    assert told.scans[-1].missing == (told.device.system.update,)
    assert told.scans[-1].build == "26100.2605"


def test_an_update_that_waits_for_its_restart_keeps_the_old_build() -> None:
    told = script()

    stories.waits_for_restart(told, told.device.system.update)
    told.scan()

    assert told.scans[-1].missing == ()
    assert told.scans[-1].restart_pending
    assert told.scans[-1].build == "26100.2605"


def test_the_stubborn_device_fails_nine_times_with_one_code() -> None:
    told = script()

    stories.fails_nine_times(told, told.device.system.update)

    failures = [each for each in told.happenings if each.what is What.FAILED]
    assert len(failures) == 9
    assert len({each.code for each in failures}) == 1
    assert len({each.at for each in failures}) == 9


def test_a_device_that_goes_silent_is_not_scanned_again() -> None:
    told = script()

    stories.goes_silent(told, told.device.system.update)

    assert told.at >= EVENING


def test_only_a_source_that_cannot_be_asked_tells_what_its_scans_found() -> None:
    asked, telling = script(), script(device(source=PATCHLINE_SCRIPTS, system=releases.UBUNTU))

    for told in (asked, telling):
        stories.installs(told, told.device.system.update)
        told.scan()

    assert [each.what for each in asked.happenings] == [What.SCANNED, What.INSTALLED, What.SCANNED]
    assert [each.what for each in telling.happenings] == [
        What.LISTED,
        What.SCANNED,
        What.INSTALLED,
        What.NO_LONGER_LISTED,
        What.SCANNED,
    ]


@pytest.mark.parametrize(
    ("client", "tier", "expected"),
    [
        pytest.param(CLIENTS[0], "server", datetime(2025, 1, 15, 7, tzinfo=UTC), id="New York at 2 at night"),
        pytest.param(CLIENTS[0], "kiosk", datetime(2025, 1, 15, 17, tzinfo=UTC), id="New York at noon"),
        pytest.param(CLIENTS[1], "server", datetime(2025, 1, 15, 1, tzinfo=UTC), id="Berlin at 2 at night"),
        pytest.param(CLIENTS[1], "workstation", datetime(2025, 1, 15, 11, tzinfo=UTC), id="Berlin at noon"),
        pytest.param(CLIENTS[2], "server", datetime(2025, 1, 15, 15, tzinfo=UTC), id="Sydney at 2 the night after"),
        pytest.param(CLIENTS[2], "workstation", datetime(2025, 1, 15, 1, tzinfo=UTC), id="Sydney at noon"),
    ],
)
def test_a_window_opens_by_the_clients_own_clock_after_the_release(
    client: Client, tier: str, expected: datetime
) -> None:
    assert window_of(device(client=client, tier=tier)) == expected
