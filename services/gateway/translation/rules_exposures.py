"""Whose an exposure is, and how its event travels. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events.exposure import ApprovalGiven, ExposureFound
from services.gateway.translation.rules_translate import Item
from services.gateway.vendors.translation import SaidOfExposure

NO_DOMAIN: Final = "no domain"
"""The organisation of logins without one, for a feed that names none: it can be mapped where a feed is one client's."""


@dataclass(frozen=True, slots=True)
class Exposed:
    """One new exposure, and what a mapping is asked for: whose the login is now, however old the breach."""

    item: Item
    said: SaidOfExposure
    event: ExposureFound
    organisation: str
    asked_at: datetime


def exposed(item: Item) -> Exposed | None:
    """Return the exposure in an item; `None`: it is something else."""
    said = item.content
    if not isinstance(said, SaidOfExposure) or not isinstance(said.event, ExposureFound):
        return None
    organisation = said.event.organisation or said.event.domain or NO_DOMAIN
    return Exposed(item, said, said.event, organisation, item.delivery.received)


def approval(item: Item) -> tuple[str, Envelope] | None:
    """Return the record key and event of a person's answer; `None`: the item is something else.

    Whose it is, credentials knows by the case.
    """
    said = item.content
    if not isinstance(said, SaidOfExposure) or not isinstance(said.event, ApprovalGiven):
        return None
    return said.event.case, _envelope(item, said, said.event.case, None)


def exposure_key(tenant: UUID, event: ExposureFound) -> str:
    """Return the record key of an exposure: those of one person stay in order."""
    return f"{tenant}/{event.login}"


def envelope(one: Exposed, tenant: UUID | None) -> Envelope:
    """Return the canonical event of an exposure; its cause is the delivery."""
    return _envelope(one.item, one.said, one.event.login, tenant)


def _envelope(item: Item, said: SaidOfExposure, subject: str, tenant: UUID | None) -> Envelope:
    return Envelope(
        id=said.id,
        source=item.delivery.source,
        subject=subject,
        time=said.time,
        received=item.delivery.received,
        data=said.event,
        tenant=tenant,
        causation=item.delivery.raw_id,
        traceparent=item.delivery.traceparent,
    )
