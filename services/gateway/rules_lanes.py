"""What travels live, and what in bulk: at the door, at a poll, when parked events are released. Pure."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from contracts.topics import Lane

MOST_DIFFERING_DEVICES: Final = 500
"""A reading in which more devices differ than this is an import, whatever brought it about."""

MOST_RELEASED_LIVE: Final = 200
"""Of parked events that one mapping releases, so many keep the lane that they came by."""


BURST_SECONDS: Final = 10
"""A source may deliver at once what it may in so many seconds: a script that reports all machines of a site, say."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a source may deliver live: `per_second` for as long as it likes, and `burst` deliveries at once."""

    per_second: float
    burst: int


LIVE_FAILURES: Final = Rate(per_second=10, burst=20)
"""Of one client's failed installations, so many travel live: more than its tickets can be opened at once, see ADR 0053.

A client's storm would stand before the others' failures in every topic on the way. In bulk it waits, and loses nothing.
"""

ANOTHER_TIME_SECONDS: Final = 20.0
"""Longer than partitions of one backlog drift apart, which are read one after the other: it is the same storm."""


def live_rate(per_second: float) -> Rate:
    """Return the rate of a source that may deliver `per_second` live."""
    return Rate(per_second, max(1, int(per_second * BURST_SECONDS)))


class Turn(NamedTuple):
    """The lane of one delivery, and when the source's live ones will be paid for, in seconds of any steady clock."""

    lane: Lane
    paid_at: float


def turn(paid_at: float, rate: Rate, now: float) -> Turn:
    """Return the lane of a delivery at `now` of a source whose live ones so far are paid for at `paid_at`.

    A token bucket kept as one number: each live delivery costs 1/rate seconds, and may be owed for as long as a burst
    takes. What exceeds that goes to bulk and costs nothing, so that live goes on at the rate.

    Source: the generic cell rate algorithm, ITU-T I.371, virtual scheduling.
    """
    owed_from = max(paid_at, now)
    if owed_from - now > (rate.burst - 1) / rate.per_second:
        return Turn(Lane.BULK, paid_at)
    return Turn(Lane.LIVE, owed_from + 1 / rate.per_second)


def turn_of_failure(paid_at: float, now: float) -> Turn:
    """Return the lane of a client's failed installation that was received at `now`.

    They come nearly in the order of receipt. What came long before the one ahead of it, as a replayed one did, finds a
    debt that nobody comes to who is never let owe more than a burst: it is of another time, and no part of its storm.
    """
    is_of_another_time = paid_at - now > ANOTHER_TIME_SECONDS
    return turn(now if is_of_another_time else paid_at, LIVE_FAILURES, now)


def lane_of_poll(*, is_first: bool, differing_devices: int) -> Lane:
    """Return the lane of what a poll found: live, but for a source's first import or an unusually large difference."""
    return Lane.BULK if is_first or differing_devices > MOST_DIFFERING_DEVICES else Lane.LIVE


def lane_of_released(came_by: Lane, number: int) -> Lane:
    """Return the lane of the `number`-th event, from 0, of those that are released together."""
    return came_by if number < MOST_RELEASED_LIVE else Lane.BULK
