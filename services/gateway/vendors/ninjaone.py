"""NinjaOne's webhook: one Activity per body, the device and its organisation only where expanded.

Source: NinjaOne Public API 2.0, schemas Activity and NodeWithDetailedReferences. What is unconfirmed is in
docs/rmm/ninjaone.md.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from contracts import ids
from contracts.envelope import described
from contracts.events import rmm
from contracts.raw import RawDelivery
from services.gateway.vendors import fields
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.ninjaone_codes import OFFLINE_CONDITIONS, REBOOT_CONDITIONS, Meaning, meaning_of
from services.gateway.vendors.ninjaone_places import PATCH_FINDER, PatchFinder
from services.gateway.vendors.translation import Said, Translation, Unsaid
from services.gateway.vendors.vocabulary import alert_severity, kind_of

_MOST_TAGS: Final = 200


@dataclass(frozen=True, slots=True)
class _Activity:
    """What is common to all activities, read and checked. `code` is verbatim; `kind` is a condition's own word."""

    body: JsonObject
    code: str
    at: datetime
    device: str
    organisation: str | None
    site: str | None
    series: str | None
    alert: str
    kind: str
    finder: PatchFinder


def translated(delivery: RawDelivery, finder: PatchFinder = PATCH_FINDER) -> Translation:
    """Return what one activity says. Never raises."""
    try:
        return _translated(delivery, fields.object_in(delivery.body), finder)
    except Unreadable as error:
        return Translation(problems=(str(error),))
    except ValidationError as error:
        return Translation(problems=(described(error),))


def _translated(delivery: RawDelivery, body: JsonObject, finder: PatchFinder) -> Translation:
    id_ = ids.event_id_of_vendor(delivery.source, fields.identifier(body.get("id"), "id"))
    code = fields.name(body.get("statusCode"), "statusCode")
    activity_type = fields.optional_name(body.get("activityType"), "activityType")
    meaning = meaning_of(activity_type, code)
    if meaning is None:
        verbatim = code if activity_type is None else f"{activity_type}.{code}"
        return Translation(unsaid=(Unsaid(id_, verbatim[: fields.LONGEST_NAME], is_known=False),))
    if meaning is Meaning.NOTHING:
        return Translation(unsaid=(Unsaid(id_, code, is_known=True),))
    device = _device_id(body)
    if device is None:
        return Translation(unsaid=(Unsaid(id_, f"{code} without a device", is_known=False),))
    activity = _activity(delivery, body, code=code, device=device, finder=finder)
    event = _BUILD[meaning](activity)
    if event is None:
        return Translation(unsaid=(Unsaid(id_, f"{code} without a patch", is_known=False),))
    return Translation(said=(Said(id_, activity.at, event, activity.series),))


def _activity(delivery: RawDelivery, body: JsonObject, *, code: str, device: str, finder: PatchFinder) -> _Activity:
    expanded = fields.optional_object(body.get("device"), "device")
    moment = body.get("activityTime")
    series = fields.optional_name(body.get("seriesUid"), "seriesUid")
    message = fields.optional_object(fields.optional_object(body.get("data"), "data").get("message"), "data.message")
    source_name = fields.optional_name(body.get("sourceName"), "sourceName")
    return _Activity(
        body=body,
        code=code,
        at=delivery.received if moment is None else fields.epoch_moment(moment, "activityTime"),
        device=device,
        organisation=fields.optional_identifier(expanded.get("organizationId"), "device.organizationId"),
        site=fields.optional_identifier(expanded.get("locationId"), "device.locationId"),
        series=series,
        alert=series or f"activity/{fields.identifier(body.get('id'), 'id')}",
        kind=fields.optional_name(message.get("code"), "data.message.code") or source_name or code,
        finder=finder,
    )


def _device_id(body: JsonObject) -> str | None:
    own = fields.optional_identifier(body.get("deviceId"), "deviceId")
    expanded = fields.optional_object(body.get("device"), "device")
    return own or fields.optional_identifier(expanded.get("id"), "device.id")


