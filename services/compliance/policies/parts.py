"""The parts of a policy file that tell when and how: windows, reboots, missed windows, rings."""

from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.events.event import Moment, Tier
from services.compliance.clocks.durations import MalformedDuration, exact, term
from services.compliance.clocks.recurrence import EARLIEST, LATEST


class Part(BaseModel):
    """A part of a policy file: frozen, and every field that it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _near(moment: datetime) -> datetime:
    if not EARLIEST <= moment.date() <= LATEST:
        raise ValueError(f"write a moment from {EARLIEST} to {LATEST}")
    return moment


Validity = Annotated[Moment, AfterValidator(_near)]
"""A moment with its offset, near enough for what is added to it to be in the calendar."""
Word = Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, strip_whitespace=True)]
Count = Annotated[int, Field(ge=0, le=1000)]
Share = Annotated[float, Field(gt=0, le=100)]
"""Percent."""


@lru_cache(maxsize=1024)
def _due(text: str) -> str:
    term(text)
    return text


@lru_cache(maxsize=1024)
def _duration(text: str) -> str:
    try:
        term(text)
    except MalformedDuration as error:
        try:
            exact(text)
        except MalformedDuration:
            raise error from None
    return text


Due = Annotated[str, AfterValidator(_due)]
"""ISO 8601 as a clock counts it: `PT24H` exact hours, `P7D` calendar days in the client's zone, `P1M` months."""

Duration = Annotated[str, AfterValidator(_duration)]
"""The same, and minutes too: `PT90M`."""

WallTime = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""On the wall of the window's zone, `02:00`."""


class WindowEntry(Part):
    """A maintenance window. With neither `rule` nor `patch_tuesday_plus_days` it is empty: that means never.

    `rule` is an RFC 5545 RRULE; its first day is `first_day`. `gap`: what becomes of a start that the clocks skip;
    `fold`: which start counts where they show it twice.
    """

    rule: str | None = None
    patch_tuesday_plus_days: Annotated[int, Field(ge=0, le=27)] | None = None
    start: WallTime | None = None
    duration: Duration | None = None
    zone: Word | None = None
    first_day: date | None = None
    except_days: tuple[date, ...] = ()
    gap: Literal["forward", "skip"] = "forward"
    fold: Literal["first", "second", "both"] = "first"

    @property
    def is_empty(self) -> bool:
        """Return whether nobody said when: it never opens."""
        return not self.rule and self.patch_tuesday_plus_days is None

    @model_validator(mode="after")
    def _whole(self) -> "WindowEntry":
        if self.rule and self.patch_tuesday_plus_days is not None:
            raise ValueError("say either rule or patch_tuesday_plus_days")
        if not self.is_empty and (self.start is None or self.duration is None):
            raise ValueError("a window that opens needs start and duration")
        return self


class DeploymentRule(Part):
    """When packages may be sent to a class of machines. Neither: never, and the linter says so."""

    any_time: bool = False
    windows: tuple[Word, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> "DeploymentRule":
        if self.any_time and self.windows:
            raise ValueError("say either any_time or windows")
        return self


class Scheduled(Part):
    """Machines restart in these windows only."""

    kind: Literal["scheduled"]
    windows: tuple[Word, ...]
    notice: Duration | None = None


class UserPrompted(Part):
    """The user is told `notice` before, may put it off `deferrals` times, and at `deadline` the machine restarts."""

    kind: Literal["user_prompted"]
    notice: Duration
    deadline: Duration
    deferrals: Count = 0


class ManualApproval(Part):
    """Nobody restarts it before `by` approved. `answer_within`: what was agreed for the answer; `None`: nothing."""

    kind: Literal["manual_approval"]
    by: Word
    answer_within: Duration | None = None


class Immediately(Part):
    """Machines restart as soon as a release asks for it: only where somebody accepted that by name."""

    kind: Literal["immediately"]
    immediately_accepted_by: Word


RebootRule = Annotated[Scheduled | UserPrompted | ManualApproval | Immediately, Field(discriminator="kind")]


class MissedWindow(Part):
    """What is done with a machine that was away in its window, and from which miss in a row on a ticket is opened."""

    catch_up: Literal["wait", "run_without_reboot", "run_and_reboot"] = "wait"
    run_and_reboot_accepted_by: Word | None = None
    ticket_after: Annotated[int, Field(ge=1, le=52)] = 2

    @model_validator(mode="after")
    def _accepted(self) -> "MissedWindow":
        if self.catch_up == "run_and_reboot" and self.run_and_reboot_accepted_by is None:
            raise ValueError(
                "run_and_reboot restarts machines outside their windows: name who accepted that in "
                "run_and_reboot_accepted_by, or say run_without_reboot"
            )
        return self


class RingEntry(Part):
    """One ring: whose machines (a tag, or a share of the fleet in percent), and how long a release stays in it.

    `promote_by` is who lets a release on to the next ring. The last ring has neither soak nor promotion.
    """

    name: Literal["canary", "pilot", "production"]
    tag: Word | None = None
    share: Share | None = None
    soak: Duration | None = None
    promote_by: Word | None = None


class Rings(Part):
    """How a release spreads. `hold`: how long after its release it is held back before the first ring.

    The hold counts from the first release of a requirement; `hold_restarts` says that a re-release begins it anew, as
    some tools do.
    """

    hold: Duration | None = None
    hold_restarts: bool = False
    tiers: frozenset[Tier] = frozenset(Tier)
    stages: tuple[RingEntry, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> "Rings":
        order = ("canary", "pilot", "production")
        places = [order.index(stage.name) for stage in self.stages]
        if places != sorted(set(places)):
            raise ValueError("stages come once each, in the order canary, pilot, production")
        return self
