"""Microsoft Graph: a change notification is a hint that names a resource; what it is, is read from the API by its id.

Source: reference "Graph change notifications": basic notifications carry ids only.
"""

from contracts import ids
from contracts.raw import RawDelivery
from services.gateway.vendors import exposure_record, fields
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import Hinted, Translation, Unsaid


def translated(delivery: RawDelivery) -> Translation:
    """Return what the notifications of a delivery hint at. Never raises."""
    hints: list[Hinted] = []
    unsaid: list[Unsaid] = []
    problems: list[str] = []
    try:
        records = exposure_record.records_in(delivery)
    except Unreadable as error:
        return Translation(problems=(str(error),))
    for index, record in enumerate(records):
        try:
            made = _made(delivery, index, record)
        except Unreadable as error:
            problems.append(f"value.{index}.{error}")
        else:
            hints += [made] if isinstance(made, Hinted) else []
            unsaid += [made] if isinstance(made, Unsaid) else []
    return Translation(hints=hints, unsaid=unsaid, problems=problems)


def _made(delivery: RawDelivery, index: int, record: JsonObject) -> Hinted | Unsaid:
    own = fields.optional_name(record.get("id"), "id")
    id_ = (
        ids.event_id_of_raw(delivery.raw_id, index)
        if own is None
        else ids.event_id_of_vendor(delivery.source, f"notification/{own}")
    )
    if (lifecycle := fields.optional_name(record.get("lifecycle"), "lifecycleEvent")) is not None:
        return Unsaid(id_, f"lifecycle/{lifecycle}", is_known=True)
    return Hinted(
        id=id_,
        organisation=fields.name(record.get("organisation"), "tenantId"),
        resource=fields.name(record.get("resource"), "resource"),
        change=fields.name(record.get("change"), "changeType"),
    )
