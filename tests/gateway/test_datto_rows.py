"""Rows of Datto RMM's API: what is taken from each field, and what a field of the wrong kind does."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.rmm import DeviceFacts
from services.gateway.vendors import datto_rows as rows
from services.gateway.vendors.fields import Unreadable
from tests.builders import HOUR, NOON
from tests.gateway.datto_told import ALERT, DEVICE, SITE, alert_row, collected, device_row, patch_context, written


def test_a_device() -> None:
    row = rows.device_row(device_row())

    assert (row.device, row.site, row.removed, row.offline, row.reboot) == (DEVICE, SITE, None, False, None)
    assert (row.booted_at, row.seen_at, row.patch_status) == (NOON - 48 * HOUR, NOON, "ApprovedPending")
    assert row.facts == DeviceFacts(
        hostname="ACME-FS02",
        os_family=OsFamily.WINDOWS,
        os_name="Microsoft Windows Server 2022 Standard 10.0.20348",
        os_build="20348",
        tier=Tier.SERVER,
        location="Acme",
    )


SYSTEMS: dict[str, tuple[dict[str, Any], OsFamily | None, Tier | None]] = {
    "a laptop": ({"deviceType": {"category": "Laptop"}}, OsFamily.WINDOWS, Tier.WORKSTATION),
    "a server by its name": ({"deviceType": None}, OsFamily.WINDOWS, Tier.SERVER),
    "a workstation without a category": (
        {"deviceType": {}, "operatingSystem": "Microsoft Windows 11 Pro 10.0.26100"},
        OsFamily.WINDOWS,
        None,
    ),
    "a Mac": (
        {"operatingSystem": "macOS 15.2", "deviceType": {"category": "Desktop"}},
        OsFamily.MACOS,
        Tier.WORKSTATION,
    ),
    "a Linux server": ({"operatingSystem": "Ubuntu 24.04 LTS"}, OsFamily.LINUX, Tier.SERVER),
    "another system": ({"operatingSystem": "AIX 7"}, OsFamily.OTHER, Tier.SERVER),
    "no system": ({"operatingSystem": None}, None, Tier.SERVER),
    "a printer": ({"deviceClass": "printer"}, OsFamily.OTHER, None),
    "a host": ({"deviceClass": "esxihost"}, OsFamily.OTHER, None),
    "a class to come": ({"deviceClass": "fridge"}, OsFamily.OTHER, None),
}


@pytest.mark.parametrize(("changed", "family", "tier"), SYSTEMS.values(), ids=SYSTEMS.keys())
def test_what_kind_of_machine_it_is(changed: dict[str, Any], family: OsFamily | None, tier: Tier | None) -> None:
    facts = rows.device_row(device_row(**changed)).facts

    assert (facts.os_family, facts.tier) == (family, tier)


@pytest.mark.parametrize(
    ("changed", "removed", "offline"),
    [
        ({"deleted": True}, "deleted", False),
        ({"suspended": True, "online": False}, None, None),
        ({"online": False}, None, True),
        ({"online": None, "deleted": None}, None, None),
    ],
    ids=["deleted", "suspended", "offline", "not said"],
)
def test_only_deleted_is_deleted(changed: dict[str, Any], removed: str | None, offline: bool | None) -> None:  # noqa: FBT001 - a table
    row = rows.device_row(device_row(**changed))

    assert (row.removed, row.offline) == (removed, offline)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"rebootRequired": True}, "rebootRequired"),
        ({"patch_status": "RebootRequired"}, "patchStatus RebootRequired"),
        ({"rebootRequired": None, "patch_status": "FullyPatched"}, None),
        ({"patch_status": "AWordToCome"}, None),
        ({"patch_status": None}, None),
    ],
)
def test_why_it_must_restart(changed: dict[str, Any], reason: str | None) -> None:
    assert rows.device_row(device_row(**changed)).reboot == reason


@pytest.mark.parametrize("absent", [None, "", 0])
def test_a_moment_that_is_absent(absent: object) -> None:
    assert rows.device_row(device_row(lastReboot=absent)).booted_at is None


@pytest.mark.parametrize(
    "moment", [written(NOON), "2026-11-10T13:00:00+01:00", "2026-11-10T12:00:00.000+0000", 1794312000000, 1794312000.0]
)
def test_moments_are_text_or_numbers(moment: object) -> None:
    assert rows.device_row(device_row(lastReboot=moment)).booted_at == NOON


BAD_DEVICE: dict[str, tuple[dict[str, Any], str]] = {
    "no uid": ({"uid": None}, "uid"),
    "a number for a uid": ({"uid": 991}, "uid"),
    "a uid of words": ({"uid": "my server"}, "uid"),
    "a site of words": ({"siteUid": "a b"}, "siteUid"),
    "a list for patches": ({"patchManagement": []}, "patchManagement"),
    "a number for a status": ({"patchManagement": {"patchStatus": 1}}, "patchManagement.patchStatus"),
    "a word for online": ({"online": "yes"}, "online"),
    "a word for suspended": ({"suspended": "no"}, "suspended"),
    "a word for deleted": ({"deleted": "no"}, "deleted"),
    "a word for a reboot": ({"rebootRequired": "true"}, "rebootRequired"),
    "a number for a system": ({"operatingSystem": 11}, "operatingSystem"),
    "a control character in a name": ({"hostname": "ACME\bFS"}, "hostname"),
    "a list for a site's name": ({"siteName": []}, "siteName"),
    "a word for a type": ({"deviceType": "Server"}, "deviceType"),
    "a number for a category": ({"deviceType": {"category": 1}}, "deviceType.category"),
    "a number for a class": ({"deviceClass": 1}, "deviceClass"),
    "a moment without a zone": ({"lastReboot": "2026-11-10T12:00:00"}, "lastReboot"),
    "a word for a moment": ({"lastSeen": "yesterday"}, "lastSeen"),
    "truth for a moment": ({"lastReboot": True}, "lastReboot"),
    "an impossible moment": ({"lastReboot": 1e300}, "lastReboot"),
}


@pytest.mark.parametrize(("changed", "field"), BAD_DEVICE.values(), ids=BAD_DEVICE.keys())
def test_a_device_with_a_bad_field_is_not_read(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(Unreadable, match=f"^{field}: "):
        rows.device_row(device_row(**changed))


def test_an_alert() -> None:
    row = rows.alert_row(alert_row(context=patch_context(), lost=2))

    assert (row.alert, row.device, row.site, row.kind, row.severity) == (
        ALERT,
        DEVICE,
        SITE,
        "patch_ctx",
        Severity.HIGH,
    )
    assert (row.raised_at, row.is_resolved, row.resolved_at) == (NOON - HOUR, False, None)
    assert (row.result, row.patch, row.kb, row.code, row.lost) == ("FAILED", "p-1", "5050000", "0x80070643", 2)


@pytest.mark.parametrize(
    "context",
    [
        {"@class": "srvc_status_ctx", "status": ["RUNNING"], "result": 7},
        {"@class": "a_class_of_next_year", "result": {"deep": {}}},
        {"@class": "patch_ctx", "result": None, "info": 12, "patchUid": []},
        {},
        None,
    ],
)
def test_a_context_that_we_do_not_know_fails_nothing(context: dict[str, Any] | None) -> None:
    row = rows.alert_row(alert_row(alertContext=context))

    assert row.kind == (context or {}).get("@class", "alert")
    assert (row.result, row.patch, row.kb) == (None, None, None)


BAD_ALERT: dict[str, tuple[dict[str, Any], str]] = {
    "no uid": ({"alertUid": None}, "alertUid"),
    "no source": ({"alertSourceInfo": None}, "alertSourceInfo.deviceUid"),
    "a word for a source": ({"alertSourceInfo": "x"}, "alertSourceInfo"),
    "a list for a context": ({"alertContext": []}, "alertContext"),
    "a number for a class": ({"alertContext": {"@class": 1}}, "alertContext.@class"),
    "no moment": ({"timestamp": None}, "timestamp"),
    "a word for a moment": ({"timestamp": "now"}, "timestamp"),
    "a word for resolved": ({"resolved": "yes"}, "resolved"),
    "a word for its moment": ({"resolvedOn": "now"}, "resolvedOn"),
    "an object for actions": ({"responseActions": {}}, "responseActions"),
}


@pytest.mark.parametrize(("changed", "field"), BAD_ALERT.values(), ids=BAD_ALERT.keys())
def test_an_alert_with_a_bad_field_is_not_read(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(Unreadable, match=f"^{field}: "):
        rows.alert_row(alert_row(**changed))


@pytest.mark.parametrize("actions", [None, [], ["odd", 7, {}], [{"actionType": "EMAIL_SENT"}]])
def test_other_actions_are_no_lost_webhooks(actions: object) -> None:
    assert rows.alert_row(alert_row(responseActions=actions)).lost == 0


def test_bad_rows_are_counted_and_their_neighbours_read() -> None:
    read = collected(devices=({"uid": 7}, device_row()), alerts=({}, alert_row()))

    [reading] = read.readings()

    assert read.unread == 2
    assert (reading.device, len(reading.alerts)) == (DEVICE, 1)


def test_of_two_readings_of_an_alert_the_resolved_one_counts_whichever_came_first() -> None:
    first, then = alert_row(), alert_row(resolved_at=NOON)

    for alerts in ((first, then), (then, first)):
        [reading] = collected(alerts=alerts).readings()
        assert [alert.is_resolved for alert in reading.alerts] == [True]


def test_old_resolved_alerts_are_not_wanted_and_old_open_ones_are() -> None:
    long_ago = NOON - timedelta(days=60)
    read = collected()

    assert read.add_alert(alert_row("a-1", at=long_ago, resolved_at=long_ago + HOUR))
    assert not read.add_alert(alert_row("a-2", at=long_ago, resolved_at=NOON))
    assert not read.add_alert(alert_row("a-3", at=long_ago))
    assert [alert.alert for each in read.readings() for alert in each.alerts] == ["a-2", "a-3"]
