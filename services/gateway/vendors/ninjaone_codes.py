"""What NinjaOne's status codes mean for us. A code that is not here is kept verbatim and counted.

Source: NinjaOne Public API 2.0, schema Activity, enum statusCode (677 values and growing).
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class Meaning(Enum):
    """What an activity tells us."""

    SEEN = auto()
    UPDATED = auto()
    REMOVED = auto()
    CLONED = auto()
    SCAN_COMPLETED = auto()
    APPROVED = auto()
    REJECTED = auto()
    INSTALLED = auto()
    FAILED = auto()
    ROLLED_BACK = auto()
    BOOTED = auto()
    RAISED = auto()
    RESET = auto()
    NOTHING = auto()


MEANING_BY_CODE: Final[Mapping[str, Meaning]] = {
    "NODE_CREATED": Meaning.SEEN,
    "NODE_RE_ENROLLED": Meaning.SEEN,
    "NODE_AUTOMATICALLY_APPROVED": Meaning.SEEN,
    "NODE_MANUALLY_APPROVED": Meaning.SEEN,
    "NODE_UPDATED": Meaning.UPDATED,
    "NODE_IDENTIFICATION_UPDATED": Meaning.UPDATED,
    "SOFTWARE_ADDED": Meaning.UPDATED,
    "SOFTWARE_REMOVED": Meaning.UPDATED,
    "SOFTWARE_UPDATED": Meaning.UPDATED,
    "SOFTWARE_OS_UPDATED": Meaning.UPDATED,
    "NODE_DELETED": Meaning.REMOVED,
    "NODE_REGISTRATION_REJECTED": Meaning.REMOVED,
    "NODE_AUTOMATICALLY_REJECTED": Meaning.REMOVED,
    "NODE_MANUALLY_REJECTED": Meaning.REMOVED,
    "REJECTED_NODE_DELETED": Meaning.REMOVED,
    "MOBILE_DEVICE_UNREGISTERED": Meaning.REMOVED,
    "NODE_CLONING_DETECTED": Meaning.CLONED,
    "NODE_CLONE_ADVISED_TO_REGISTER": Meaning.CLONED,
    "PATCH_MANAGEMENT_SCAN_STARTED": Meaning.NOTHING,
    "PATCH_MANAGEMENT_SCAN_COMPLETED": Meaning.SCAN_COMPLETED,
    "PATCH_MANAGEMENT_PATCH_APPROVED": Meaning.APPROVED,
    "PATCH_MANAGEMENT_PATCH_REJECTED": Meaning.REJECTED,
    "PATCH_MANAGEMENT_APPLY_PATCH_STARTED": Meaning.NOTHING,
    "PATCH_MANAGEMENT_APPLY_PATCH_COMPLETED": Meaning.NOTHING,
    "PATCH_MANAGEMENT_INSTALLED": Meaning.INSTALLED,
    "PATCH_MANAGEMENT_INSTALL_FAILED": Meaning.FAILED,
    "PATCH_MANAGEMENT_FAILURE": Meaning.FAILED,
    "PATCH_MANAGEMENT_MESSAGE": Meaning.NOTHING,
    "PATCH_MANAGEMENT_ROLLBACK_PATCH_REQUESTED": Meaning.NOTHING,
    "PATCH_MANAGEMENT_ROLLBACK_PATCH_STARTED": Meaning.NOTHING,
    "PATCH_MANAGEMENT_ROLLBACK_PATCH_COMPLETED": Meaning.ROLLED_BACK,
    "SOFTWARE_PATCH_MANAGEMENT_SCAN_STARTED": Meaning.NOTHING,
    "SOFTWARE_PATCH_MANAGEMENT_SCAN_COMPLETED": Meaning.SCAN_COMPLETED,
    "SOFTWARE_PATCH_MANAGEMENT_APPLY_PATCH_STARTED": Meaning.NOTHING,
    "SOFTWARE_PATCH_MANAGEMENT_APPLY_PATCH_COMPLETED": Meaning.NOTHING,
    "SOFTWARE_PATCH_MANAGEMENT_INSTALLED": Meaning.INSTALLED,
    "SOFTWARE_PATCH_MANAGEMENT_INSTALL_FAILED": Meaning.FAILED,
    "SOFTWARE_PATCH_MANAGEMENT_MESSAGE": Meaning.NOTHING,
    "SOFTWARE_PATCH_MANAGEMENT_PATCH_APPROVED": Meaning.APPROVED,
    "SOFTWARE_PATCH_MANAGEMENT_PATCH_REJECTED": Meaning.REJECTED,
    "SYSTEM_REBOOTED": Meaning.BOOTED,
}

MEANING_BY_CONDITION_CODE: Final[Mapping[str, Meaning]] = {
    "TRIGGERED": Meaning.RAISED,
    "RESET": Meaning.RESET,
    "ACKNOWLEDGED": Meaning.NOTHING,
    "DISABLED": Meaning.NOTHING,
    "EVALUATION_FAILURE": Meaning.NOTHING,
}
"""Codes of activities of type CONDITION; other types use the same words for other things."""

HARDWARE_PREFIXES: Final = ("CPU_", "MEMORY_", "DISK_DRIVE_", "ADAPTER_")
"""Changes of a machine's parts: the device is alive and changed, more we do not keep."""

CONDITION: Final = "CONDITION"

OFFLINE_CONDITIONS: Final = frozenset({"AGENT_OFFLINE", "CONDITION_AGENT_OFFLINE"})
REBOOT_CONDITIONS: Final = frozenset({"PENDING_REBOOT", "CONDITION_PENDING_REBOOT"})
"""Kinds of condition that are facts of ours. Unconfirmed in a webhook: see docs/rmm/ninjaone.md, "Conditions"."""


def meaning_of(activity_type: str | None, code: str) -> Meaning | None:
    """Return what a code means; `None` for one that we do not know."""
    if activity_type == CONDITION:
        return MEANING_BY_CONDITION_CODE.get(code)
    if code.startswith(HARDWARE_PREFIXES):
        return Meaning.UPDATED
    return MEANING_BY_CODE.get(code)