def facts_of(device: Mapping[str, Any], path: str) -> rmm.DeviceFacts:
    """Return what an expanded device says of itself. Names of operating systems and builds come from the poller.

    Raises:
        Unreadable: a field is of the wrong kind.
    """
    tags = tags_of(device.get("tags"), f"{path}.tags")
    kind = kind_of(fields.optional_name(device.get("nodeClass"), f"{path}.nodeClass"), tags)
    references = fields.optional_object(device.get("references"), f"{path}.references")
    location = fields.optional_object(references.get("location"), f"{path}.references.location")
    system = fields.optional_name(device.get("systemName"), f"{path}.systemName")
    return rmm.DeviceFacts(
        hostname=system or fields.optional_name(device.get("displayName"), f"{path}.displayName"),
        os_family=kind.os_family,
        tier=kind.tier,
        location=fields.optional_name(location.get("name"), f"{path}.references.location.name"),
        ephi=kind.ephi,
        tags=tags,
    )


def tags_of(value: object, path: str) -> tuple[str, ...] | None:
    """Return the tags of a device, sorted; `None` where it has no such field. Plain words, or objects with a name.

    Raises:
        Unreadable: something else, or too many.
    """
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > _MOST_TAGS:
        raise Unreadable(f"{path}: not a list of at most {_MOST_TAGS}")
    words = [each.get("name") if isinstance(each, dict) else each for each in value]
    return tuple(sorted({fields.name(word, path) for word in words}))


def _place_of(activity: _Activity) -> dict[str, Any]:
    return {"device": activity.device, "organisation": activity.organisation, "site": activity.site}


def _facts(activity: _Activity) -> rmm.DeviceFacts:
    return facts_of(fields.optional_object(activity.body.get("device"), "device"), "device")


def _raised(activity: _Activity) -> rmm.RmmEvent:
    kind = activity.kind.upper()
    if kind in OFFLINE_CONDITIONS:
        return rmm.DeviceOffline(**_place_of(activity))
    if kind in REBOOT_CONDITIONS:
        return rmm.PatchRebootPending(**_place_of(activity), reason=activity.kind)
    severity = alert_severity(activity.body.get("severity"))
    return rmm.AlertRaised(**_place_of(activity), alert=activity.alert, kind=activity.kind, severity=severity)


def _reset(activity: _Activity) -> rmm.RmmEvent:
    if activity.kind.upper() in OFFLINE_CONDITIONS:
        return rmm.DeviceOnline(**_place_of(activity))
    return rmm.AlertReset(**_place_of(activity), alert=activity.alert, kind=activity.kind)


def _with_patch(
    build: Callable[[_Activity, rmm.PatchRef], rmm.RmmEvent],
) -> Callable[[_Activity], rmm.RmmEvent | None]:
    """Build the event only if the activity names its patch: the poller brings what it does not."""

    def built(activity: _Activity) -> rmm.RmmEvent | None:
        patch = activity.finder.patch_in(activity.body)
        return None if patch is None else build(activity, patch)

    return built


def _failed(activity: _Activity, patch: rmm.PatchRef) -> rmm.RmmEvent:
    code = activity.finder.result_code_in(activity.body)
    return rmm.PatchInstallFailed(**_place_of(activity), patch=patch, code=code)


_BUILD: Final[Mapping[Meaning, Callable[[_Activity], rmm.RmmEvent | None]]] = {
    Meaning.SEEN: lambda each: rmm.DeviceSeen(**_place_of(each), facts=_facts(each)),
    Meaning.UPDATED: lambda each: rmm.DeviceUpdated(**_place_of(each), facts=_facts(each)),
    Meaning.REMOVED: lambda each: rmm.DeviceRemoved(**_place_of(each), reason=each.code),
    Meaning.CLONED: lambda each: rmm.AlertRaised(**_place_of(each), alert=each.alert, kind=each.code),
    Meaning.SCAN_COMPLETED: lambda each: rmm.PatchScanCompleted(**_place_of(each), scanned_at=each.at),
    Meaning.APPROVED: _with_patch(lambda each, patch: rmm.PatchApproved(**_place_of(each), patch=patch)),
    Meaning.REJECTED: _with_patch(lambda each, patch: rmm.PatchRejected(**_place_of(each), patch=patch)),
    Meaning.INSTALLED: _with_patch(lambda each, patch: rmm.PatchInstallReported(**_place_of(each), patch=patch)),
    Meaning.FAILED: _with_patch(_failed),
    Meaning.ROLLED_BACK: _with_patch(lambda each, patch: rmm.PatchRolledBack(**_place_of(each), patch=patch)),
    Meaning.BOOTED: lambda each: rmm.DeviceBooted(**_place_of(each), booted_at=each.at),
    Meaning.RAISED: _raised,
    Meaning.RESET: _reset,
}
