"""What happened, as a script tells it in Patchline's own format; `docs/rmm/patchline.md` describes the bodies."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from simulators.fleet import Device
from simulators.releases import Release, Severity
from simulators.script import Happening, What

_TYPES: Final[Mapping[What, str]] = {
    What.ENROLLED: "device.seen",
    What.UPDATED: "device.updated",
    What.SCANNED: "patch.scan_completed",
    What.LISTED: "patch.detected",
    What.NO_LONGER_LISTED: "patch.no_longer_listed",
    What.APPROVED: "patch.approved",
    What.REJECTED: "patch.rejected",
    What.INSTALLED: "patch.install_reported",
    What.FAILED: "patch.install_failed",
    What.ROLLED_BACK: "patch.rolled_back",
    What.RESTART_PENDING: "patch.reboot_pending",
    What.RESTARTED: "device.booted",
    What.OFFLINE: "device.offline",
    What.ONLINE: "device.online",
    What.ALERT: "alert.raised",
    What.ALERT_OVER: "alert.reset",
}
_SEVERITIES: Final = {
    Severity.CRITICAL: "critical",
    Severity.IMPORTANT: "high",
    Severity.MODERATE: "moderate",
    Severity.OPTIONAL: "low",
}
_SCANS: Final = frozenset({What.SCANNED, What.LISTED, What.NO_LONGER_LISTED})
_ALERT: Final = "disk-space/C:"


def message(happening: Happening) -> dict[str, Any]:
    """Return the body of the webhook for `happening`."""
    what, device = happening.what, happening.device
    told: dict[str, Any] = {
        "device": device.vendor_id,
        "organisation": device.client.name,
        "site": device.client.site,
    }
    if what in {What.ENROLLED, What.UPDATED}:
        told["facts"] = _facts(device)
    if what in _SCANS:
        told["scanned_at"] = written(happening.at)
    if what is What.RESTARTED:
        told |= {"booted_at": written(happening.booted_at), "os_build": happening.build}
    if happening.release is not None:
        told["patch"] = _patch(happening.release)
    if happening.code is not None:
        told["code"] = happening.code
    if what in {What.ALERT, What.ALERT_OVER}:
        told |= {"alert": _ALERT, "kind": "disk_space"}
    return {"type": _TYPES[what], "timestamp": written(happening.at), "data": told}


def written(at: datetime) -> str:
    """Return a moment as the format writes it: RFC 3339, UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _facts(device: Device) -> dict[str, Any]:
    return {
        "hostname": device.hostname,
        "os_family": device.system.family,
        "os_name": device.system.name,
        "os_version": device.system.version,
        "os_build": device.build,
        "tier": device.tier,
        "serial": device.serial,
        "location": device.client.site,
    }


def _patch(release: Release) -> dict[str, Any]:
    patch = {"patch": patch_name(release), "title": release.title, "severity": _SEVERITIES[release.severity]}
    return patch if release.kb is None else patch | {"kb": release.kb}


def patch_name(release: Release) -> str:
    """Return how the scripts name an update: by its KB, else by what their package manager calls it."""
    return f"KB{release.kb}" if release.kb is not None else release.title
