"""What the poller writes to the raw topic: how one reading of Datto RMM's API differs from the one before.

The shape is ours, and it is evidence: a rebuild finds the witnesses here again. Only optional fields are ever added.
"""

from typing import Final, Literal

from pydantic import Field

from contracts.events.event import Moment, Name, Severity, Value
from services.gateway.vendors.polled_device import PolledDevice

FORMAT: Final = "datto.reading.v1"


class AlertDifference(Value):
    """One alert: told as raised, as reset or both. `lost`: webhooks for it that Datto says failed since last time."""

    alert: Name
    kind: Name
    severity: Severity = Severity.UNKNOWN
    raised_at: Moment
    reset_at: Moment | None = None
    is_raised: bool = False
    result: Name | None = None
    patch: Name | None = None
    kb: str | None = Field(default=None, pattern=r"^[0-9]{5,9}$")
    code: Name | None = None
    lost: int = Field(default=0, ge=0)


class DeviceDifference(PolledDevice):
    """One device. What is absent did not change.

    `patch_status` is Datto's one word for all of its patches, `install_error` whether that word is an error.
    """

    seen_at: Moment | None = None
    patch_status: Name | None = None
    install_error: bool | None = None
    alerts: tuple[AlertDifference, ...] = ()


class Reading(Value):
    """One part of one poll. `read_at` is when the poll began: what is read is at least as new."""

    format: Literal["datto.reading.v1"] = FORMAT
    read_at: Moment
    devices: tuple[DeviceDifference, ...]
