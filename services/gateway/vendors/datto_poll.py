"""Makes events of what the poller read at Datto RMM. Every id comes from natural fields: a repeat is the same event.

The API has no list of patches, so nothing here is detected, scanned, or no longer listed: a patch is named only where a
patch monitor's alert names it, and `patchStatus` is about the device alone.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from contracts import ids
from contracts.envelope import described
from contracts.events import rmm
from contracts.events.event import Confidence, Method
from contracts.raw import RawDelivery
from services.gateway.vendors import datto_words, polled_device
from services.gateway.vendors.datto_reading import AlertDifference, DeviceDifference, Reading
from services.gateway.vendors.datto_words import WORDS, About, Words
from services.gateway.vendors.polled_device import Found
from services.gateway.vendors.translation import Said, Translation

INSTALL_ERROR_KIND: Final = "patchStatus InstallError"


def translated(delivery: RawDelivery, words: Words = WORDS) -> Translation:
    """Return what one poll found. Never raises."""
    try:
        reading = Reading.model_validate_json(delivery.body)
    except ValidationError as error:
        return Translation(problems=(described(error),))
    said = [said for device in reading.devices for said in _said(delivery.source, reading.read_at, device, words)]
    return Translation(said=said)


def _said(source: str, read_at: datetime, device: DeviceDifference, words: Words) -> Iterator[Said]:
    common: dict[str, Any] = {
        "device": device.device,
        "organisation": device.organisation,
        "method": Method.POLL,
        "confidence": Confidence.DERIVED,
    }
    for at, event, natural in _of_device(device, read_at, common):
        yield Said(ids.event_id_of_fields(source, event.TYPE, at, device.device, *natural), at, event)
    for alert in device.alerts:
        for at, event, natural in _of_alert(alert, common, words):
            id_ = ids.event_id_of_fields(source, event.TYPE, at, device.device, *natural)
            yield Said(id_, at, event, alert.alert)


def _of_device(device: DeviceDifference, read_at: datetime, common: dict[str, Any]) -> Found:
    yield from polled_device.told(device, read_at, common, place=str(device.organisation))
    if device.install_error is not None:
        alert = f"patchStatus/{device.device}"
        raised = rmm.AlertRaised(**common, alert=alert, kind=INSTALL_ERROR_KIND)
        reset = rmm.AlertReset(**common, alert=alert, kind=INSTALL_ERROR_KIND)
        yield read_at, raised if device.install_error else reset, (alert,)


def _of_alert(alert: AlertDifference, common: dict[str, Any], words: Words) -> Found:
    if alert.is_raised:
        raised = rmm.AlertRaised(**common, alert=alert.alert, kind=alert.kind, severity=alert.severity)
        yield alert.raised_at, raised, (alert.alert,)
        told = _told(alert, common, words)
        if told is not None:
            yield alert.raised_at, told, (alert.alert,)
    if alert.reset_at is not None:
        yield alert.reset_at, rmm.AlertReset(**common, alert=alert.alert, kind=alert.kind), (alert.alert,)


def _told(alert: AlertDifference, common: dict[str, Any], words: Words) -> rmm.RmmEvent | None:
    """Return what a raised alert says of its device besides. A claim of the deployer's stays a claim."""
    patch = datto_words.patch_ref(alert.kb, alert.patch)
    match words.of_result(alert.kind, alert.result):
        case About.OFFLINE:
            return rmm.DeviceOffline(**common)
        case About.REBOOT_NEEDED:
            return rmm.PatchRebootPending(**common, patch=patch, reason=alert.kind)
        case About.PATCH_FAILED if patch is not None:
            return rmm.PatchInstallFailed(**common, patch=patch, code=alert.code)
        case About.PATCH_INSTALLED if patch is not None:
            return rmm.PatchInstallReported(**common, patch=patch)
        case _:
            return None
