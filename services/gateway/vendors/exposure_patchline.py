"""Exposures in Patchline's own format: for scripts, and for any feed whose message the customer types.

See docs/exposures/patchline.md. The payload is that of Standard Webhooks 1.0.0, one event or many under `events`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from contracts import ids
from contracts.events.exposure import ExposureFound, ExposureOrigin, SecretForm
from contracts.ids import EventId
from contracts.raw import RawDelivery
from services.gateway.vendors import exposure_record, fields
from services.gateway.vendors.exposure_record import Place, Words
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import SaidOfExposure, Translation, Unsaid

TYPES: Final = frozenset({ExposureFound.TYPE, ExposureFound.TYPE.removesuffix(".v1")})
"""The version may be left out: it is the first."""

_Word = TypeVar("_Word", bound=StrEnum)


def translated(delivery: RawDelivery) -> Translation:
    """Return what a delivery says; of many events each stands alone. Never raises."""
    said: list[SaidOfExposure] = []
    unsaid: list[Unsaid] = []
    problems: list[str] = []
    try:
        records = exposure_record.records_in(delivery)
        named = exposure_record.named_in(records)
    except Unreadable as error:
        return Translation(problems=(str(error),))
    for index, record in enumerate(records):
        try:
            made = _made(Place(delivery, index, named), record)
        except Unreadable as error:
            problems.append(f"events.{index}.{error}")
        else:
            said += [made] if isinstance(made, SaidOfExposure) else []
            unsaid += [made] if isinstance(made, Unsaid) else []
    return Translation(exposures=said, unsaid=unsaid, problems=problems)


def _made(place: Place, record: JsonObject) -> SaidOfExposure | Unsaid:
    type_ = fields.name(record.get("type"), "type")
    stated_at = _moment(record.get("timestamp"), "timestamp")
    if type_ not in TYPES:
        return Unsaid(_delivered_id(place, record), type_, is_known=False)
    event = exposure_record.found(place, record, _words(record), _moment)
    return SaidOfExposure(_id(place, record, event, stated_at), stated_at or place.delivery.received, event)


def _words(record: JsonObject) -> Words:
    has_secret = exposure_record.fingerprint_in(record) is not None
    silent = SecretForm.UNKNOWN if has_secret else SecretForm.NONE
    return Words(
        _word(SecretForm, record.get("form"), "data.form") or silent,
        _word(ExposureOrigin, record.get("origin"), "data.origin") or ExposureOrigin.UNKNOWN,
        doubtful=bool(record.get("doubtful")),
    )


def _word(words: type[_Word], value: object, path: str) -> _Word | None:
    try:
        return None if value is None else words(str(value))
    except ValueError as error:
        raise Unreadable(f"{path}: none of {', '.join(words)}") from error


def _moment(value: object, path: str) -> datetime | None:
    return None if value is None else fields.written_moment(value, path)


def _id(place: Place, record: JsonObject, event: ExposureFound, stated_at: datetime | None) -> EventId:
    if record.get("id") is None and place.delivery.delivery is None and stated_at is not None:
        natural = (event.login, event.fingerprint or "", event.breach or "")
        return ids.event_id_of_fields(place.delivery.source, event.TYPE, stated_at, *natural)
    return _delivered_id(place, record)


def _delivered_id(place: Place, record: JsonObject) -> EventId:
    if (own := record.get("id")) is not None:
        return ids.event_id_of_vendor(place.delivery.source, fields.name(own, "id"))
    if place.delivery.delivery is not None:
        return ids.event_id_of_vendor(place.delivery.source, f"webhook-id/{place.delivery.delivery}/{place.index}")
    return ids.event_id_of_raw(place.delivery.raw_id, place.index)
