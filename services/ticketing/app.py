"""Wiring of the ticketing process."""

from datetime import timedelta
from typing import Final

from chassis.consumer import BatchConsumer
from chassis.http import Policy
from chassis.platform import Platform, platform
from chassis.running import Stages, run_until_stopped
from contracts import topics
from contracts.envelope import decode
from services.ticketing.adapters import roundup
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.effects import Effects
from services.ticketing.handlers import TicketingHandler
from services.ticketing.settings import TicketingSettings
from services.ticketing.worker import Limits, Worker

GROUP: Final = "ticketing"
CALLS_IN_A_DEADLINE: Final = 2
"""An act is given up after so many calls that all took as long as they may; usually it makes five quick ones."""


async def run(settings: TicketingSettings) -> None:
    """Run the process until it is told to stop."""
    async with platform(settings, GROUP) as on:
        tracker = connected(settings)
        try:
            worker = worker_on(on, tracker, settings)
            on.relay.also_wake(worker.wake)
            consumer = BatchConsumer(
                group=GROUP,
                topics=[topics.COMPLIANCE_EVENTS, topics.CLIENTS],
                decode=decode,
                handler=TicketingHandler(look_every=timedelta(seconds=settings.ticket_look_seconds)),
                on=on,
            )
            stages: Stages = [[consumer], [worker], [on.relay, on.health]]
            await run_until_stopped(stages, drain_seconds=settings.drain_seconds)
        finally:
            await tracker.close()


def worker_on(on: Platform, tracker: Tracker, settings: TicketingSettings) -> Worker:
    """Return the worker that carries out what the handler decides."""
    deadline_seconds = settings.tracker_timeout_seconds * CALLS_IN_A_DEADLINE
    effects = Effects(
        pool=on.pool,
        tracker=tracker,
        clock=on.clock,
        relay=on.relay,
        settle=timedelta(seconds=settings.tracker_settle_seconds),
    )
    limits = Limits(
        slots=settings.tickets_in_flight,
        most_per_tenant=max(settings.tickets_in_flight // 2, 1),
        deadline_seconds=deadline_seconds,
        lease_seconds=deadline_seconds + 5,
    )
    return Worker(pool=on.pool, effects=effects, clock=on.clock, progress=on.progress, relay=on.relay, limits=limits)


def connected(settings: TicketingSettings) -> Tracker:
    """Return the tracker that the settings name.

    Raises:
        WrongSetting: its address or its password's file is wrong.
    """
    words = roundup.Words(
        open_status=settings.tracker_open_status,
        resolved_status=settings.tracker_resolved_status,
        closed_statuses=frozenset(each.strip() for each in settings.tracker_closed_statuses.split(",")),
    )
    policy = Policy(
        calls_per_second=settings.tracker_calls_per_second,
        burst=settings.tracker_burst,
        timeout_seconds=settings.tracker_timeout_seconds,
        attempts=2,
    )
    return roundup.connect(
        settings.tracker_url,
        login=roundup.Login(settings.tracker_user, settings.tracker_password),
        policy=policy,
        words=words,
        origin=settings.tracker_origin,
    )
