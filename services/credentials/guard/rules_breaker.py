"""When a breaker trips, and what one that is not armed holds back. Pure.

Sources: playbook step 7; the sixth of the ten points of a safe forced reset (caps per client and for all, anomalous
volume of feeds, error rate, re-armed by a person).
"""

import math
from collections.abc import Mapping
from typing import Final

from contracts.events.credential import BreakerState, CaseStep
from services.credentials.guard.policy import Caps, GlobalPolicy
from services.credentials.guard.records import Breaker, Counts, Stream, Trip

LEAST_BY_SHARE: Final = 3
"""A share of a small client's people is no account at all: so many an hour are within it always."""

HELD_STEPS: Final[Mapping[BreakerState, frozenset[CaseStep]]] = {
    BreakerState.ARMED: frozenset(),
    BreakerState.TRIPPED: frozenset({CaseStep.INVALIDATED}),
    BreakerState.KILLED: frozenset({CaseStep.INVALIDATED, CaseStep.REVOKED}),
}
"""A tripped breaker begins nothing new; where the password is invalid already, the sessions are still ended, because
that is what makes the person safe. A person who throws the switch stops every write in the client's directory."""


def holding(step: CaseStep, *, everyone: Breaker, tenant: Breaker) -> str | None:
    """Return why a breaker holds `step` back, in words; `None`: none does."""
    for breaker, whose in ((everyone, "the breaker for all clients"), (tenant, "the client's breaker")):
        if step in HELD_STEPS[breaker.state]:
            return f"{whose} is {breaker.state.value}: {breaker.why}"
    return None


def most_by_share(share: float, persons: int) -> int:
    """Return how many of `persons` a share is, rounded up; no fewer than three."""
    return max(math.ceil(round(share * persons, 9)), LEAST_BY_SHARE)


def trip_before_act(counts: Counts, caps: Caps, *, privileged: bool) -> Trip | None:
    """Return why one more account must not be touched in this hour; `counts` are those before it."""
    if counts.acted + 1 > caps.per_hour:
        return Trip(f"more than {caps.per_hour} accounts in one hour", held=1)
    if privileged and counts.privileged + 1 > caps.privileged_per_hour:
        return Trip(f"more than {caps.privileged_per_hour} privileged accounts in one hour", held=1)
    if counts.persons and counts.acted + 1 > (most := most_by_share(caps.share, counts.persons)):
        return Trip(
            f"more than {caps.share:.0%} of {counts.persons} persons in one hour, which is {most} accounts", held=1
        )
    return None


def trip_of_errors(counts: Counts, *, rate: float, least: int) -> Trip | None:
    """Return why acts that ended badly speak against going on."""
    if counts.finished < least or counts.failed <= rate * counts.finished:
        return None
    return Trip(f"{counts.failed} of the last {counts.finished} resets failed; at most {rate:.0%} may")


def trip_of_stream(stream: Stream, caps: Caps) -> Trip | None:
    """Return what is strange about what the feeds named in the last hour: too many at once, all admins, one source."""
    if stream.largest_delivery > caps.per_delivery:
        return Trip(
            f"one delivery names {stream.largest_delivery} accounts; more than {caps.per_delivery} are not acted on",
            held=stream.largest_delivery,
        )
    if stream.accounts > caps.surge_least and stream.accounts > caps.surge_times * stream.usual_per_day:
        usual = f"{stream.usual_per_day:g} on a usual day" if stream.usual_per_day else "no usual day is known yet"
        return Trip(f"sudden volume: {stream.accounts} accounts named in one hour, {usual}", held=stream.accounts)
    if stream.accounts >= caps.all_admins_least and stream.privileged == stream.accounts:
        return Trip(f"all {stream.accounts} accounts named in one hour are privileged", held=stream.accounts)
    if stream.accounts >= caps.one_source_least and stream.sources == 1 and stream.known_sources > 1:
        return Trip(
            f"{stream.accounts} accounts named in one hour by one source alone, of {stream.known_sources} known",
            held=stream.accounts,
        )
    return None


def global_trip_before_act(counts: Counts, policy: GlobalPolicy, *, privileged: bool) -> Trip | None:
    """Return why one more account of any client must not be touched in this hour."""
    if counts.acted + 1 > policy.per_hour:
        return Trip(f"more than {policy.per_hour} accounts of all clients in one hour", held=1)
    if privileged and counts.privileged + 1 > policy.privileged_per_hour:
        return Trip(f"more than {policy.privileged_per_hour} privileged accounts of all clients in one hour", held=1)
    return None


def trip_of_trips(tripped_clients: int, policy: GlobalPolicy) -> Trip | None:
    """Return why several clients' breakers that tripped within the hour stop all clients."""
    if tripped_clients < policy.tripped_clients:
        return None
    return Trip(f"the breakers of {tripped_clients} clients tripped within one hour")
