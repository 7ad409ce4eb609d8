"""Asked right before each act at a directory, told of each that ended and of each account that a feed names."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.credential import BreakerMoved, BreakerState, CaseStep
from services.credentials import telling
from services.credentials.guard import rules_breaker, store_guard, store_moves, store_stream
from services.credentials.guard.records import EVERYONE, Act, Arrival, Held, Permit, Trip
from services.credentials.records import Cause, Fact

PERMIT: Final = timedelta(seconds=1)
"""How long a permit holds: so fast a kill switch acts, because whoever is later asks again."""

BY_MACHINE: Final = "patchline"
Trips = Mapping[UUID, tuple[Trip, Cause]]
"""Why breakers trip, by client."""


async def may_act(tx: Connection, act: Act, now: datetime) -> Permit | Held:
    """Return whether `act` may begin, and count its account towards the caps of the hour.

    Ask in a transaction of its own right before the act, and commit it whatever the answer: what would be too much
    trips a breaker, and that is told with the act's cause. The same case counts once. A `Permit` ends after a second.
    """
    await store_guard.lock(tx, [act.tenant])
    everyone = await store_guard.load_everyone(tx, now=now)
    guarding = (await store_guard.load(tx, [act.tenant], now=now))[act.tenant]
    if why := rules_breaker.holding(act.step, everyone=everyone.breaker, tenant=guarding.tenant):
        return Held(why)
    if act.step is not CaseStep.INVALIDATED or await store_guard.is_counted(tx, act.tenant, act.case):
        return Permit(now + PERMIT)
    if trip := rules_breaker.trip_before_act(guarding.counts, guarding.policy.caps, privileged=act.privileged):
        await _trip(tx, {act.tenant: (trip, act.cause)}, now)
        return Held(f"the client's breaker is tripped: {trip.why}")
    if trip := rules_breaker.global_trip_before_act(everyone.counts, everyone.policy, privileged=act.privileged):
        await _trip(tx, {EVERYONE: (trip, act.cause)}, now)
        return Held(f"the breaker for all clients is tripped: {trip.why}")
    await store_guard.count(tx, act.tenant, act.case, privileged=act.privileged, now=now)
    return Permit(now + PERMIT)


async def ended(tx: Connection, act: Act, now: datetime, *, succeeded: bool) -> None:
    """Note how `act` ended: `succeeded` is false for one that a person must look at, not for a retry.

    Too many that failed trip the client's breaker, or that of all. Saying the same again changes nothing.
    """
    tenant, cause = act.tenant, act.cause
    if not await store_guard.note_end(tx, tenant, act.case, succeeded=succeeded, now=now) or succeeded:
        return
    guarding = (await store_guard.load(tx, [tenant], now=now))[tenant]
    everyone = await store_guard.load_everyone(tx, now=now)
    caps, policy = guarding.policy.caps, everyone.policy
    trips = {
        tenant: rules_breaker.trip_of_errors(guarding.counts, rate=caps.error_rate, least=caps.error_least),
        EVERYONE: rules_breaker.trip_of_errors(everyone.counts, rate=policy.error_rate, least=policy.error_least),
    }
    await _trip(tx, {whose: (trip, cause) for whose, trip in trips.items() if trip is not None}, now)


async def arrived(tx: Connection, arrivals: Sequence[Arrival], *, now: datetime) -> list[Fact]:
    """Note which accounts the feeds named, trip the breakers of clients for which that is strange, return what to tell.

    Call it before `store_guard.load`, in the same transaction: what is decided then is decided with the breaker as it
    stands afterwards. Tell it last, with the rest: audits stay locked from then on. Naming the same account again
    within the hour changes nothing.
    """
    if not arrivals:
        return []
    await store_stream.save(tx, arrivals)
    largest: dict[UUID, Arrival] = {}
    for each in sorted(arrivals, key=lambda each: (each.named, each.cause.id)):
        largest[each.tenant] = each
    guarding = await store_guard.load(tx, sorted(largest), now=now)
    streams = await store_stream.streams(tx, guarding, now=now)
    trips: dict[UUID, tuple[Trip, Cause]] = {}
    for tenant, each in largest.items():
        stream = store_stream.with_delivery(streams[tenant], each.named)
        if trip := rules_breaker.trip_of_stream(stream, guarding[tenant].policy.caps):
            trips[tenant] = trip, each.cause
    return await _tripped(tx, trips, now)


def said(tenant: UUID, event: BreakerMoved, *, at: datetime, cause: Cause, by: str) -> Fact:
    """Return the fact that the breaker of `tenant`, or of `EVERYONE`, moved; it is keyed by the breaker."""
    key = "breaker/global" if tenant == EVERYONE else f"breaker/tenant/{tenant}"
    return Fact(tenant=tenant, key=key, event=event, at=at, cause=cause, by=by)


def scope(tenant: UUID) -> str:
    """Return whose breaker it is, as events say it."""
    return "global" if tenant == EVERYONE else "tenant"


async def _trip(tx: Connection, trips: Trips, now: datetime) -> None:
    await telling.tell(tx, await _tripped(tx, trips, now))


async def _tripped(tx: Connection, trips: Trips, now: datetime) -> list[Fact]:
    """Trip those of the breakers that are armed, clients' first and in one order, and return what is to be told."""
    if not trips:
        return []
    clients = sorted(set(trips) - {EVERYONE})
    moved = await store_moves.trip(tx, [(tenant, trips[tenant][0]) for tenant in clients], now)
    facts = [_fact(tenant, *trips[tenant], now) for tenant in moved]
    wide = trips.get(EVERYONE)
    if moved and wide is None:
        everyone = await store_guard.load_everyone(tx, now=now)
        if trip := rules_breaker.trip_of_trips(everyone.tripped_clients, everyone.policy):
            wide = trip, trips[moved[-1]][1]
    if wide is not None and await store_moves.trip(tx, [(EVERYONE, wide[0])], now):
        facts.append(_fact(EVERYONE, *wide, now))
    return facts


def _fact(tenant: UUID, trip: Trip, cause: Cause, now: datetime) -> Fact:
    event = BreakerMoved(scope=scope(tenant), state=BreakerState.TRIPPED, why=trip.why[:2048], held=trip.held)
    return said(tenant, event, at=now, cause=cause, by=BY_MACHINE)
