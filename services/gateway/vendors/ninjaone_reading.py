"""What the poller writes to the raw topic: how one reading of NinjaOne's API differs from the one before.

The shape is ours, and it is evidence: a rebuild finds the witnesses here again. Only optional fields are ever added.
"""

from typing import Final, Literal

from pydantic import Field

from contracts.events.event import Moment, Name, Value
from contracts.events.rmm import PatchRef
from services.gateway.vendors.polled_device import PolledDevice

FORMAT: Final = "ninjaone.reading.v1"


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


class DeviceDifference(PolledDevice):
    """One device. What is absent did not change."""

    site: Name | None = None
    scans: tuple[Scan, ...] = ()
    approved: tuple[PatchRef, ...] = ()
    rejected: tuple[PatchRef, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class Reading(Value):
    """One part of one poll. `read_at` is when the poll began: what is read is at least as new."""

    format: Literal["ninjaone.reading.v1"] = FORMAT
    read_at: Moment
    devices: tuple[DeviceDifference, ...]
