"""Roundup: what our detector posts about one change of an issue. See docs/psa/webhooks.md for the detector.

Roundup has no webhooks of its own; the detector tells facts and no words of anyone. One change can close an issue and
carry a note: then it says two things.
"""

from collections.abc import Iterator
from typing import Final

from contracts import ids
from contracts.events.psa import TicketChange, TicketTold
from contracts.raw import RawDelivery
from services.gateway.vendors import fields
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import SaidOfTicket, Translation

CLOSED: Final = frozenset({"resolved", "done-cbb", "retired"})
"""Statuses of the classic tracker that are closed. In another one a closing is told as a mere change."""

_CHANGES: Final = {"create": TicketChange.CREATED, "retire": TicketChange.DELETED}


def translated(delivery: RawDelivery) -> Translation:
    """Return what one change says. Never raises."""
    try:
        body = fields.object_in(delivery.body)
        number = fields.identifier(body.get("issue"), "issue")
        own_id = fields.name(body.get("id"), "id")
        at = fields.written_moment(body.get("at"), "at")
        told = TicketTold(
            number=number,
            change=TicketChange.CHANGED,
            key=fields.optional_name(body.get("key"), "key"),
            by=fields.optional_name(body.get("by"), "by"),
            status=fields.optional_name(body.get("status"), "status"),
        )
        changes = list(_changes(body, told.status))
    except Unreadable as error:
        return Translation(problems=(str(error),))
    return Translation(
        tickets=[
            SaidOfTicket(
                ids.event_id_of_vendor(delivery.source, f"{own_id}/{each}"),
                at,
                told.model_copy(update={"change": each}),
            )
            for each in changes
        ]
    )


def _changes(body: JsonObject, status: str | None) -> Iterator[TicketChange]:
    was, is_closed = fields.optional_name(body.get("was"), "was") in CLOSED, status in CLOSED
    is_noted = body.get("notes") not in (None, 0)
    event = fields.name(body.get("event"), "event")
    if event in _CHANGES:
        yield _CHANGES[event]
    elif was != is_closed:
        yield TicketChange.CLOSED if is_closed else TicketChange.REOPENED
    elif not is_noted:
        yield TicketChange.CHANGED
    if is_noted:
        yield TicketChange.NOTED
