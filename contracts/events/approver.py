"""Whose signature counts. Producer: credentials; consumer: compliance. Topic: `credentials.events`, keyed by person.

A person who signs for several clients is told of once for each: the envelope's tenant is the client.
"""

from typing import ClassVar

from contracts.events.event import Event, Moment, Name


class OwnerEnrolled(Event):
    """An operator enrolled a client's owner with their public key (32 bytes of Ed25519 in base64)."""

    TYPE: ClassVar[str] = "owner.enrolled.v1"
    approver: Name
    name: Name
    public_key: Name
    enrolled_at: Moment


class OwnerRevoked(Event):
    """An operator revoked an owner: what they sign from now on does not count; what they signed before does."""

    TYPE: ClassVar[str] = "owner.revoked.v1"
    approver: Name
    revoked_at: Moment
