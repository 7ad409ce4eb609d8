"""What a PSA tells about its tickets. Producer: gateway; consumer: ticketing. Topic: `psa.events`.

A hint, never the truth: whoever acts on it reads the ticket again. What people wrote stays in `psa.raw`.
"""

from enum import StrEnum
from typing import ClassVar

from contracts.events.event import Event, Name


class TicketChange(StrEnum):
    """What is said to have happened. `CHANGED`: something, and the PSA does not say what we would call it."""

    CREATED = "created"
    CLOSED = "closed"
    REOPENED = "reopened"
    NOTED = "noted"
    CHANGED = "changed"
    DELETED = "deleted"


class TicketTold(Event):
    """A ticket, by the PSA's own `number`, is said to have changed.

    `key` is the ticket's correlation key, `by` the PSA's name of who did it, `status` the PSA's word for where the
    ticket stands: each as far as the PSA tells it. The correlation key says nothing that is not read again.
    """

    TYPE: ClassVar[str] = "psa.ticket_told.v1"
    number: Name
    change: TicketChange
    key: Name | None = None
    by: Name | None = None
    status: Name | None = None
