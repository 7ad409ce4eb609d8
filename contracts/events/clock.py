"""What the calendar moves. Producer: compliance; consumers: ticketing, analysts. Topic: `compliance.events`.

Clocks on walls change by law, and the tz data follows. What that moves is told, never moved silently.
"""

from typing import ClassVar

from pydantic import Field

from contracts.events.event import Event, Moment, Name, Text, Value
from contracts.events.obligation import DeviceLabel


class ZoneDifference(Value):
    """A time zone whose rules differ between two versions of the tz data, from `first_at` on."""

    zone: Name
    first_at: Moment
    clients: int = Field(ge=0)


class TimezoneDataChanged(Event):
    """Patchline reads another version of the tz data now. `zones` are those in use that differ from now on.

    The envelope's tenant is the one that stands for all clients; its subject is `tzdata`.
    """

    TYPE: ClassVar[str] = "tzdata.changed.v1"
    before: Name
    after: Name
    zones: tuple[ZoneDifference, ...] = ()


class WindowMove(Value):
    """One window. `local` is its start on the wall as the policy says it (`2027-03-14T02:00`).

    `was_start_at` is `None` where there was none at that time, `start_at` where there is none any more.
    """

    local: Name
    was_start_at: Moment | None = None
    was_end_at: Moment | None = None
    start_at: Moment | None = None
    end_at: Moment | None = None


class WindowMoved(Event):
    """Maintenance windows of a client that were to come are at other times now, though nobody changed the rule.

    `moves` are the first of them, `count` is how many there are. The envelope's subject is `window/`, the client and
    the window's name.
    """

    TYPE: ClassVar[str] = "window.moved.v1"
    window: Name
    zone: Name
    tzdata_before: Name
    tzdata_after: Name
    count: int = Field(ge=1)
    moves: tuple[WindowMove, ...]


class WindowEmptied(Event):
    """A maintenance window of a client's policy never comes (`empty`), or does come again, or is gone from the policy.

    Machines that may restart in this window alone will not restart at all. The envelope's subject is `window/`, the
    client and the window's name.
    """

    TYPE: ClassVar[str] = "window.emptied.v1"
    window: Name
    empty: bool
    why: Text


class DeadlineMoved(Event):
    """An open obligation is due at another moment now, though neither its release nor its rule changed.

    Deadlines in calendar days and months follow the clocks of the client's zone; those in hours never move.
    """

    TYPE: ClassVar[str] = "deadline.moved.v1"
    label: DeviceLabel
    requirement: Name
    product: Name
    train: Name
    was_due_at: Moment
    due_at: Moment | None = None
    why: Text
