"""Rows of NinjaOne's API, read and checked, one function per report.

Source: NinjaOne Public API 2.0, schemas NodeWithDetails, DeviceHealth, DeviceOSPatch, DeviceSoftwarePatch,
DeviceOSPatchInstall, DeviceSoftwarePatchInstall.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from contracts.events.rmm import DeviceFacts, PatchRef
from services.gateway.vendors import fields
from services.gateway.vendors.fields import Unreadable
from services.gateway.vendors.ninjaone import facts_of, tags_of
from services.gateway.vendors.vocabulary import kb_number, kind_of, patch_severity

Row = Mapping[str, Any]
ListKind = Literal["os", "software"]
Outcome = Literal["INSTALLED", "FAILED"]

INSTALLED: Final[Outcome] = "INSTALLED"
FAILED: Final[Outcome] = "FAILED"
APPROVED: Final = "APPROVED"
REJECTED: Final = "REJECTED"

PENDING_APPROVAL: Final = "PENDING"
"""A device that nobody let in yet is none of ours."""

DECOMMISSIONED: Final = "DECOMMISSIONED"
"""The vendor's word for a device that is gone. Absence from the listing is not: pages move while they are read."""

LONGEST_TITLE: Final = 300
NEEDS_REBOOT: Final = "needsReboot"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRow:
    """A row of `devices-detailed`. `collected_at` is when the device last sent what its other rows are made of."""

    device: str
    organisation: str | None
    site: str | None
    facts: DeviceFacts
    is_patchable: bool
    is_ours: bool
    removed: str | None
    offline: bool | None
    booted_at: datetime | None
    os_build: str | None
    reboot: str | None
    collected_at: datetime | None


@dataclass(frozen=True, slots=True)
class HealthRow:
    """A row of `device-health`."""

    device: str
    offline: bool | None
    reboot: str | None


@dataclass(frozen=True, slots=True)
class ListedRow:
    """A row of `os-patches` or `software-patches`. `at` is when the vendor collected it."""

    device: str
    patch: PatchRef
    status: str
    at: datetime | None
    attempted_at: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A row of an install history."""

    kind: ListKind
    device: str
    patch: PatchRef
    outcome: Outcome
    at: datetime


def device_id(row: Row) -> str:
    """Return the device that a row of a report is about.

    Raises:
        Unreadable: it names none.
    """
    return fields.identifier(row.get("deviceId"), "deviceId")


def device_row(row: Row) -> DeviceRow:
    """Return a device.

    Raises:
        Unreadable: a field is of the wrong kind.
    """
    os = fields.optional_object(row.get("os"), "os")
    tags = tags_of(row.get("tags"), "tags")
    approval = fields.optional_name(row.get("approvalStatus"), "approvalStatus")
    build = fields.optional_name(os.get("buildNumber"), "os.buildNumber")
    kind = kind_of(fields.optional_name(row.get("nodeClass"), "nodeClass"), tags)
    return DeviceRow(
        device=fields.identifier(row.get("id"), "id"),
        organisation=fields.optional_identifier(row.get("organizationId"), "organizationId"),
        site=fields.optional_identifier(row.get("locationId"), "locationId"),
        facts=_with_details(facts_of(row, "device"), row, os, build),
        is_patchable=kind.is_patchable,
        is_ours=approval != PENDING_APPROVAL,
        removed=DECOMMISSIONED if approval == DECOMMISSIONED else None,
        offline=fields.optional_truth(row.get("offline"), "offline"),
        booted_at=fields.loose_epoch_moment(os.get("lastBootTime"), "os.lastBootTime"),
        os_build=build,
        reboot=NEEDS_REBOOT if fields.optional_truth(os.get("needsReboot"), "os.needsReboot") else None,
        collected_at=fields.loose_epoch_moment(row.get("lastUpdate"), "lastUpdate"),
    )


def _with_details(facts: DeviceFacts, row: Row, os: Row, build: str | None) -> DeviceFacts:
    system = fields.optional_object(row.get("system"), "system")
    serial = fields.optional_name(system.get("serialNumber"), "system.serialNumber")
    return facts.model_copy(
        update={
            "os_name": fields.optional_name(os.get("name"), "os.name"),
            "os_version": fields.optional_name(os.get("releaseId"), "os.releaseId"),
            "os_build": build,
            "serial": serial or fields.optional_name(system.get("biosSerialNumber"), "system.biosSerialNumber"),
        }
    )


def health_row(row: Row) -> HealthRow:
    """Return how a device is.

    Raises:
        Unreadable: a field is of the wrong kind.
    """
    reason = fields.optional_name(row.get("pendingRebootReason"), "pendingRebootReason")
    return HealthRow(device_id(row), fields.optional_truth(row.get("offline"), "offline"), reason)


def listed_row(row: Row) -> ListedRow:
    """Return a patch that a device misses, or that was approved or rejected for it.

    Raises:
        Unreadable: a field is of the wrong kind, or nothing names the patch.
    """
    return ListedRow(
        device_id(row),
        _patch(row),
        fields.optional_name(row.get("status"), "status") or "",
        fields.loose_epoch_moment(row.get("timestamp"), "timestamp"),
        fields.loose_epoch_moment(row.get("installedAt"), "installedAt"),
    )


def attempt_row(kind: ListKind, row: Row) -> AttemptRow:
    """Return an attempt to install a patch.

    Raises:
        Unreadable: a field is of the wrong kind, the outcome is unknown, or there is no moment.
    """
    at = fields.loose_epoch_moment(row.get("installedAt"), "installedAt")
    at = at or fields.loose_epoch_moment(row.get("timestamp"), "timestamp")
    if at is None:
        raise Unreadable("installedAt: missing")
    match row.get("status"):
        case "INSTALLED":
            return AttemptRow(kind, device_id(row), _patch(row), INSTALLED, at)
        case "FAILED":
            return AttemptRow(kind, device_id(row), _patch(row), FAILED, at)
        case _:
            raise Unreadable("status: neither INSTALLED nor FAILED")


def _patch(row: Row) -> PatchRef:
    """Return the patch, called by its KB number where it has one, as webhooks call it."""
    kb = kb_number(row.get("kbNumber"))
    title = fields.optional_name(row.get("name") or row.get("title"), "name")
    product = fields.optional_name(row.get("productIdentifier"), "productIdentifier")
    own = row.get("id")
    named = f"KB{kb}" if kb else str(own) if isinstance(own, str | int) and own else title
    severity = patch_severity(row.get("severity") or row.get("impact"))
    return PatchRef(
        patch=fields.name(named, "id"),
        kb=kb,
        product=product,
        title=title and title[:LONGEST_TITLE],
        severity=severity,
    )
