"""The release that is most too late, found exactly. Pure.

A way and its clock are both made of pieces that stand still or run along with time, so how late a release is, is
greatest at an end of a piece. Only those instants are looked at: nothing is sampled, and nothing between them is worse.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.compliance.policies.rules_path import Span, Step

_LONGEST_JUMP: Final = timedelta(hours=26)
"""No zone's clocks jump further, so a way begun later is over at most so much sooner."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What was reached when, on the way."""

    what: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Travel:
    """The way of one release. `due_at`: of its clock; the last of `moments` is the end, unless it is `never`."""

    released_at: datetime
    due_at: datetime
    moments: tuple[Moment, ...]
    never: str | None = None

    @property
    def met_at(self) -> datetime | None:
        """Return when the end is reached; `None`: never."""
        if self.never is not None:
            return None
        return self.moments[-1].at if self.moments else self.released_at

    @property
    def late(self) -> timedelta | None:
        """Return how much too late it is, negative for time to spare; `None`: it never gets there."""
        return None if self.met_at is None else self.met_at - self.due_at


class Way:
    """Steps one after another, with what was found of them kept: many clocks are held against one way."""

    __slots__ = ("_bends", "_known", "_over_at", "_within", "steps")

    def __init__(self, steps: Sequence[Step], *, within: Span, known: Span) -> None:
        """Look at beginnings `within`; the steps' calendars are `known` so far."""
        self.steps = tuple(steps)
        self._within = within
        self._known = known
        self._over_at: dict[datetime, datetime | None] = {}
        self._bends: frozenset[datetime] | None = None

    def over_at(self, begin: datetime) -> datetime | None:
        """Return when its last step is over; `None`: never."""
        if begin not in self._over_at:
            at: datetime | None = begin
            for step in self.steps:
                at = step.after(at) if at is not None else None
            self._over_at[begin] = at
        return self._over_at[begin]

    def bends(self) -> frozenset[datetime]:
        """Return where it bends, by its beginning: each step's bends, taken back through the steps before it."""
        if self._bends is None:
            last = self.over_at(self._within.end)
            reach = self._known.end if last is None else min(last + _LONGEST_JUMP, self._known.end)
            span = Span(self._known.start, max(reach, self._within.end))
            found: set[datetime] = set()
            for step in reversed(self.steps):
                found = {begin for bend in found for begin in step.beginnings(bend)}
                found |= {bend for bend in step.bends(span) if bend <= span.end}
            self._bends = frozenset(each for each in found if self._within.start <= each <= self._within.end)
        return self._bends


def instants_to_try(way: Way, clock: Way, within: Span) -> list[datetime]:
    """Return, in order, the instants of `within` of which one is the worst: each end of a piece, from both sides."""
    bends = {*way.bends(), *clock.bends(), within.start, within.end}
    either_side = {each for bend in bends for each in (bend, bend - datetime.resolution)}
    return sorted(each for each in either_side if within.start <= each < within.end)


def worst(instants: Iterable[datetime], way: Way, clock: Way) -> Travel | None:
    """Return the way of the release that is most too late, the earliest of equals; `None` for no instants."""
    found: tuple[timedelta, datetime] | None = None
    for instant in sorted(instants):
        over_at, due_at = way.over_at(instant), clock.over_at(instant)
        if over_at is None or due_at is None:
            return travel(instant, way.steps, clock.steps)
        if found is None or over_at - due_at > found[0]:
            found = over_at - due_at, instant
    return None if found is None else travel(found[1], way.steps, clock.steps)


def travel(released_at: datetime, steps: Sequence[Step], clock: Sequence[Step]) -> Travel:
    """Return the way of what is released at `released_at`, and when its `clock` runs out."""
    due_at = released_at
    for step in clock:
        due_at = step.after(due_at) or due_at
    at, moments = released_at, list[Moment]()
    for step in steps:
        reached = step.after(at)
        if reached is None:
            return Travel(released_at, due_at, tuple(moments), never=step.what)
        moments.append(Moment(step.what, reached))
        at = reached
    return Travel(released_at, due_at, tuple(moments))
