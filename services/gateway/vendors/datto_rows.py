"""Rows of Datto RMM's API, read and checked: a device, and an alert with what was done about it.

Source: Datto RMM API 2.0.0, schemas Device, PatchManagement, Alert, AlertSourceInfo, ResponseAction. The schema writes
moments as text, callers report milliseconds: both are read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.rmm import DeviceFacts
from services.gateway.vendors import datto_words, fields
from services.gateway.vendors.datto_template import identifier
from services.gateway.vendors.fields import LONGEST_NAME, Unreadable

Row = Mapping[str, Any]

DELETED: Final = "deleted"
"""The vendor's word for a device that is gone. A suspended one, or one that is not listed, is not."""

REBOOT_REQUIRED: Final = "rebootRequired"
PATCH_REBOOT: Final = "patchStatus RebootRequired"
INSTALL_ERROR: Final = "InstallError"
WEBHOOK_FAILED: Final = "WEBHOOK_EXECUTION_ERROR"
PATCH_CONTEXT: Final = "patch_ctx"
NO_CONTEXT: Final = "alert"

_MACHINE: Final = "device"
_BUILD: Final = re.compile(r"\b10\.0\.([0-9]{5})\b")
_FAMILIES: Final = (
    (re.compile(r"\bwindows\b", re.IGNORECASE), OsFamily.WINDOWS),
    (re.compile(r"\bmac ?os\b|\bos ?x\b", re.IGNORECASE), OsFamily.MACOS),
    (
        re.compile(r"\b(linux|ubuntu|debian|centos|red hat|rhel|fedora|suse|rocky|alma\w*)\b", re.IGNORECASE),
        OsFamily.LINUX,
    ),
)
_TIER_BY_CATEGORY: Final[Mapping[str, Tier]] = {
    "server": Tier.SERVER,
    "desktop": Tier.WORKSTATION,
    "laptop": Tier.WORKSTATION,
    "workstation": Tier.WORKSTATION,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """A device. `patch_status` is one word for all of its patches; `reboot` why it must restart."""

    device: str
    site: str | None
    facts: DeviceFacts
    removed: str | None
    offline: bool | None
    booted_at: datetime | None
    os_build: str | None
    reboot: str | None
    patch_status: str | None
    seen_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alert. `kind` is its context's class; `lost` how often a webhook for it failed."""

    alert: str
    device: str
    site: str | None
    kind: str
    severity: Severity
    raised_at: datetime
    is_resolved: bool
    resolved_at: datetime | None
    result: str | None
    patch: str | None
    kb: str | None
    code: str | None
    lost: int


def device_row(row: Row) -> DeviceRow:
    """Return a device.

    Raises:
        Unreadable: a field is of the wrong kind, or it has no uid.
    """
    patches = fields.optional_object(row.get("patchManagement"), "patchManagement")
    status = fields.optional_name(patches.get("patchStatus"), "patchManagement.patchStatus")
    os = fields.optional_name(row.get("operatingSystem"), "operatingSystem")
    build = _BUILD.search(os or "")
    online = fields.optional_truth(row.get("online"), "online")
    is_suspended = fields.optional_truth(row.get("suspended"), "suspended") is True
    must_restart = fields.optional_truth(row.get(REBOOT_REQUIRED), REBOOT_REQUIRED)
    is_deleted = fields.optional_truth(row.get(DELETED), DELETED)
    return DeviceRow(
        device=_uid(row.get("uid"), "uid"),
        site=_optional_uid(row.get("siteUid"), "siteUid"),
        facts=_facts(row, os, build.group(1) if build else None),
        removed=DELETED if is_deleted else None,
        offline=None if online is None or is_suspended else not online,
        booted_at=fields.any_moment(row.get("lastReboot"), "lastReboot"),
        os_build=build.group(1) if build else None,
        reboot=REBOOT_REQUIRED if must_restart else PATCH_REBOOT if status == "RebootRequired" else None,
        patch_status=status,
        seen_at=fields.any_moment(row.get("lastSeen"), "lastSeen"),
    )


def _facts(row: Row, os: str | None, build: str | None) -> DeviceFacts:
    device_class = fields.optional_name(row.get("deviceClass"), "deviceClass")
    is_machine = device_class in {None, _MACHINE}
    family = _family(os) if is_machine else OsFamily.OTHER
    return DeviceFacts(
        hostname=fields.optional_name(row.get("hostname"), "hostname"),
        os_family=family,
        os_name=os,
        os_build=build,
        tier=_tier(row, os, family) if is_machine else None,
        location=fields.optional_name(row.get("siteName"), "siteName"),
    )


def _family(os: str | None) -> OsFamily | None:
    if os is None:
        return None
    return next((family for pattern, family in _FAMILIES if pattern.search(os)), OsFamily.OTHER)


def _tier(row: Row, os: str | None, family: OsFamily | None) -> Tier | None:
    """Return what the device's category says; else a Windows Server says so itself."""
    device_type = fields.optional_object(row.get("deviceType"), "deviceType")
    category = fields.optional_name(device_type.get("category"), "deviceType.category")
    known = _TIER_BY_CATEGORY.get((category or "").casefold())
    if known is not None or family is not OsFamily.WINDOWS:
        return known
    return Tier.SERVER if "server" in (os or "").casefold() else None


def alert_row(row: Row) -> AlertRow:
    """Return an alert. A context that we do not know is only its name.

    Raises:
        Unreadable: a field is of the wrong kind, or it names no device or no moment.
    """
    context = fields.optional_object(row.get("alertContext"), "alertContext")
    source = fields.optional_object(row.get("alertSourceInfo"), "alertSourceInfo")
    raised_at = fields.any_moment(row.get("timestamp"), "timestamp")
    if raised_at is None:
        raise Unreadable("timestamp: missing")
    kind = fields.optional_name(context.get("@class"), "alertContext.@class") or NO_CONTEXT
    texts = [_text(context.get("info")), _text(row.get("diagnostics"))]
    return AlertRow(
        alert=_uid(row.get("alertUid"), "alertUid"),
        device=_uid(source.get("deviceUid"), "alertSourceInfo.deviceUid"),
        site=_optional_uid(source.get("siteUid"), "alertSourceInfo.siteUid"),
        kind=kind,
        severity=datto_words.severity(_text(row.get("priority"))),
        raised_at=raised_at,
        is_resolved=fields.optional_truth(row.get("resolved"), "resolved") is True,
        resolved_at=fields.any_moment(row.get("resolvedOn"), "resolvedOn"),
        result=_word(context.get("result")) or _word(context.get("status")),
        patch=_word(context.get("patchUid")) if kind == PATCH_CONTEXT else None,
        kb=datto_words.only_kb(*texts),
        code=datto_words.result_code(*texts),
        lost=_lost(row.get("responseActions")),
    )


def _lost(actions: object) -> int:
    """Return how many of the webhooks for an alert Datto says failed."""
    if actions is None:
        return 0
    if not isinstance(actions, list):
        raise Unreadable("responseActions: not a list")
    return sum(isinstance(each, dict) and each.get("actionType") == WEBHOOK_FAILED for each in actions)


def _uid(value: object, path: str) -> str:
    return identifier(fields.name(value, path), path)


def _optional_uid(value: object, path: str) -> str | None:
    return None if value is None or value == "" else _uid(value, path)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _word(value: object) -> str | None:
    """Return a word of a context; contexts differ, so what is no word there is none."""
    is_word = isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and fields.is_printable(value)
    return str(value) if is_word else None
