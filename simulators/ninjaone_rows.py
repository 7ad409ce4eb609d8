"""The simulated NinjaOne's answers as rows: what its API shows of the day at one moment.

Field names and value words: NinjaOne Public API 2.0 (2.0.9-draft); a moment is epoch seconds with a fraction.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid5

from simulators.day import Day
from simulators.fleet import NAMESPACE, Device, Source
from simulators.releases import Release, Severity
from simulators.script import Happening, Scan, What

Row = dict[str, Any]

_NODE_CLASSES: Final[Mapping[tuple[str, bool], str]] = {
    ("windows", True): "WINDOWS_SERVER",
    ("windows", False): "WINDOWS_WORKSTATION",
    ("macos", True): "MAC_SERVER",
    ("macos", False): "MAC",
    ("linux", True): "LINUX_SERVER",
    ("linux", False): "LINUX_WORKSTATION",
}
_ROLES: Final = {"server": "Server", "workstation": "Workstation", "kiosk": "Kiosk", "do_not_disrupt": "Operating room"}
LAG: Final = timedelta(seconds=3)
"""How much earlier the agent's own clock has an attempt than the activity that tells of it."""

IMPACTS: Final = {
    Severity.CRITICAL: "CRITICAL",
    Severity.IMPORTANT: "RECOMMENDED",
    Severity.MODERATE: "RECOMMENDED",
    Severity.OPTIONAL: "OPTIONAL",
}
_ATTEMPTS: Final = {What.INSTALLED: "INSTALLED", What.FAILED: "FAILED"}
_DECISIONS: Final = {What.APPROVED: "APPROVED", What.REJECTED: "REJECTED", What.FAILED: "FAILED"}


