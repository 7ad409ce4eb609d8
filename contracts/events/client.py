"""A client of the MSP: the tenant that everything belongs to. Producer: gateway; consumers: all services."""

from typing import ClassVar

from contracts.events.event import Event, Name


class ClientChanged(Event):
    """The record of a client, whole. Keep the highest `sequence` of each. Topic: `clients`.

    `zone` is an IANA name; `psa_company` is how the PSA knows the client; `owner_contact` is who may be told.
    """

    TYPE: ClassVar[str] = "client.changed.v1"
    name: Name
    zone: Name
    owner_contact: Name | None = None
    psa_company: Name | None = None
