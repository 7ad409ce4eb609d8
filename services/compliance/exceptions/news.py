"""What tickets and credentials tell of, as far as exceptions are concerned: tickets of requests, owners' keys. Pure."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.envelope import Envelope
from contracts.events.approver import OwnerEnrolled, OwnerRevoked
from contracts.events.ticket import TicketOpened

KIND: Final = "exception"
"""The kind of the tickets that ticketing opens for requests; their subject is the request's id."""

KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerNews:
    """A client's owner was enrolled."""

    tenant_id: UUID
    approver_id: UUID
    name: str
    public_key: bytes
    enrolled_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokedOwner:
    """A client's owner was revoked."""

    tenant_id: UUID
    approver_id: UUID
    revoked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketNews:
    """A request has a ticket: the tracker's number."""

    tenant_id: UUID
    exception_id: UUID
    number: str
    opened_at: datetime


PeopleNews = OwnerNews | RevokedOwner | TicketNews


def people_news(event: Envelope) -> PeopleNews | str | None:
    """Return what `event` is to exceptions; why it is unusable; or `None`: nothing."""
    match event.data:
        case TicketOpened(kind=kind, external=str(number), subject=subject) if kind == KIND:
            exception_id = _id(subject)
            if event.tenant is None or exception_id is None:
                return "ce_tenantid, subject: the ticket of an exception names its client and the exception"
            return TicketNews(tenant_id=event.tenant, exception_id=exception_id, number=number, opened_at=event.time)
        case OwnerEnrolled() as owner:
            approver_id, key = _id(owner.approver), _key(owner.public_key)
            if event.tenant is None or approver_id is None or key is None:
                return "ce_tenantid, approver, public_key: an owner has a client, an id and an Ed25519 key"
            return OwnerNews(
                tenant_id=event.tenant,
                approver_id=approver_id,
                name=owner.name,
                public_key=key,
                enrolled_at=owner.enrolled_at,
            )
        case OwnerRevoked() as owner:
            approver_id = _id(owner.approver)
            if event.tenant is None or approver_id is None:
                return "ce_tenantid, approver: an owner has a client and an id"
            return RevokedOwner(tenant_id=event.tenant, approver_id=approver_id, revoked_at=owner.revoked_at)
        case _:
            return None


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None
