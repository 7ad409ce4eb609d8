"""How one reading of Datto RMM differs from the one before, and what that becomes; repeated, late, beside bad rows."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import rmm
from contracts.events.event import Confidence, Method, OsFamily, Severity, Tier
from services.gateway.polling import rules_datto
from services.gateway.polling.rules_allowance import Allowance, allowance_in, pause_seconds
from services.gateway.vendors.datto_poll import translated
from services.gateway.vendors.datto_reading import DeviceDifference
from services.gateway.vendors.translation import Said
from tests.builders import HOUR, MINUTE, NOON, delivery
from tests.gateway.datto_told import ALERT, DEVICE, SITE, Memory, alert_row, device_row, patch_context

COMMON: dict[str, Any] = {
    "device": DEVICE,
    "organisation": SITE,
    "method": Method.POLL,
    "confidence": Confidence.DERIVED,
}
OFFLINE = {"@class": "online_offline_status_ctx", "status": "OFFLINE"}


def types(said: list[Said]) -> list[str]:
    return [each.event.TYPE.removesuffix(".v1") for each in said]


def polled(*devices: dict[str, Any], alerts: tuple[dict[str, Any], ...] = ()) -> Memory:
    """Return a memory that has read this once."""
    memory = Memory()
    memory.poll(devices=devices or (device_row(),), alerts=alerts)
    return memory


def test_a_first_reading_tells_the_device_whole() -> None:
    said = Memory().said(devices=(device_row(),))

    facts = rmm.DeviceFacts(
        hostname="ACME-FS02",
        os_family=OsFamily.WINDOWS,
        os_name="Microsoft Windows Server 2022 Standard 10.0.20348",
        os_build="20348",
        tier=Tier.SERVER,
        location="Acme",
    )
    booted = NOON - 48 * HOUR
    assert [(each.time, each.event) for each in said] == [
        (NOON, rmm.DeviceUpdated(**COMMON, facts=facts)),
        (NOON, rmm.DeviceOnline(**COMMON)),
        (booted, rmm.DeviceBooted(**COMMON, booted_at=booted, os_build="20348")),
    ]


def test_the_same_reading_again_tells_nothing() -> None:
    memory = polled(device_row(), alerts=(alert_row(),))

    assert memory.poll(devices=(device_row(lastSeen=None),), alerts=(alert_row(),), read_at=NOON + HOUR) == []


CHANGES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a name": ({"hostname": "ACME-FS03"}, ["device.updated"]),
    "a site": ({"siteUid": "other-site-1"}, ["device.updated"]),
    "a restart": ({"lastReboot": int(NOON.timestamp() * 1000)}, ["device.booted"]),
    "a trembling boot time": ({"lastReboot": int((NOON - 48 * HOUR + MINUTE).timestamp() * 1000)}, []),
    "an upgrade": (
        {"operatingSystem": "Microsoft Windows Server 2025 10.0.26100"},
        ["device.updated", "device.booted"],
    ),
    "gone offline": ({"online": False}, ["device.offline"]),
    "suspended": ({"suspended": True, "online": False}, []),
    "deleted": ({"deleted": True}, ["device.removed"]),
    "a restart is due": ({"rebootRequired": True}, ["patch.reboot_pending"]),
    "a restart is due for patches": ({"patch_status": "RebootRequired"}, ["patch.reboot_pending"]),
    "an error": ({"patch_status": "InstallError"}, ["alert.raised"]),
    "all patched": ({"patch_status": "FullyPatched"}, []),
    "no word": ({"patch_status": None}, []),
    "a word to come": ({"patch_status": "Sideways"}, []),
    "no boot time": ({"lastReboot": None}, []),
}


@pytest.mark.parametrize(("changed", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_what_a_change_of_a_device_becomes(changed: dict[str, Any], expected: list[str]) -> None:
    assert types(polled().said(devices=(device_row(**changed),), read_at=NOON + HOUR)) == expected


def test_fully_patched_proves_nothing_of_any_patch() -> None:
    memory = polled(device_row(patch_status="InstallError"))

    said = memory.said(devices=(device_row(patch_status="FullyPatched"),), read_at=NOON + HOUR)

    assert [type(each.event) for each in said] == [rmm.AlertReset]


def test_an_error_that_is_not_read_once_is_not_over() -> None:
    memory = polled(device_row(patch_status="InstallError"))
    memory.poll(devices=(device_row(patch_status=None),), read_at=NOON + HOUR)

    assert memory.poll(devices=(device_row(patch_status="InstallError"),), read_at=NOON + 2 * HOUR) == []


def test_a_boot_time_that_creeps_is_another_one_in_the_end() -> None:
    memory, told = polled(), 0
    for step in range(1, 6):
        booted = int((NOON - 48 * HOUR + step * MINUTE).timestamp() * 1000)
        told += len(memory.said(devices=(device_row(lastReboot=booted),), read_at=NOON + step * HOUR))

    assert told == 1


def test_what_is_not_listed_is_neither_gone_nor_over() -> None:
    memory = polled(device_row(), alerts=(alert_row(),))

    assert memory.poll(read_at=NOON + HOUR) == []
    assert memory.poll(devices=(device_row(),), alerts=(alert_row(),), read_at=NOON + 2 * HOUR) == []


def test_a_removed_device_that_comes_back_is_told_whole() -> None:
    memory = polled(device_row(deleted=True))

    assert "device.updated" in types(memory.said(devices=(device_row(),), read_at=NOON + HOUR))


def test_a_new_alert_is_told_at_its_own_moment() -> None:
    [raised] = polled().said(devices=(device_row(),), alerts=(alert_row(),), read_at=NOON + HOUR)

    expected = rmm.AlertRaised(**COMMON, alert=ALERT, kind="disk_usage_ctx", severity=Severity.HIGH)
    assert (raised.time, raised.event, raised.correlation) == (NOON - HOUR, expected, ALERT)


def test_an_alert_is_raised_once_and_reset_once() -> None:
    memory = polled()
    over = alert_row(resolved_at=NOON)

    first = memory.said(devices=(device_row(),), alerts=(alert_row(),))
    second = memory.said(devices=(device_row(),), alerts=(over,), read_at=NOON + HOUR)
    third = memory.said(devices=(device_row(),), alerts=(over,), read_at=NOON + 2 * HOUR)

    assert (types(first), types(second), types(third)) == (["alert.raised"], ["alert.reset"], [])
    assert second[0].time == NOON


def test_an_alert_that_came_and_went_between_two_polls_is_told_whole() -> None:
    said = polled().said(devices=(device_row(),), alerts=(alert_row(resolved_at=NOON),), read_at=NOON + HOUR)

    assert types(said) == ["alert.raised", "alert.reset"]


def test_a_device_that_is_new_is_told_with_all_its_alerts() -> None:
    over = alert_row(device="new-1", resolved_at=NOON)

    said = polled().said(devices=(device_row(), device_row("new-1")), alerts=(over,), read_at=NOON + HOUR)

    assert types(said)[-2:] == ["alert.raised", "alert.reset"]


def test_what_was_over_before_a_source_was_first_read_is_history() -> None:
    old = alert_row(context=patch_context(), resolved_at=NOON)

    memory = Memory()
    first = memory.said(devices=(device_row(),), alerts=(old, alert_row("open-1")))

    assert [each.correlation for each in first if each.correlation] == ["open-1"]
    assert memory.poll(devices=(device_row(),), alerts=(old, alert_row("open-1")), read_at=NOON + HOUR) == []


def test_an_alert_of_a_device_that_is_not_listed_is_told_with_the_site_that_it_names() -> None:
    [raised] = Memory().said(alerts=(alert_row(),))

    assert (raised.event.device, raised.event.organisation) == (DEVICE, SITE)


def test_a_resolved_alert_without_its_moment_is_over_when_it_was_read() -> None:
    memory = polled(device_row(), alerts=(alert_row(),))

    [reset] = memory.said(
        devices=(device_row(),), alerts=(alert_row(resolved=True, resolvedOn=None),), read_at=NOON + HOUR
    )

    assert reset.time == NOON + HOUR


LIVES = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 2)), max_size=12)
"""What one poll after the other reads of an alert: whether it is listed, was resolved since, lost webhooks since."""


@given(LIVES)
def test_however_it_is_read_an_alert_is_raised_once_reset_once_and_each_lost_webhook_counted_once(
    life: list[tuple[bool, bool, int]],
) -> None:
    memory, said = polled(), list[Said]()
    resolved_at, lost, read = None, 0, list[tuple[bool, int]]()
    for step, (is_listed, is_over, more) in enumerate(life, start=1):
        resolved_at = resolved_at or (NOON if is_over else None)
        lost += more
        alerts = (alert_row(resolved_at=resolved_at, lost=lost),) if is_listed else ()
        read += [(resolved_at is not None, lost)] * is_listed
        said += memory.said(devices=(device_row(),), alerts=alerts, read_at=NOON + step * HOUR)

    assert types(said) == ["alert.raised"] * bool(read) + ["alert.reset"] * any(over for over, _ in read)
    assert memory.lost == (read[-1][1] if read else 0)


def test_lost_webhooks_are_counted_once_each() -> None:
    memory = polled()
    for lost, hours in ((1, 1), (1, 2), (2, 3), (2, 4)):
        memory.poll(devices=(device_row(),), alerts=(alert_row(lost=lost),), read_at=NOON + hours * HOUR)

    assert memory.lost == 2


def test_a_webhook_lost_when_an_alert_was_resolved_counts_too() -> None:
    memory = polled(device_row(), alerts=(alert_row(),))

    memory.poll(devices=(device_row(),), alerts=(alert_row(lost=1, resolved_at=NOON),), read_at=NOON + HOUR)

    assert memory.lost == 1


TOLD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "failed": (patch_context("FAILED"), ["alert.raised", "patch.install_failed"]),
    "an error": (patch_context("Error"), ["alert.raised", "patch.install_failed"]),
    "installed": (patch_context("INSTALLED"), ["alert.raised", "patch.install_reported"]),
    "a restart": (patch_context("REBOOT_REQUIRED"), ["alert.raised", "patch.reboot_pending"]),
    "a result to come": (patch_context("PARTLY"), ["alert.raised"]),
    "no result": (patch_context(result=None), ["alert.raised"]),  # type: ignore[arg-type]  # as it may come
    "no patch": (patch_context(patchUid=None, info=None), ["alert.raised"]),
    "another context": ({"@class": "comp_script_ctx", "result": "FAILED"}, ["alert.raised"]),
    "online": ({"@class": "online_offline_status_ctx", "status": "ONLINE"}, ["device.online", "alert.raised"]),
    "offline": (OFFLINE, ["device.online", "alert.raised", "device.offline"]),
}


@pytest.mark.parametrize(("context", "expected"), TOLD.values(), ids=TOLD.keys())
def test_what_an_alerts_context_tells_besides(context: dict[str, Any], expected: list[str]) -> None:
    alerts = (alert_row(context=context),)

    assert types(polled().said(devices=(device_row(),), alerts=alerts, read_at=NOON + HOUR)) == expected


def test_after_a_status_alert_the_device_is_told_as_it_is_now() -> None:
    """Else a device that was offline for a minute between two polls would stay offline for ever."""
    alerts = (alert_row(context=OFFLINE, at=NOON + MINUTE),)

    said = polled().said(devices=(device_row(),), alerts=alerts, read_at=NOON + HOUR)

    last = max(said, key=lambda each: each.time)
    assert isinstance(last.event, rmm.DeviceOnline)


@pytest.mark.parametrize(
    ("changed", "patch", "kb"),
    [
        ({}, "KB5050000", "5050000"),
        ({"info": "no number"}, "p-1", None),
        ({"info": "KB5050000 and KB5050001"}, "p-1", None),
    ],
)
def test_a_patch_is_called_by_its_one_number_else_by_its_uid(changed: Any, patch: str, kb: str | None) -> None:
    alerts = (alert_row(context=patch_context(**changed)),)

    [_, failed] = polled().said(devices=(device_row(),), alerts=alerts, read_at=NOON + HOUR)

    assert isinstance(failed.event, rmm.PatchInstallFailed)
    assert failed.event.patch == rmm.PatchRef(patch=patch, kb=kb)


def test_the_same_facts_read_again_by_another_poller_are_the_same_events() -> None:
    alerts = (alert_row(context=patch_context()),)

    first = polled().said(devices=(device_row(),), alerts=alerts, read_at=NOON + HOUR)
    later = polled().said(devices=(device_row(),), alerts=alerts, read_at=NOON + 9 * HOUR)

    assert {each.id for each in first} == {each.id for each in later}
    assert len({each.id for each in first}) == len(first)


def test_many_alerts_are_cut_into_entries_and_records_that_fit() -> None:
    alerts = tuple(alert_row(f"alert-{number:05}", context=patch_context()) for number in range(1200))
    entries = polled().poll(devices=(device_row(),), alerts=alerts, read_at=NOON + HOUR)

    bodies = list(rules_datto.records(entries, NOON, 120_000))

    assert [len(each.alerts) for each in entries] == [500, 500, 200]
    assert all(len(body) < 240_000 for body in bodies)
    ids = [said.id for body in bodies for said in translated(delivery(body, vendor="datto", channel="poll")).said]
    assert len(ids) == len(set(ids)) == 2400


def test_what_is_kept_of_alerts_does_not_grow_for_ever() -> None:
    memory = polled()
    for number in range(50):
        at = NOON - timedelta(days=29) + number * HOUR
        memory.poll(devices=(device_row(),), alerts=(alert_row(f"a-{number}", at=at, resolved_at=at),))
    later = rules_datto.DattoCollected(NOON)
    later.add_device(device_row())

    [reading] = later.readings()
    key = (rules_datto.ALERTS, DEVICE)
    change = rules_datto.change(reading, [key], memory.snapshots, NOON + 30 * 24 * HOUR)

    assert [each.facts for each in change.snapshots] == [{"seen": {}}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"read_at": "2026-11-10T12:00:00Z", "devices": [{"device": 7}]}, "devices.0.device"),
        ({"format": "datto.reading.v2", "read_at": "2026-11-10T12:00:00Z", "devices": []}, "format"),
        ({"read_at": "soon", "devices": []}, "read_at"),
    ],
)
def test_a_record_of_another_shape_is_refused_with_the_field(body: dict[str, Any], field: str) -> None:
    [problem] = translated(delivery(body, vendor="datto", channel="poll")).problems

    assert problem.startswith(field)


def test_a_reading_keeps_what_was_not_told_as_evidence() -> None:
    [entry] = polled().poll(devices=(device_row(patch_status="FullyPatched"),), read_at=NOON + HOUR)

    assert entry == DeviceDifference(device=DEVICE, organisation=SITE, seen_at=NOON, patch_status="FullyPatched")


ALLOWANCES: dict[str, tuple[object, float]] = {
    "little used": ({"accountCount": 10, "accountRateLimit": 600, "accountCutOffRatio": 0.9}, 0.0),
    "near the cut-off": ({"accountCount": 480, "accountRateLimit": 600, "accountCutOffRatio": 0.9}, 15.0),
    "beyond": ({"accountCount": 700, "accountRateLimit": 600}, 15.0),
    "a longer window": (
        {"accountCount": 9, "accountRateLimit": 10, "slidingTimeWindowSizeSeconds": 120, "accountCutOffRatio": 1},
        30.0,
    ),
    "no limit": ({"accountCount": 10, "accountRateLimit": 0}, 0.0),
    "words": ({"accountCount": "10", "accountRateLimit": "600"}, 0.0),
    "odd ratios": ({"accountCount": 599, "accountRateLimit": 600, "accountCutOffRatio": 7}, 15.0),
    "nothing": ({}, 0.0),
    "a list": ([], 0.0),
}


@pytest.mark.parametrize(("answer", "seconds"), ALLOWANCES.values(), ids=ALLOWANCES.keys())
def test_how_long_an_account_is_left_alone(answer: object, seconds: float) -> None:
    assert pause_seconds(allowance_in(answer)) == seconds


def test_an_allowance_names_its_numbers() -> None:
    answer = {"accountCount": 1, "accountRateLimit": 2, "accountCutOffRatio": 0.5, "slidingTimeWindowSizeSeconds": 6}

    assert allowance_in(answer) == Allowance(used=1, limit=2, cut_off=0.5, window_seconds=6)