class View:
    """What one NinjaOne instance shows at one moment."""

    def __init__(self, day: Day, source: Source, moment: datetime) -> None:
        """Look at the day of the devices of `source`, up to `moment`."""
        self._past_by_number: dict[int, list[Happening]] = {device.number: [] for device in day.devices}
        for each in day.happenings:
            if each.device.source == source and each.at <= moment:
                self._past_by_number[each.device.number].append(each)
        self._scan_by_number = {
            scan.device.number: scan for scan in day.scans if scan.device.source == source and scan.at <= moment
        }
        self._devices = [
            device
            for device in day.devices
            if device.source == source
            and (device.number in self._scan_by_number or self._past_by_number[device.number])
        ]

    def devices(self) -> list[Row]:
        """Return the rows of `/v2/devices-detailed`, by id."""
        return [self._device(device) for device in self._devices]

    def missing(self, *, software: bool) -> list[Row]:
        """Return the rows of `os-patches` or `software-patches`: what each device's latest scan listed."""
        return [
            self._patch(scan.device, release, at=scan.at, status=self._decision(scan.device, release))
            for scan in self._scan_by_number.values()
            for release in scan.missing
            if release.is_software == software
        ]

    def attempts(self, *, software: bool) -> list[Row]:
        """Return the rows of `os-patch-installs` or `software-patch-installs`: the latest attempt of each update."""
        latest: dict[tuple[int, str], Happening] = {}
        for number, past in self._past_by_number.items():
            for each in past:
                if each.what in _ATTEMPTS and each.release is not None and each.release.is_software == software:
                    latest[number, each.release.title] = each
        return [
            self._patch(each.device, each.release, at=each.at, status=_ATTEMPTS[each.what], installed_at=each.at - LAG)
            for each in latest.values()
            if each.release is not None
        ]

    def health(self) -> list[Row]:
        """Return the rows of `device-health`."""
        return [self._health(device) for device in self._devices]

    def _device(self, device: Device) -> Row:
        scan = self._scan_by_number.get(device.number)
        past = self._past_by_number[device.number]
        seen_at = max([scan.at if scan else device.booted_at, *(each.at for each in past)])
        return {
            **node(device),
            "offline": self._is_offline(device),
            "created": seconds(device.booted_at),
            "lastContact": seconds(seen_at),
            "lastUpdate": seconds(scan.at) if scan else None,
            "os": self._system(device, scan),
            "system": {
                "name": device.hostname,
                "manufacturer": "Dell Inc." if device.system.family == "windows" else "Apple Inc.",
                "biosSerialNumber": device.serial,
                "serialNumber": device.serial,
                "virtualMachine": False,
            },
            "lastLoggedInUser": f"{device.client.prefix}\\user{device.number}"
            if device.tier == "workstation"
            else None,
        }

    def _system(self, device: Device, scan: Scan | None) -> Row:
        update, build = device.system.update, scan.build if scan else device.build
        restarts = [each.booted_at for each in self._past_by_number[device.number] if each.what is What.RESTARTED]
        return {
            "manufacturer": "Microsoft Corporation" if device.system.family == "windows" else "Apple",
            "name": device.system.name,
            "architecture": "64-bit",
            "lastBootTime": seconds(max([device.booted_at, *restarts])),
            "buildNumber": build.split(".", maxsplit=1)[0],
            "releaseId": update.version if update.version and build == update.build else device.system.version,
            "servicePackMajorVersion": 0,
            "servicePackMinorVersion": 0,
            "locale": "en-US",
            "language": "English",
            "needsReboot": self._waits_for_restart(device),
        }

    def _health(self, device: Device) -> Row:
        scan = self._scan_by_number.get(device.number)
        missing = scan.missing if scan else ()
        failed = [each for each in missing if self._decision(device, each) == "FAILED"]
        return {
            "deviceId": device.number,
            "offline": self._is_offline(device),
            "parentOffline": False,
            "healthStatus": "UNHEALTHY" if failed else "NEEDS_ATTENTION" if missing else "HEALTHY",
            "pendingRebootReason": "WINDOWS_PM" if self._waits_for_restart(device) else None,
            "pendingOSPatchesCount": sum(not each.is_software for each in missing),
            "failedOSPatchesCount": sum(not each.is_software for each in failed),
            "pendingSoftwarePatchesCount": sum(each.is_software for each in missing),
            "failedSoftwarePatchesCount": sum(each.is_software for each in failed),
            "alertCount": self._open_alerts(device),
            "activeThreatsCount": 0,
            "quarantinedThreatsCount": 0,
            "blockedThreatsCount": 0,
            "activeJobCount": 0,
        }

    def _patch(
        self, device: Device, release: Release, *, at: datetime, status: str, installed_at: datetime | None = None
    ) -> Row:
        row: Row = {"id": patch_id(release), "status": status, "deviceId": device.number, "timestamp": seconds(at)}
        if release.is_software:
            row |= {"productIdentifier": product_id(release), "title": release.title, "type": "PATCH"}
            row["impact"] = IMPACTS[release.severity]
        else:
            row |= {"name": release.title, "severity": release.severity.value, "type": "SECURITY_UPDATES"}
            if release.kb is not None:
                row["kbNumber"] = f"KB{release.kb}"
        if installed_at is not None:
            row["installedAt"] = seconds(installed_at)
        return row

    def _decision(self, device: Device, release: Release) -> str:
        decisions = [
            _DECISIONS[each.what]
            for each in self._past_by_number[device.number]
            if each.release == release and each.what in _DECISIONS
        ]
        return decisions[-1] if decisions else "MANUAL"

    def _last(self, device: Device, *whats: What) -> What | None:
        mine = [each.what for each in self._past_by_number[device.number] if each.what in whats]
        return mine[-1] if mine else None

    def _is_offline(self, device: Device) -> bool:
        return self._last(device, What.OFFLINE, What.ONLINE) is What.OFFLINE

    def _waits_for_restart(self, device: Device) -> bool:
        return self._last(device, What.RESTART_PENDING, What.RESTARTED) is What.RESTART_PENDING

    def _open_alerts(self, device: Device) -> int:
        return int(self._last(device, What.ALERT, What.ALERT_OVER) is What.ALERT)


def node(device: Device) -> Row:
    """Return the part of a device that the API and the webhooks show alike."""
    return {
        "id": device.number,
        "uid": str(device.uid),
        "organizationId": device.client.organisation,
        "locationId": device.client.organisation * 10 + 1,
        "nodeClass": _NODE_CLASSES[device.system.family, device.tier == "server"],
        "nodeRoleId": 100 + list(_ROLES).index(device.tier),
        "rolePolicyId": 50,
        "approvalStatus": "APPROVED",
        "displayName": device.hostname,
        "systemName": device.hostname,
        "dnsName": f"{device.hostname.lower()}.{device.client.prefix.lower()}.example",
        "netbiosName": device.hostname,
        "tags": [] if device.tier in {"server", "workstation"} else [device.tier],
        "references": {
            "organization": {"id": device.client.organisation, "name": device.client.name},
            "location": {"id": device.client.organisation * 10 + 1, "name": device.client.site},
            "role": {"id": 100 + list(_ROLES).index(device.tier), "name": _ROLES[device.tier]},
        },
    }


def patch_id(release: Release) -> str:
    """Return NinjaOne's id of an update."""
    return str(uuid5(NAMESPACE, f"patch/{release.title}"))


def product_id(release: Release) -> str:
    """Return NinjaOne's id of a program, the same for all its versions."""
    return str(uuid5(NAMESPACE, f"product/{release.title.rpartition(' ')[0]}"))


def seconds(at: datetime) -> float:
    """Return a moment as NinjaOne writes it."""
    return round(at.timestamp(), 3)
