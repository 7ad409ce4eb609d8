"""What the evidence that is folded anyway tells of a machine's restarts, and when it was last read. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from contracts.events.event import Tier
from services.compliance.monitors.rules_reboots import Deployed, Heard, Word
from services.compliance.rules_fold import WINDOW
from services.compliance.rules_rows import Device, Evidence


def heard_at(devices: Iterable[Device]) -> datetime | None:
    """Return when the machine's state was last read: scanned, polled, or its build read after a start."""
    moments = [
        mark.at
        for each in devices
        for mark in (
            each.registers.scanned,
            each.registers.polled,
            each.registers.pending,
            *each.registers.boots,
            *each.registers.readings,
        )
        if mark is not None
    ]
    return max(moments, default=None)


def restarts(
    tier: Tier, devices: Sequence[Device], evidence: Iterable[Evidence], words: Sequence[Word], *, tells: bool
) -> Heard:
    """Return what is known of a machine's restarts: by all its sources, and by what its deployers did."""
    deployed = [
        Deployed(mark.at, each.name.patch)
        for each in evidence
        for mark in (*each.registers.claims, each.registers.failed)
        if mark is not None
    ]
    deployed += [Deployed(each.registers.pending.at, "an update") for each in devices if each.registers.pending]
    return Heard(
        tier=tier,
        boots=[boot.at for each in devices for boot in each.registers.boots],
        words=words,
        deployed=deployed,
        tells=tells,
        forgotten=any(len(each.registers.boots) >= WINDOW for each in devices),
    )
