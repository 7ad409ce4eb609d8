"""Datto RMM's webhook: an alert that was raised or resolved, in the template that we hand out.

Source: templates in public use name the variables; the vendor's own table could not be read. What is unconfirmed is in
docs/rmm/datto.md. No variable says when an alert was raised: the receipt stands for it until the poller brings it.
"""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from contracts import ids
from contracts.envelope import described
from contracts.events import rmm
from contracts.raw import RawDelivery
from services.gateway.vendors import datto_words, fields, patchline
from services.gateway.vendors.datto_template import Filled, filled
from services.gateway.vendors.datto_words import WORDS, About, Words
from services.gateway.vendors.fields import Unreadable
from services.gateway.vendors.translation import Said, Translation

NO_KIND: Final = "alert"
RAISED: Final = "alert.raised"


def translated(delivery: RawDelivery, words: Words = WORDS) -> Translation:
    """Return what one delivery says: our template, or our own format typed before there was one. Never raises."""
    if _is_own_format(delivery.body):
        return patchline.translated(delivery)
    try:
        alert = filled(delivery.body)
        said = [
            Said(ids.event_id_of_vendor(delivery.source, name), delivery.received, event, alert.alert)
            for name, event in _said(alert, words)
        ]
    except Unreadable as error:
        return Translation(problems=(str(error),))
    except ValidationError as error:
        return Translation(problems=(described(error),))
    return Translation(said=said)


def _is_own_format(body: bytes) -> bool:
    """Return whether this is sound JSON in our own format; a filled-in template begins otherwise, however broken."""
    try:
        found = fields.object_in(body)
    except Unreadable:
        return False
    return "schema" not in found and ("type" in found or "events" in found)


def _said(alert: Filled, words: Words) -> Iterator[tuple[str, rmm.RmmEvent]]:
    """Yield the events of an alert, each with the vendor's id of it: the alert's uid and what became of it."""
    place: dict[str, Any] = {"device": alert.device, "organisation": alert.site}
    kind = alert.kind or alert.category or NO_KIND
    own = f"alert/{alert.alert}/{alert.event_type}"
    if alert.event_type != RAISED:
        yield own, rmm.AlertReset(**place, alert=alert.alert, kind=kind)
        return  # that a condition is over, by time or by hand, proves nothing of patches or of the device
    yield own, rmm.AlertRaised(**place, alert=alert.alert, kind=kind, severity=datto_words.severity(alert.priority))
    told = _told(alert, words, kind, place)
    if told is not None:
        yield f"{own}/device", told


def _told(alert: Filled, words: Words, kind: str, place: dict[str, Any]) -> rmm.RmmEvent | None:
    """Return what the alert tells of its device besides, if its words leave no doubt."""
    match words.of_text(kind, alert.message):
        case About.OFFLINE:
            return rmm.DeviceOffline(**place)
        case About.REBOOT_NEEDED:
            return rmm.PatchRebootPending(**place, reason=kind)
        case About.PATCH_FAILED:
            patch = datto_words.patch_ref(datto_words.only_kb(alert.message), None)
            code = datto_words.result_code(alert.message)
            return None if patch is None else rmm.PatchInstallFailed(**place, patch=patch, code=code)
        case _:
            return None
