"""What differs about a device itself between two polls, and what that tells, whatever the vendor."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from contracts import ids
from contracts.events import rmm
from contracts.events.event import Moment, Name, Value
from contracts.events.rmm import DeviceFacts

Found = Iterator[tuple[datetime, rmm.RmmEvent, tuple[str, ...]]]
"""When it happened, the event, and what else tells it apart."""


class Boot(Value):
    """A start of the device, or another build read since."""

    booted_at: Moment
    read_at: Moment
    os_build: Name | None = None


class PolledDevice(Value):
    """One device. What is absent did not change."""

    device: Name
    organisation: Name | None = None
    facts: DeviceFacts | None = None
    removed: Name | None = None
    offline: bool | None = None
    boot: Boot | None = None
    reboot: Name | None = None


def told(device: PolledDevice, read_at: datetime, common: dict[str, Any], *, place: str) -> Found:
    """Yield what differs as events with the fields `common`; `place` is where the device belongs, in one word."""
    if device.removed is not None:
        yield read_at, rmm.DeviceRemoved(**common, reason=device.removed), ()
    if device.facts is not None:
        whole = f"{place}/{device.facts.model_dump_json()}"
        digest = hashlib.blake2b(whole.encode(), digest_size=16).hexdigest()
        yield read_at, rmm.DeviceUpdated(**common, facts=device.facts), (digest,)
    if device.offline is not None:
        yield read_at, rmm.DeviceOffline(**common) if device.offline else rmm.DeviceOnline(**common), ()
    if device.boot is not None:
        boot = device.boot
        booted = rmm.DeviceBooted(**common, booted_at=boot.booted_at, os_build=boot.os_build)
        yield boot.read_at, booted, (ids.moment(boot.booted_at), boot.os_build or "")
    if device.reboot is not None:
        yield read_at, rmm.PatchRebootPending(**common, reason=device.reboot), (device.reboot,)
