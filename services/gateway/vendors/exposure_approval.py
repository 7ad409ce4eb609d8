"""Answers of people who followed an approval link, as the door of approvals wrote them."""

from contracts import ids
from contracts.events.exposure import ApprovalGiven
from contracts.raw import RawDelivery
from services.gateway.vendors import fields
from services.gateway.vendors.fields import Unreadable
from services.gateway.vendors.translation import SaidOfExposure, Translation


def translated(delivery: RawDelivery) -> Translation:
    """Return what one answer says. The same answer by the same link is one fact, however often it is sent."""
    try:
        body = fields.object_in(delivery.body)
        approve = fields.optional_truth(body.get("approve"), "approve")
        event = ApprovalGiven(
            case=fields.name(body.get("case"), "case"),
            token=fields.name(body.get("token"), "token"),
            approve=approve is True,
        )
    except Unreadable as error:
        return Translation(problems=(str(error),))
    if approve is None:
        return Translation(problems=("approve: not true or false",))
    id_ = ids.event_id_of_vendor(delivery.source, f"{event.token}/{approve}")
    return Translation(exposures=[SaidOfExposure(id_, delivery.received, event)])
