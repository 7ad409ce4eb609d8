"""Rows of NinjaOne's API as the poll tests need them. Field names are the vendor's, values invented."""

from collections.abc import Mapping
from datetime import datetime

from services.gateway.polling.rules_collect import Collected, DeviceReading, ScanMoment
from tests.builders import HOUR, NOON

Row = dict[str, object]

MONTH_AGO = NOON - 30 * 24 * HOUR


def device_row(number: int = 4821, *, contact: datetime | None = NOON, **changed: object) -> Row:
    """Return a row of `devices-detailed`; `contact` is its last data submission, `os` changes fields of its system."""
    system = {
        "name": "Windows Server 2025",
        "buildNumber": "26100",
        "releaseId": "24H2",
        "lastBootTime": (NOON - 48 * HOUR).timestamp(),
        "needsReboot": False,
    }
    os = changed.pop("os", {})
    assert isinstance(os, Mapping)
    return {
        "id": number,
        "organizationId": 17,
        "locationId": 21,
        "nodeClass": "WINDOWS_SERVER",
        "approvalStatus": "APPROVED",
        "offline": False,
        "systemName": f"host-{number}",
        "lastUpdate": None if contact is None else contact.timestamp(),
        "os": {**system, **os},
        "system": {"serialNumber": f"S{number}"},
        **changed,
    }


def patch_row(kb: int | None = 5050000, *, device: int = 4821, at: datetime | None = NOON, **changed: object) -> Row:
    """Return a row of `os-patches`, collected at `at`."""
    return {
        "id": f"id-of-{kb}",
        "deviceId": device,
        "kbNumber": None if kb is None else f"KB{kb}",
        "name": f"Cumulative Update (KB{kb})",
        "severity": "CRITICAL",
        "status": "MANUAL",
        "type": "SECURITY_UPDATES",
        "timestamp": None if at is None else at.timestamp(),
        **changed,
    }


def attempt_row(status: str, at: datetime, kb: int | None = 5050000, *, device: int = 4821, **changed: object) -> Row:
    """Return a row of `os-patch-installs`."""
    return {**patch_row(kb, device=device), "status": status, "installedAt": at.timestamp(), **changed}


def collected(
    *,
    devices: tuple[Row, ...] = (),
    patches: tuple[Row, ...] = (),
    software: tuple[Row, ...] = (),
    attempts: tuple[Row, ...] = (),
    health: tuple[Row, ...] = (),
    scan_moment: ScanMoment = ScanMoment.ROWS_OR_CONTACT,
) -> Collected:
    """Return what a poll collected that read these rows."""
    result = Collected(MONTH_AGO, scan_moment)
    for row in devices:
        result.add_device(row)
    for row in patches:
        result.add_listed("os", row)
    for row in software:
        result.add_listed("software", row)
    for row in attempts:
        result.add_attempt("os", row)
    for row in health:
        result.add_health(row)
    return result


def reading(*, patches: tuple[Row, ...] = (), attempts: tuple[Row, ...] = (), **device: object) -> DeviceReading:
    """Return what one poll read of one device."""
    [one] = collected(devices=(device_row(**device),), patches=patches, attempts=attempts).readings()  # type: ignore[arg-type]  # fields of a row
    return one
