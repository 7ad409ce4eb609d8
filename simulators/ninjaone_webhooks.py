"""What happened, as NinjaOne's webhook tells it: an Activity, with the device expanded.

Source: NinjaOne Public API 2.0 (2.0.9-draft), schemas Activity and WebhookConfiguration; one published capture of a
CONDITION. No capture of a patch activity is public: their messages here are worded after the schema's own labels.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import uuid5

from simulators.fleet import NAMESPACE, Device
from simulators.ninjaone_rows import IMPACTS, node, patch_id, product_id, seconds
from simulators.releases import Release
from simulators.script import Happening, What


class _Wording(NamedTuple):
    """How NinjaOne words one kind of activity: type, code, the two labels, the result, and the message."""

    activity_type: str
    code: str
    status: str
    label: str
    message: str
    result: str | None = None


_PATCH: Final = "PATCH_MANAGEMENT"
_WORDINGS: Final[Mapping[What, _Wording]] = {
    What.ENROLLED: _Wording("SYSTEM", "NODE_CREATED", "Created", "System", "Device '{host}' created"),
    What.UPDATED: _Wording("SYSTEM", "NODE_UPDATED", "Updated", "System", "Device '{host}' updated"),
    What.SCANNED: _Wording(_PATCH, "SCAN_COMPLETED", "Scan completed", "Patch Management", "Scan completed", "SUCCESS"),
    What.APPROVED: _Wording(_PATCH, "PATCH_APPROVED", "Approved", "Patch Management", "Approved {title}"),
    What.REJECTED: _Wording(_PATCH, "PATCH_REJECTED", "Rejected", "Patch Management", "Rejected {title}"),
    What.INSTALLED: _Wording(_PATCH, "INSTALLED", "Installed", "Patch Management", "Installed {title}", "SUCCESS"),
    What.FAILED: _Wording(
        _PATCH, "INSTALL_FAILED", "Install failed", "Patch Management", "Failed to install {title}: {code}", "FAILURE"
    ),
    What.ROLLED_BACK: _Wording(
        _PATCH, "ROLLBACK_PATCH_COMPLETED", "Rollback completed", "Patch Management", "Rolled back {title}", "SUCCESS"
    ),
    What.RESTARTED: _Wording("MONITOR", "SYSTEM_REBOOTED", "System rebooted", "Monitor", "System rebooted"),
    What.RESTART_PENDING: _Wording("CONDITION", "TRIGGERED", "Triggered", "Condition", "A restart is pending"),
    What.OFFLINE: _Wording("CONDITION", "TRIGGERED", "Triggered", "Condition", "Device is offline"),
    What.ONLINE: _Wording("CONDITION", "RESET", "Reset", "Condition", "Device is online"),
    What.ALERT: _Wording("CONDITION", "TRIGGERED", "Triggered", "Condition", "Free space of C: is below 10 %"),
    What.ALERT_OVER: _Wording("CONDITION", "RESET", "Reset", "Condition", "Free space of C: is above 10 %"),
}
_CONDITIONS: Final[Mapping[What, str]] = {
    What.RESTART_PENDING: "CONDITION_PENDING_REBOOT",
    What.OFFLINE: "AGENT_OFFLINE",
    What.ONLINE: "AGENT_OFFLINE",
    What.ALERT: "CONDITION_DISK_FREE_SPACE",
    What.ALERT_OVER: "CONDITION_DISK_FREE_SPACE",
}


def activity(happening: Happening, number: int) -> dict[str, Any]:
    """Return the body of the webhook for `happening`; `number` is the activity's own id, one per instance."""
    wording = _WORDINGS[happening.what]
    device, release = happening.device, happening.release
    is_software = release is not None and release.is_software
    title = release.title if release is not None else ""
    body: dict[str, Any] = {
        "id": number,
        "activityTime": seconds(happening.at),
        "deviceId": device.number,
        "activityType": f"SOFTWARE_{_PATCH}" if is_software else wording.activity_type,
        "statusCode": _code(wording, is_software=is_software),
        "status": wording.status,
        "type": wording.label,
        "subject": title,
        "message": wording.message.format(host=device.hostname, title=title, code=happening.code),
        "data": {"message": _reason(happening)},
        "device": expanded(device),
    }
    if wording.result is not None:
        body["activityResult"] = wording.result
    if happening.what in _CONDITIONS:
        body["seriesUid"] = str(uuid5(NAMESPACE, f"{device.uid}/{_CONDITIONS[happening.what]}"))
        body |= {"severity": "MODERATE", "priority": "MEDIUM", "sourceName": "Windows devices"}
    return body


def expanded(device: Device) -> dict[str, Any]:
    """Return the device as a webhook shows it that was registered with expand=[device, organization]."""
    return {**node(device), "offline": False, "lastContact": seconds(device.booted_at)}


def _code(wording: _Wording, *, is_software: bool) -> str:
    if wording.activity_type != _PATCH:
        return wording.code
    return f"{'SOFTWARE_' if is_software else ''}{_PATCH}_{wording.code}"


def _reason(happening: Happening) -> dict[str, Any]:
    """Return `data.message`: the code of a condition, or which update it is about."""
    if happening.what in _CONDITIONS:
        return {"code": _CONDITIONS[happening.what], "params": {"start_date": round(happening.at.timestamp() * 1000)}}
    if happening.release is None:
        return {"code": happening.what.name.lower(), "params": {}}
    return {"code": happening.what.name.lower(), "params": _params(happening.release, happening.code)}


def _params(release: Release, code: str | None) -> dict[str, str]:
    params = {"patch_id": patch_id(release), "patch_name": release.title}
    if release.is_software:
        params |= {"product_identifier": product_id(release), "impact": IMPACTS[release.severity]}
    else:
        params["severity"] = release.severity.value
    if release.kb is not None:
        params["kb_number"] = f"KB{release.kb}"
    if code is not None:
        params["result_code"] = code
    return params
