"""Facts to be told, stating only what a test is about."""

from datetime import datetime, timedelta
from uuid import UUID, uuid5

from contracts.events.credential import ApprovalAsked
from services.credentials.records import Cause, Fact
from tests.builders import ACME, NOON


def fact(number: int, *, tenant: UUID = ACME, why: str = "a privileged account", at: datetime = NOON) -> Fact:
    """Return the `number`-th fact of a client."""
    case = uuid5(tenant, f"case {number}")
    at += timedelta(minutes=number)
    return Fact(
        tenant=tenant,
        key=str(case),
        event=ApprovalAsked(case=str(case), login="anna@acme.example", needed=2, expires_at=at, why=why),
        at=at,
        cause=Cause(id=uuid5(case, "cause"), received_at=at),
        evidence=(("seen", f"reading {number}"),),
    )
