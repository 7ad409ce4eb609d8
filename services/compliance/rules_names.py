"""What a vendor's patch is known by, and what may be folded at all. Pure."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from contracts import ids
from contracts.envelope import Envelope
from contracts.events import rmm

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Moments outside cannot be computed with; the gateway lets none through."""


class PatchName(NamedTuple):
    """A patch as events about it name it: `KB5050009`, or the vendor's product and patch id."""

    id: UUID
    patch: str
    kb: str | None
    product: str | None


def patch_name(ref: rmm.PatchRef) -> PatchName:
    """Return what `ref` is known by. A KB is one patch whoever lists it; other ids only mean something in a product."""
    if ref.kb is not None:
        return _of_kb(ref.kb)
    return PatchName(_patch_id("patch", ref.product or "", ref.patch), ref.patch, None, ref.product)


@lru_cache(maxsize=4096)
def _of_kb(kb: str) -> PatchName:
    return PatchName(_patch_id("kb", kb), f"KB{kb}", kb, None)


@lru_cache(maxsize=4096)
def _patch_id(*parts: str) -> UUID:
    return uuid5(ids.NAMESPACE, json.dumps(["patch", *parts], ensure_ascii=False, separators=(",", ":")))


ABOUT_A_PATCH: Final = (
    rmm.PatchDetected,
    rmm.PatchNoLongerListed,
    rmm.PatchApproved,
    rmm.PatchRejected,
    rmm.PatchInstallReported,
    rmm.PatchInstallFailed,
    rmm.PatchRolledBack,
    rmm.PatchRebootPending,
)


def patch_of(told: rmm.RmmEvent) -> rmm.PatchRef | None:
    """Return the patch that an event is about; `None`: it is about the device."""
    patch: rmm.PatchRef | None = told.patch if isinstance(told, ABOUT_A_PATCH) else None
    return patch


def moment_of(told: rmm.RmmEvent) -> datetime | None:
    """Return when what is told was so, where the event says it apart from its own time."""
    match told:
        case rmm.PatchScanCompleted() | rmm.PatchDetected() | rmm.PatchNoLongerListed():
            return told.scanned_at
        case rmm.DeviceBooted():
            return told.booted_at
        case _:
            return None


def unusable(event: Envelope) -> str | None:
    """Return why an RMM event can never be folded; `None`: it can."""
    if event.tenant is None:
        return "ce_tenantid: the header is missing, so the evidence would belong to nobody"
    if not EARLIEST <= event.time < LATEST:
        return "ce_time: no possible moment"
    if not EARLIEST <= event.received < LATEST:
        return "ce_receivedtime: no possible moment"
    at = moment_of(event.data) if isinstance(event.data, rmm.RmmEvent) else None
    return None if at is None or EARLIEST <= at < LATEST else "scanned_at or booted_at: no possible moment"
