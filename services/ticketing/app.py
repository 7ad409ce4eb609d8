"""Wiring of the ticketing process."""

from datetime import timedelta
from typing import Final

from chassis.ahead import PulledBack
from chassis.consumer import BatchConsumer
from chassis.platform import Platform, platform
from chassis.running import Part, Stages, run_until_stopped
from contracts import topics
from contracts.envelope import decode
from services.ticketing import store_ahead, store_save
from services.ticketing.adapters.choice import connected
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.effects import Effects
from services.ticketing.handlers import TicketingHandler
from services.ticketing.merging import Merging, Patient
from services.ticketing.reconciler import Reconciler, Rounds
from services.ticketing.rereading import Rereading, Rereads
from services.ticketing.settings import TicketingSettings
from services.ticketing.worker import Limits, Worker

GROUP: Final = "ticketing"
CALLS_OF_AN_ACT: Final = 6
SLOW_CALLS_IN_A_MERGE: Final = 6
MARGIN_SECONDS: Final = 5
"""Between the deadline of an act and the end of its lease: the clocks of two machines may differ by so much."""

SLOW_CALLS_IN_A_DEADLINE: Final = 3
"""An act is given up when so many of its calls took as long as they may."""


async def run(settings: TicketingSettings) -> None:
    """Run the process until it is told to stop."""
    async with platform(settings, GROUP) as on:
        tracker = connected(settings)
        try:
            await store_save.know_everyone(on.pool)
            worker = worker_on(on, tracker, settings)
            on.relay.also_wake(worker.wake)
            consumer = BatchConsumer(
                group=GROUP,
                topics=[topics.COMPLIANCE_EVENTS, topics.CREDENTIALS_EVENTS, topics.CLIENTS, topics.PSA_EVENTS],
                decode=decode,
                handler=TicketingHandler(
                    look_every=timedelta(seconds=settings.ticket_look_seconds),
                    own_names=settings.own_names,
                    clock=on.clock,
                ),
                on=on,
            )
            rereading = rereading_on(on, tracker, settings)
            on.relay.also_wake(rereading.wake)
            at_the_tracker: list[Part] = [
                worker,
                reconciler_on(on, tracker, settings),
                rereading,
                pulled_back_on(on, settings),
            ]
            stages: Stages = [[consumer], at_the_tracker, [on.relay, on.health]]
            await run_until_stopped(stages, drain_seconds=settings.drain_seconds)
        finally:
            await tracker.close()


def worker_on(on: Platform, tracker: Tracker, settings: TicketingSettings) -> Worker:
    """Return the worker that carries out what the handler decides."""
    effects = Effects(
        pool=on.pool,
        tracker=tracker,
        clock=on.clock,
        relay=on.relay,
        settle=timedelta(seconds=settings.tracker_settle_seconds),
        msp_company=settings.msp_company,
    )
    limits = limits_of(settings)
    return Worker(pool=on.pool, effects=effects, clock=on.clock, progress=on.progress, relay=on.relay, limits=limits)


def limits_of(settings: TicketingSettings) -> Limits:
    """Return how many acts run at once, and a lease that ends well after the last call of its act."""
    deadline_seconds = settings.tracker_timeout_seconds * SLOW_CALLS_IN_A_DEADLINE
    slots = slots_within(settings, deadline_seconds)
    return Limits(
        slots=slots,
        most_per_tenant=max(slots // 2, 1),
        bulk_slots=max(slots // 8, 1),
        deadline_seconds=deadline_seconds,
        lease_seconds=deadline_seconds + MARGIN_SECONDS,
    )


def reconciler_on(on: Platform, tracker: Tracker, settings: TicketingSettings) -> Reconciler:
    """Return what looks for two tickets of one key, and merges them."""
    patient = Patient(
        deadline_seconds=settings.tracker_timeout_seconds * SLOW_CALLS_IN_A_MERGE,
        margin_seconds=MARGIN_SECONDS,
        settle_seconds=settings.tracker_settle_seconds,
    )
    merging = Merging(pool=on.pool, tracker=tracker, clock=on.clock, relay=on.relay, patient=patient)
    rounds = Rounds(every=timedelta(seconds=settings.tracker_round_seconds), rest_seconds=settings.tracker_rest_seconds)
    return Reconciler(
        pool=on.pool, tracker=tracker, merging=merging, clock=on.clock, progress=on.progress, rounds=rounds
    )


def rereading_on(on: Platform, tracker: Tracker, settings: TicketingSettings) -> Rereading:
    """Return what reads tickets again that something was told of."""
    rereads = Rereads(
        deadline_seconds=settings.tracker_timeout_seconds * SLOW_CALLS_IN_A_DEADLINE,
        margin_seconds=MARGIN_SECONDS,
        settle_seconds=settings.tracker_settle_seconds,
    )
    return Rereading(
        pool=on.pool, tracker=tracker, clock=on.clock, progress=on.progress, relay=on.relay, rereads=rereads
    )


def pulled_back_on(on: Platform, settings: TicketingSettings) -> PulledBack:
    """Return what brings back the moments that a clock which ran ahead has planned."""
    planned = store_ahead.planned(
        look_every=timedelta(seconds=settings.ticket_look_seconds),
        round_every=timedelta(seconds=settings.tracker_round_seconds),
        lease=timedelta(seconds=limits_of(settings).lease_seconds),
    )
    return PulledBack(on, *planned)


def slots_within(settings: TicketingSettings, deadline_seconds: float) -> int:
    """Return how many acts run at once: as set, but no more than the tracker's rate lets through in half a deadline."""
    let_through = settings.tracker_calls_per_second * deadline_seconds / 2 / CALLS_OF_AN_ACT
    return max(min(settings.tickets_in_flight, int(let_through)), 1)
