"""Tells whose signature counts for which client, so that others can verify what owners sign."""

import base64
from datetime import datetime

from chassis.postgres import Connection
from contracts import ids
from contracts.events.approver import OwnerEnrolled, OwnerRevoked
from services.credentials.people import store_owners
from services.credentials.people.rules_ballots import fingerprint
from services.credentials.people.store_owners import OwnerNews, What
from services.credentials.records import Cause, Fact


async def news(tx: Connection, *, now: datetime, most: int) -> list[Fact]:
    """Return what operators did to owners' enrolments, each once; the caller tells it with `tx`."""
    return [_fact(each) for each in await store_owners.take_untold(tx, now, most)]


def _fact(each: OwnerNews) -> Fact:
    event: OwnerEnrolled | OwnerRevoked
    if each.what is What.ENROLLED:
        key = base64.b64encode(each.public_key).decode()
        event = OwnerEnrolled(approver=str(each.approver), name=each.name, public_key=key, enrolled_at=each.at)
    else:
        event = OwnerRevoked(approver=str(each.approver), revoked_at=each.at)
    subject = f"owner/{each.tenant}/{each.approver}"
    cause = Cause(id=ids.timer_fact_id(subject, event.TYPE, each.at), received_at=each.at)
    return Fact(
        tenant=each.tenant,
        key=subject,
        event=event,
        at=each.at,
        cause=cause,
        by=each.by,
        evidence=(("key", fingerprint(each.public_key)),),
    )
