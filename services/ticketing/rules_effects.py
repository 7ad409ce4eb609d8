"""What to do at the tracker after the look-up, whose turn it is, and how long to wait. Pure."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple
from uuid import UUID

from contracts.topics import Lane
from services.ticketing.records import Act, TicketRef

FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 300.0
FIRST_LOOK_SECONDS: Final = 0.5
LONGEST_LOOK_SECONDS: Final = 5.0


class Sight(StrEnum):
    """What the look-up by our key found."""

    ABSENT = "absent"
    OPEN = "open"
    CLOSED = "closed"


class Step(StrEnum):
    """What comes next: write, or record what is there already, or wait until an answer that was lost must show."""

    WRITE = "write"
    RECORD = "record"
    WAIT = "wait"
    BY_PERSON = "a person closed it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What we know besides the look-up.

    `acted`: a write may have happened, its answer was lost. `marked`: the ticket has this act's note. `settled`: what
    was written at that moment would be seen by now. `just_seen`: the ticket was seen so lately that a search which
    lags behind may not find it. `has_words`: there is something to say.
    """

    acted: bool = False
    marked: bool = False
    settled: bool = True
    just_seen: bool = False
    has_words: bool = True


def sight_of(ref: TicketRef | None) -> Sight:
    """Return what was found."""
    if ref is None:
        return Sight.ABSENT
    return Sight.OPEN if ref.is_open else Sight.CLOSED


def next_step(act: Act, sight: Sight, known: Known) -> Step:
    """Return what to do for `act`. A ticket that is closed or gone although we did not do it: a person did."""
    may_still_show = known.acted and not known.settled
    match act, sight:
        case (Act.OPEN, Sight.ABSENT):
            return Step.WAIT if may_still_show else Step.WRITE
        case (Act.OPEN, Sight.OPEN | Sight.CLOSED):
            return Step.RECORD
        case (_, Sight.ABSENT):
            return Step.WAIT if known.just_seen else Step.BY_PERSON
        case _ if known.marked:
            return Step.RECORD
        case (Act.APPEND, Sight.OPEN) if not known.has_words:
            return Step.RECORD
        case (Act.APPEND, Sight.CLOSED):
            return Step.BY_PERSON
        case (Act.RESOLVE, Sight.CLOSED):
            return Step.WAIT if may_still_show else Step.BY_PERSON
        case _:
            return Step.WAIT if may_still_show else Step.WRITE


def is_closing(marker: str | None) -> bool:
    """Return whether the note with this marker (see `Intent.marker`) is the one with which we closed its ticket."""
    return marker is not None and marker.split("/")[2:3] == [Act.RESOLVE]


def chosen(refs: Sequence[TicketRef], *, tracked: str | None, should_be_open: bool) -> TicketRef | None:
    """Return the ticket to keep of several with one key, given oldest first: the one that we keep up to date.

    Unless that is closed and another one is open although the ticket should be: a technician who sees two closes one
    of them, and it need not be the other one. Where we have none, it is the oldest that is open, else the oldest.
    """
    ours = next((ref for ref in refs if ref.id == tracked), None)
    oldest_open = next((ref for ref in refs if ref.is_open), None)
    if ours is not None and (ours.is_open or not should_be_open or oldest_open is None):
        return ours
    return oldest_open or (refs[0] if refs else None)


def pause_seconds(attempts: int) -> float:
    """Return how long to leave an act alone after its `attempts`-th failure: each time twice as long."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 16), LONGEST_PAUSE_SECONDS)


def hold_seconds(asked_seconds: float, limits_in_a_row: int) -> float:
    """Return how long to leave a tracker alone that asked for it, having met its limit so often in a row."""
    longer = asked_seconds * 2.0 ** min(max(limits_in_a_row - 1, 0), 16)
    return max(asked_seconds, min(longer, LONGEST_PAUSE_SECONDS))


def look_again_seconds(attempts: int) -> float:
    """Return how long to wait before looking again for a write whose answer was lost."""
    return min(FIRST_LOOK_SECONDS * 2.0 ** min(attempts - 1, 16), LONGEST_LOOK_SECONDS)


class Due(NamedTuple):
    """An intent that a worker may take."""

    tenant: UUID
    ticket: str
    number: int
    lane: Lane = Lane.LIVE


BULK_EVERY: Final = 8
"""Every so many-th turn is bulk's, however much is live."""


def lane_first(turns: int) -> Lane:
    """Return which lane comes first after so many turns: live, but bulk now and then, so that it never starves."""
    return Lane.BULK if turns % BULK_EVERY == BULK_EVERY - 1 else Lane.LIVE


def in_lanes(due: Sequence[Due], first: Lane) -> list[Due]:
    """Return `due` with the lane that is `first` before the other, each in its order."""
    return sorted(due, key=lambda each: each.lane is not first)


