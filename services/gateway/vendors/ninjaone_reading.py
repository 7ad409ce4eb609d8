"""What the poller writes to the raw topic: how one reading of NinjaOne's API differs from the one before.

The shape is ours, and it is evidence: a rebuild finds the witnesses here again. Only optional fields are ever added.
"""

from typing import Final, Literal

from pydantic import Field

from contracts.events.event import Moment, Name, Value
from contracts.events.rmm import DeviceFacts, PatchRef

FORMAT: Final = "ninjaone.reading.v1"


class Boot(Value):
    """A start of the device, or another build read since."""

    booted_at: Moment
    read_at: Moment
    os_build: Name | None = None


class Scan(Value):
    """What one list of missing patches said at the moment of its scan, and how that differs from before.

    `appeared` is also what is still listed after an attempt that is said to have installed it.
    """

    kind: Literal["os", "software"]
    scanned_at: Moment
    listed: int = Field(ge=0)
    appeared: tuple[PatchRef, ...] = ()
    gone: tuple[PatchRef, ...] = ()


class Attempt(Value):
    """One line of the install history."""

    outcome: Literal["INSTALLED", "FAILED"]
    at: Moment
    patch: PatchRef


class DeviceDifference(Value):
    """One device. What is absent did not change."""

    device: Name
    organisation: Name | None = None
    site: Name | None = None
    facts: DeviceFacts | None = None
    removed: Name | None = None
    offline: bool | None = None
    boot: Boot | None = None
    reboot: Name | None = None
    scans: tuple[Scan, ...] = ()
    approved: tuple[PatchRef, ...] = ()
    rejected: tuple[PatchRef, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class Reading(Value):
    """One part of one poll. `read_at` is when the poll began: what is read is at least as new."""

    format: Literal["ninjaone.reading.v1"] = FORMAT
    read_at: Moment
    devices: tuple[DeviceDifference, ...]
