"""Patchline's own format: for scripts, and for any RMM whose template the customer types. See docs/rmm/patchline.md.

The payload is that of Standard Webhooks 1.0.0: `type`, `timestamp`, `data`; or many of them under `events`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from contracts import ids
from contracts.envelope import described
from contracts.events import rmm
from contracts.events.event import Confidence, Method
from contracts.ids import EventId
from contracts.raw import RawDelivery
from services.gateway.vendors import fields
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import Said, Translation, Unsaid

MOST_EVENTS: Final = 500

_MODELS: Final[tuple[type[rmm.RmmEvent], ...]] = (
    rmm.DeviceSeen,
    rmm.DeviceUpdated,
    rmm.DeviceRemoved,
    rmm.DeviceOnline,
    rmm.DeviceOffline,
    rmm.DeviceBooted,
    rmm.ApplicationsListed,
    rmm.PatchScanCompleted,
    rmm.PatchDetected,
    rmm.PatchNoLongerListed,
    rmm.PatchApproved,
    rmm.PatchRejected,
    rmm.PatchInstallReported,
    rmm.PatchInstallFailed,
    rmm.PatchRolledBack,
    rmm.PatchRebootPending,
    rmm.RebootNotified,
    rmm.RebootDeferred,
    rmm.RebootConsented,
    rmm.AlertRaised,
    rmm.AlertReset,
)
MODEL_BY_TYPE: Final[Mapping[str, type[rmm.RmmEvent]]] = {
    spelling: model for model in _MODELS for spelling in (model.TYPE, model.TYPE.removesuffix(".v1"))
}
"""The version may be left out: it is the first."""

_STAMP: Final = {"method": str(Method.WEBHOOK), "confidence": str(Confidence.STATED)}
_FREE_TEXT: Final = frozenset({"title"})
_LARGEST_NUMBER: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class _One:
    """One event of a delivery: where it stands, and what the delivery says for all."""

    delivery: RawDelivery
    index: int
    path: str
    body: JsonObject
    common_timestamp: object


def translated(delivery: RawDelivery) -> Translation:
    """Return what a delivery says; of many events each stands alone. Never raises."""
    said: list[Said] = []
    unsaid: list[Unsaid] = []
    problems: list[str] = []
    try:
        for one in _each(delivery, fields.object_in(delivery.body)):
            try:
                made = _made(one)
            except Unreadable as error:
                problems.append(f"{one.path}{error}")
            else:
                said += [made] if isinstance(made, Said) else []
                unsaid += [made] if isinstance(made, Unsaid) else []
    except Unreadable as error:
        problems.append(str(error))
    return Translation(said, unsaid, problems)


def _each(delivery: RawDelivery, body: JsonObject) -> Iterator[_One]:
    events = body.get("events")
    if events is None:
        yield _One(delivery, 0, "", body, None)
        return
    if not isinstance(events, list) or len(events) > MOST_EVENTS:
        raise Unreadable(f"events: not a list of at most {MOST_EVENTS}")
    for index, event in enumerate(events):
        path = f"events.{index}"
        if not isinstance(event, dict):
            yield _One(delivery, index, f"{path}: ", {}, None)
        else:
            yield _One(delivery, index, f"{path}.", event, body.get("timestamp"))


def _made(one: _One) -> Said | Unsaid:
    type_ = fields.name(one.body.get("type"), "type")
    own_timestamp = one.body.get("timestamp", one.common_timestamp)
    stated_at = None if own_timestamp is None else fields.written_moment(own_timestamp, "timestamp")
    model = MODEL_BY_TYPE.get(type_)
    if model is None:
        return Unsaid(_delivered_id(one), type_, is_known=False)
    event = _event(model, one.body.get("data"))
    return Said(_event_id(one, event, stated_at), stated_at or one.delivery.received, event)


def _event(model: type[rmm.RmmEvent], content: object) -> rmm.RmmEvent:
    """Return the event in `data`. Types are strict; a field that we do not know is let be; witnesses are not theirs."""
    if not isinstance(content, dict):
        raise Unreadable("data: not an object")
    try:
        event: rmm.RmmEvent = model.__pydantic_validator__.validate_json(to_json({**content, **_STAMP}), strict=True)
    except ValidationError as error:
        raise Unreadable(f"data.{described(error).replace('; ', '; data.')}") from error
    _check(event, "data")
    return event


def _check(value: BaseModel, path: str) -> None:
    """Refuse what has the right type and still cannot be meant: control characters, absurd numbers and dates."""
    for key, each in value.__dict__.items():
        if each is None or (each.__class__ is str and each.isprintable()):
            continue
        match each:
            case str() if key not in _FREE_TEXT and not fields.is_printable(each):
                raise Unreadable(f"{path}.{key}: holds a control character; was a backslash lost?")
            case datetime() if not fields.is_possible(each):
                raise Unreadable(f"{path}.{key}: no possible moment")
            case int() if each > _LARGEST_NUMBER:
                raise Unreadable(f"{path}.{key}: no number of anything")
            case BaseModel():
                _check(each, f"{path}.{key}")
            case tuple() if any(isinstance(part, BaseModel) for part in each):
                for place, part in enumerate(each):
                    _check(part, f"{path}.{key}.{place}")
            case tuple() if not all(map(fields.is_printable, each)):
                raise Unreadable(f"{path}.{key}: holds a control character; was a backslash lost?")
            case _:
                continue


def _event_id(one: _One, event: rmm.RmmEvent, stated_at: datetime | None) -> EventId:
    if one.body.get("id") is None and one.delivery.delivery is None and stated_at is not None:
        return ids.event_id_of_fields(one.delivery.source, event.TYPE, stated_at, event.device, *_natural(event))
    return _delivered_id(one)


def _delivered_id(one: _One) -> EventId:
    own = one.body.get("id")
    if own is not None:
        return ids.event_id_of_vendor(one.delivery.source, fields.name(own, "id"))
    if one.delivery.delivery is not None:
        return ids.event_id_of_vendor(one.delivery.source, f"webhook-id/{one.delivery.delivery}/{one.index}")
    return ids.event_id_of_raw(one.delivery.raw_id, one.index)


def _natural(event: rmm.RmmEvent) -> Iterator[str]:
    """Yield what tells two events of one type, device and moment apart."""
    patch: Any = getattr(event, "patch", None)
    if patch is not None:
        yield f"patch/{patch.patch}"
    alert: Any = getattr(event, "alert", None)
    if alert is not None:
        yield f"alert/{alert}"
    listing: Any = getattr(event, "listing", None)
    if listing is not None:
        yield f"listing/{listing}"
