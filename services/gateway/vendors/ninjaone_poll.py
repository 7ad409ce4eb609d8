"""Makes events of what the poller read. Every id comes from natural fields: a repeat is the same event."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from contracts import ids
from contracts.envelope import described
from contracts.events import rmm
from contracts.events.event import Confidence, Method
from contracts.raw import RawDelivery
from services.gateway.vendors import polled_device
from services.gateway.vendors.ninjaone_reading import DeviceDifference, Reading
from services.gateway.vendors.polled_device import Found
from services.gateway.vendors.translation import Said, Translation


def translated(delivery: RawDelivery) -> Translation:
    """Return what one poll found. Never raises."""
    try:
        reading = Reading.model_validate_json(delivery.body)
    except ValidationError as error:
        return Translation(problems=(described(error),))
    said = [said for device in reading.devices for said in _said(delivery.source, reading.read_at, device)]
    return Translation(said=said)


def _said(source: str, read_at: datetime, device: DeviceDifference) -> Iterator[Said]:
    common: dict[str, Any] = {
        "device": device.device,
        "organisation": device.organisation,
        "site": device.site,
        "method": Method.POLL,
        "confidence": Confidence.DERIVED,
    }
    itself = polled_device.told(device, read_at, common, place=f"{device.organisation}/{device.site}")
    for at, event, natural in (*itself, *_of_patches(device, read_at, common)):
        yield Said(ids.event_id_of_fields(source, event.TYPE, at, device.device, *natural), at, event)


def _of_patches(device: DeviceDifference, read_at: datetime, common: dict[str, Any]) -> Found:
    for scan in device.scans:
        at = scan.scanned_at
        for patch in scan.appeared:
            yield at, rmm.PatchDetected(**common, patch=patch, scanned_at=at), (patch.patch,)
        for patch in scan.gone:
            yield at, rmm.PatchNoLongerListed(**common, patch=patch, scanned_at=at), (patch.patch,)
        yield at, rmm.PatchScanCompleted(**common, scanned_at=at, listed=scan.listed), (scan.kind,)
    for patch in device.approved:
        yield read_at, rmm.PatchApproved(**common, patch=patch), (patch.patch,)
    for patch in device.rejected:
        yield read_at, rmm.PatchRejected(**common, patch=patch), (patch.patch,)
    for attempt in device.attempts:
        event: rmm.RmmEvent = (
            rmm.PatchInstallReported(**common, patch=attempt.patch)
            if attempt.outcome == "INSTALLED"
            else rmm.PatchInstallFailed(**common, patch=attempt.patch)
        )
        yield attempt.at, event, (attempt.patch.patch,)