def few_of_bulk(turns: Sequence[Due], most: int) -> list[Due]:
    """Return `turns` with at most so many of bulk: the tracker is the same for both, and each act slows the others."""
    bulk = [each for each in turns if each.lane is Lane.BULK]
    too_many = set(bulk[max(most, 0) :])
    return [each for each in turns if each not in too_many]


LIVE_SECONDS: Final = 1.0
"""A live act that ended so lately may be followed by another at any moment."""


def bulk_rest_seconds(took_seconds: float, *, live_seconds_ago: float, cores_are_scarce: bool) -> float:
    """Return how long bulk rests after an act that took so long: only where live ones would miss its cores."""
    if live_seconds_ago > LIVE_SECONDS or not cores_are_scarce:
        return 0.0
    return min(took_seconds * REST_OF_A_CROWD, LONGEST_REST_SECONDS)


LATELY: Final = 20
"""Acts: whoever had one of the last so many is about to have another."""

CROWD: Final = 2
"""So many times as many intents as a tenant may have under way: with both lanes full of them."""

FEW: Final = 4
"""Acts of the last `LATELY` that are nobody's storm."""

REST: Final = 1.0
"""How many times as long as its act took a tenant that storms rests."""

REST_WHERE_SCARCE: Final = 6.0
"""The same, where cores are scarce: an act of a few calls keeps several processes busy."""

REST_OF_A_CROWD: Final = 20.0
"""The same for whom a crowd waits: it is not done soon, whether it rests or not."""

LONGEST_REST_SECONDS: Final = 5.0

GIVES_WAY_SECONDS: Final = 3.0
"""So long after its last act a tenant that storms has its next one, whoever else has one under way."""


def most_beside_others(most: int, lately: Sequence[UUID]) -> int:
    """Return how many of `most` acts a tenant may have under way: a quarter of them while others have turns too.

    A tracker does the calls of all one beside the other, so who storms slows down whoever calls once. `lately` has the
    tenants of the last turns.
    """
    return max(most // 4, 1) if len(set(lately)) > 1 else most


@dataclass(frozen=True, slots=True)
class Seen:
    """What tells who storms: the tenants of the last turns, and those for whom a crowd waits."""

    lately: Sequence[UUID]
    crowds: Collection[UUID]

    def storms(self, tenant: UUID) -> bool:
        """Return whether a tenant had more than half of the last turns, or more than twice its share of them.

        Or has a crowd, while others had turns who have none: so it need not have had its turns first.
        """
        tenants, turns = set(self.lately), self.lately.count(tenant)
        if tenant in self.crowds and not tenants.issubset({tenant, *self.crowds}):
            return True
        return len(tenants) > 1 and turns > max(FEW, len(self.lately) * min(2 / len(tenants), 1 / 2))


def queueing(due: Sequence[Due], many: int) -> set[UUID]:
    """Return the tenants for whom at least so many intents wait; whoever has fewer is done soon."""
    waiting = Counter(each.tenant for each in due)
    return {tenant for tenant, count in waiting.items() if count >= many}


def rest_seconds(tenant: UUID, seen: Seen, took_seconds: float, *, cores_are_scarce: bool) -> float:
    """Return how long a tenant rests after an act that took so long: not at all, unless it storms beside others."""
    where_scarce = REST_OF_A_CROWD if tenant in seen.crowds else REST_WHERE_SCARCE
    rest = where_scarce if cores_are_scarce else REST
    return min(took_seconds * rest, LONGEST_REST_SECONDS) if seen.storms(tenant) else 0.0


def gives_way(tenant: UUID, seen: Seen, busy: Mapping[UUID, int]) -> bool:
    """Return whether a tenant that storms waits for the end of an act of somebody who does not. `busy`: under way."""
    others = (each for each, acts in busy.items() if acts and each != tenant)
    return seen.storms(tenant) and any(not seen.storms(each) for each in others)


def fair_turns(
    due: Sequence[Due],
    *,
    served: Mapping[UUID, int],
    busy: Mapping[UUID, int],
    slots: int,
    most_per_tenant: int,
    fewer: Mapping[UUID, int] = MappingProxyType({}),
) -> list[Due]:
    """Return at most `slots` of `due`, given in order for each tenant: one for each tenant in turn.

    Whoever was `served` longest ago comes first (a counter; absent: never). `busy` has the acts under way: with them
    no tenant gets more than `most_per_tenant`, and those in trouble no more than `fewer` has for them.
    """
    by_tenant: defaultdict[UUID, list[Due]] = defaultdict(list)
    for each in due:
        by_tenant[each.tenant].append(each)
    under_way = Counter(busy)
    rounds = [
        (round_number, served.get(tenant, 0), tenant, each)
        for tenant, mine in by_tenant.items()
        for round_number, each in enumerate(mine[: max(fewer.get(tenant, most_per_tenant) - under_way[tenant], 0)])
    ]
    return [each for *_, each in sorted(rounds)[: max(slots, 0)]]
