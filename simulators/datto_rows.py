"""The simulated Datto RMM's answers as rows: what its API shows of the day at one moment.

Field names and value words: Datto RMM API 2.0.0, schemas Device, PatchManagement, Alert. Its moments are text in the
schema and milliseconds in the wild: every other row has the other.
"""

from datetime import datetime
from typing import Any, Final

from simulators.datto_alerts import Alert, alerts_of, device_number, site_uid
from simulators.day import Day
from simulators.fleet import Device, Source
from simulators.script import Happening, Scan, What

Row = dict[str, Any]

_CATEGORIES: Final = {"server": "Server", "workstation": "Desktop", "kiosk": "Desktop", "do_not_disrupt": "Laptop"}
_WINDOWS: Final = "windows"


class DattoView:
    """What one Datto RMM account shows at one moment."""

    def __init__(self, day: Day, source: Source, moment: datetime) -> None:
        """Look at the day of the devices of `source`, up to `moment`."""
        self._moment = moment
        self._past: dict[int, list[Happening]] = {device.number: [] for device in day.devices}
        for each in day.happenings:
            if each.device.source == source and each.at <= moment:
                self._past[each.device.number].append(each)
        self._scans = {
            scan.device.number: scan for scan in day.scans if scan.device.source == source and scan.at <= moment
        }
        self._devices = [
            device
            for device in day.devices
            if device.source == source and (device.number in self._scans or self._past[device.number])
        ]
        self._alerts = [
            alert for alert in alerts_of(day) if alert.raised.device.source == source and alert.raised.at <= moment
        ]

    def devices(self) -> list[Row]:
        """Return the rows of `account/devices`."""
        return [self._device(device) for device in self._devices]

    def open_alerts(self) -> list[Row]:
        """Return the rows of `account/alerts/open`, newest first."""
        return [self._alert(each) for each in reversed(self._alerts) if not self._is_over(each)]

    def resolved_alerts(self) -> list[Row]:
        """Return the rows of `account/alerts/resolved`, newest first."""
        return [self._alert(each) for each in reversed(self._alerts) if self._is_over(each)]

    def _device(self, device: Device) -> Row:
        scan, past = self._scans.get(device.number), self._past[device.number]
        number = device_number(device)
        restarts = [each.booted_at for each in past if each.what is What.RESTARTED]
        seen_at = max([scan.at if scan else device.booted_at, *(each.at for each in past)])
        waits = _last(past, What.RESTART_PENDING, What.RESTARTED) is What.RESTART_PENDING
        return {
            "id": number,
            "uid": str(device.uid),
            "siteId": device.client.organisation,
            "siteUid": site_uid(device.client),
            "siteName": device.client.name,
            "deviceType": {"category": _CATEGORIES[device.tier], "type": "Main System Chassis"},
            "hostname": device.hostname,
            "intIpAddress": "192.0.2.17",
            "operatingSystem": _system(device, scan),
            "lastLoggedInUser": f"{device.client.prefix}\\user{device.number}",
            "rebootRequired": waits,
            "online": _last(past, What.OFFLINE, What.ONLINE) is not What.OFFLINE,
            "suspended": False,
            "deleted": False,
            "lastSeen": _moment(seen_at, number),
            "lastReboot": _moment(max([device.booted_at, *restarts]), number),
            "lastAuditDate": _moment(seen_at, number),
            "creationDate": _moment(device.booted_at, number),
            "deviceClass": "device",
            "patchManagement": self._patches(scan, past, waits=waits),
        }

    def _patches(self, scan: Scan | None, past: list[Happening], *, waits: bool) -> Row:
        missing = scan.missing if scan else ()
        fails = _last(past, What.FAILED, What.INSTALLED) is What.FAILED
        status = "RebootRequired" if waits else "InstallError" if fails else "ApprovedPending"
        if not waits and not fails and not missing:
            status = "FullyPatched" if scan else "NoData"
        return {
            "patchStatus": status,
            "patchesApprovedPending": len(missing),
            "patchesNotApproved": 0,
            "patchesInstalled": sum(each.what is What.INSTALLED for each in past),
        }

    def _is_over(self, alert: Alert) -> bool:
        return alert.over is not None and alert.over.at <= self._moment

    def _alert(self, alert: Alert) -> Row:
        raised, device = alert.raised, alert.raised.device
        is_over = self._is_over(alert)
        return {
            "alertUid": str(alert.uid),
            "priority": alert.monitor.priority,
            "diagnostics": alert.message,
            "resolved": is_over,
            "resolvedBy": "Auto-resolved" if is_over else None,
            "resolvedOn": _moment(alert.over.at, device.number) if alert.over is not None and is_over else None,
            "muted": False,
            "ticketNumber": None,
            "timestamp": _moment(raised.at, device.number),
            "alertMonitorInfo": {"sendsEmails": False, "createsTicket": False},
            "alertContext": _context(alert),
            "alertSourceInfo": {
                "deviceUid": str(device.uid),
                "deviceName": device.hostname,
                "siteUid": site_uid(device.client),
                "siteName": device.client.name,
            },
            "responseActions": alert.actions(self._moment),
            "autoresolveMins": 0,
        }


def _context(alert: Alert) -> Row:
    """Return an alert's context; that of the disk monitor is of a class that no schema has on every other device."""
    context: Row = {"@class": alert.monitor.context}
    raised = alert.raised
    match raised.what:
        case What.FAILED:
            title = raised.release.title if raised.release else ""
            context |= {
                "patchUid": f"patch-{title}",
                "policyUid": "policy-1",
                "result": "FAILED",
                "info": alert.message,
            }
        case What.OFFLINE:
            context |= {"status": "OFFLINE"}
        case _ if raised.device.number % 2:
            context |= {"@class": "perf_disk_usage_ctx", "diskName": "C:\\"}
        case _:
            context |= {"diskName": "C:\\", "freeSpace": 1024, "totalVolume": 102_400, "unitOfMeasure": "MB"}
    return context


def _system(device: Device, scan: Scan | None) -> str:
    if device.system.family != _WINDOWS:
        return f"{device.system.name} {device.system.version}"
    build = (scan.build if scan else device.build).split(".", maxsplit=1)[0]
    return f"Microsoft {device.system.name} 10.0.{build}"


def _last(past: list[Happening], *whats: What) -> What | None:
    mine = [each.what for each in past if each.what in whats]
    return mine[-1] if mine else None


def _moment(at: datetime, number: int) -> str | int:
    """Return a moment in one of the two ways in which Datto is said to write them."""
    return int(at.timestamp() * 1000) if number % 2 else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
