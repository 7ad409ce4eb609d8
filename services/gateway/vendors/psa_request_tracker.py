"""Request Tracker: what its scrip posts about one transaction. See docs/psa/webhooks.md for the scrip.

RT has no webhooks of its own; the scrip tells facts and no words of anyone. Source: RT 5.0, "Writing portable scrips";
the names of transaction types: lib/RT/Transaction.pm.
"""

from datetime import datetime
from typing import Final

from contracts import ids
from contracts.events.psa import TicketChange, TicketTold
from contracts.raw import RawDelivery
from services.gateway.vendors import fields
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import SaidOfTicket, Translation, Unsaid

CLOSED: Final = frozenset({"resolved", "rejected", "deleted"})
"""The inactive statuses of RT's own lifecycle. In another lifecycle a closing is told as a mere change."""

_CHANGES: Final = {
    "Create": TicketChange.CREATED,
    "Comment": TicketChange.NOTED,
    "Correspond": TicketChange.NOTED,
}
_NOTHING: Final = frozenset({"EmailRecord", "CommentEmailRecord", "SystemError", "SetWatcher", "Told"})
"""What RT writes down of itself: mail that left, and the like."""


def translated(delivery: RawDelivery) -> Translation:
    """Return what one transaction says. Never raises."""
    try:
        body = fields.object_in(delivery.body)
        number = fields.identifier(body.get("ticket"), "ticket")
        transaction = fields.identifier(body.get("txn"), "txn")
        kind = fields.name(body.get("type"), "type")
        event_id = ids.event_id_of_vendor(delivery.source, f"txn/{transaction}")
        if kind in _NOTHING:
            return Translation(unsaid=[Unsaid(event_id, kind, is_known=True)])
        said = TicketTold(
            number=number,
            change=_change(kind, body),
            key=fields.optional_name(body.get("key"), "key"),
            by=fields.optional_name(body.get("by"), "by"),
            status=fields.optional_name(body.get("status"), "status"),
        )
        return Translation(tickets=[SaidOfTicket(event_id, _moment(body, delivery), said)])
    except Unreadable as error:
        return Translation(problems=(str(error),))


def _change(kind: str, body: JsonObject) -> TicketChange:
    if kind != "Status":
        return _CHANGES.get(kind, TicketChange.CHANGED)
    was = fields.optional_name(body.get("old"), "old") in CLOSED
    is_closed = fields.optional_name(body.get("new"), "new") in CLOSED
    if is_closed:
        return TicketChange.CHANGED if was else TicketChange.CLOSED
    return TicketChange.REOPENED if was else TicketChange.CHANGED


def _moment(body: JsonObject, delivery: RawDelivery) -> datetime:
    return fields.any_moment(body.get("at"), "at") or delivery.received
