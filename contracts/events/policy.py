"""What was agreed with a client comes into force. Producer: compliance; consumers: ticketing, analysts."""

from typing import ClassVar

from pydantic import Field

from contracts.events.event import Event, Moment, Name, Text


class PolicyApplied(Event):
    """A client's obligations follow another policy from now on. Keep the one with the latest time of each client.

    `version` is `None`: the last one ended by itself, the built-in policy holds again. `feasible`: whether the linter
    proved that it can be met; where it did not, `accepted` says why it was agreed all the same. `empty_windows` never
    open: whatever waits for them is never done.
    """

    TYPE: ClassVar[str] = "policy.applied.v1"
    client: Name
    version: int | None = Field(default=None, ge=1)
    policy: Name | None = None
    digest: Name | None = None
    before: int | None = Field(default=None, ge=1)
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    recorded_at: Moment | None = None
    recorded_by: Name | None = None
    reason: Text = ""
    regimes: tuple[Name, ...] = ()
    feasible: bool | None = None
    accepted: Text | None = None
    empty_windows: tuple[Name, ...] = ()
