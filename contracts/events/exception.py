"""What a client's owner agreed to leave undone, and what the service level does not count.

Producer: compliance; consumers: ticketing, analysts. Topic: `compliance.events`, keyed by the exception or exclusion.
"""

from typing import ClassVar

from pydantic import Field

from contracts.events.event import Event, Moment, Name, Text, Value


class ExceptionControl(Value):
    """What is done instead, so that the machine is safe enough without the patch."""

    kind: Name
    text: Text


class ExceptionEvent(Event):
    """`title` names the requirement for people; `requirement` is absent: all of the machines, in the isolated lane.

    `machines` counts them; absent: every machine of the client. The deadline of what is excepted never moves.
    """

    exception: Name
    lane: Name
    title: Text
    requirement: Name | None = None
    machines: int | None = Field(default=None, ge=1)
    until: Moment


class ExceptionRequested(ExceptionEvent):
    """Somebody asks for an exception. It holds nothing before it has a ticket and the owner's signature.

    `names` are the machines for people, at most 50. `renews` is the exception that this one goes on after.
    """

    TYPE: ClassVar[str] = "exception.requested.v1"
    valid_from: Moment
    reason: Text
    controls: tuple[ExceptionControl, ...]
    names: tuple[Name, ...] = ()
    renews: Name | None = None
    renewal: int = Field(default=0, ge=0)
    requested_by: Name


class ExceptionRefused(ExceptionEvent):
    """It is not granted: the policy forbids it, the owner said no, or nobody signed before its end."""

    TYPE: ClassVar[str] = "exception.refused.v1"
    why: Text


class ExceptionGranted(ExceptionEvent):
    """The owner signed. `ticket` is the tracker's number that was signed too."""

    TYPE: ClassVar[str] = "exception.granted.v1"
    valid_from: Moment
    owner: Name
    signed_at: Moment
    ticket: Name
    controls: tuple[ExceptionControl, ...]


class ExceptionRenewed(ExceptionEvent):
    """The owner signed another one that goes on where this one ends."""

    TYPE: ClassVar[str] = "exception.renewed.v1"
    renewed_by: Name
    renewed_until: Moment


class ExceptionExpiring(ExceptionEvent):
    """It ends soon: patch, or ask for a renewal in time."""

    TYPE: ClassVar[str] = "exception.expiring.v1"


class ExceptionExpired(ExceptionEvent):
    """It ended. What it covered is owed again, by the deadline that it had all along."""

    TYPE: ClassVar[str] = "exception.expired.v1"


class ExceptionRevoked(ExceptionEvent):
    """Somebody took it back before its end. What it covered is owed again, by the deadline that it had all along."""

    TYPE: ClassVar[str] = "exception.revoked.v1"
    revoked_at: Moment
    why: Text


class ExclusionRecorded(Event):
    """High-volume or emergency updates that the service level does not count for a while. Their clock runs."""

    TYPE: ClassVar[str] = "exclusion.recorded.v1"
    exclusion: Name
    patches: tuple[Name, ...]
    reason: Text
    approver: Name
    valid_from: Moment
    until: Moment


class ExclusionEnded(Event):
    """An exclusion ended, by itself or (`by_person`) sooner."""

    TYPE: ClassVar[str] = "exclusion.ended.v1"
    exclusion: Name
    patches: tuple[Name, ...]
    ended_at: Moment
    by_person: bool
    why: Text
