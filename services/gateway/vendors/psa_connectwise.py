"""ConnectWise PSA: what its callbacks say about a ticket. The copy of the record is a hint as everything else is.

A callback says that a record was saved, not what was changed: a ticket that was just closed and a closed one that was
touched look the same. Source: reference "ConnectWise PSA (Manage)"; the record's fields: the vendor's own API. That a
callback's copy has the same fields is unconfirmed: what is missing in it is not told.
"""

from collections.abc import Mapping
from typing import Any, Final

from contracts import ids
from contracts.events.psa import TicketChange, TicketTold
from contracts.ids import EventId
from contracts.raw import RawDelivery
from services.gateway.vendors import fields
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import SaidOfTicket, Translation, Unsaid

_TICKET: Final = "ticket"


def translated(delivery: RawDelivery) -> Translation:
    """Return what one callback says. Never raises."""
    try:
        body = fields.object_in(delivery.body)
        kind = fields.name(body.get("Type"), "Type")
        if kind != _TICKET:
            return Translation(unsaid=[Unsaid(ids.event_id_of_raw(delivery.raw_id, 0), kind, is_known=True)])
        return Translation(tickets=[_said(delivery, body, _record(body))])
    except Unreadable as error:
        return Translation(problems=(str(error),))


def _said(delivery: RawDelivery, body: JsonObject, record: Mapping[str, Any]) -> SaidOfTicket:
    number = fields.identifier(body.get("ID"), "ID")
    action = fields.name(body.get("Action"), "Action")
    saved = fields.optional_object(record.get("_info"), "Entity._info")
    at = fields.any_moment(saved.get("lastUpdated"), "Entity._info.lastUpdated")
    told = TicketTold(
        number=number,
        change=_change(action, is_closed=fields.optional_truth(record.get("closedFlag"), "Entity.closedFlag")),
        key=fields.optional_name(record.get("externalXRef"), "Entity.externalXRef"),
        by=fields.optional_name(saved.get("updatedBy"), "Entity._info.updatedBy"),
        status=fields.optional_name(
            fields.optional_object(record.get("status"), "Entity.status").get("name"), "Entity.status.name"
        ),
    )
    event_id: EventId = ids.event_id_of_raw(delivery.raw_id, 0)
    if at is not None:
        natural = (number, action, told.by or "", told.status or "")
        event_id = ids.event_id_of_fields(delivery.source, told.change, at, *natural)
    return SaidOfTicket(event_id, at or delivery.received, told)


def _change(action: str, *, is_closed: bool | None) -> TicketChange:
    match action:
        case "added":
            return TicketChange.CREATED
        case "deleted":
            return TicketChange.DELETED
        case _:
            return TicketChange.CLOSED if is_closed else TicketChange.CHANGED


def _record(body: JsonObject) -> Mapping[str, Any]:
    """Return the copy of the record: JSON in a string, and nothing on some callbacks."""
    written = body.get("Entity")
    if written is None or written == "":
        return {}
    if not isinstance(written, str):
        return fields.optional_object(written, "Entity")
    try:
        return fields.object_in(written.encode("utf-8", "surrogatepass"))
    except Unreadable as error:
        raise Unreadable(f"Entity: {error}") from error
