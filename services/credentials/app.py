"""Wiring of the credentials process."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from chassis.ahead import PulledBack
from chassis.consumer import BatchConsumer
from chassis.platform import Platform, platform
from chassis.postgres import Connection
from chassis.running import Part, Stages, run_until_stopped
from contracts import topics
from contracts.envelope import decode
from services.credentials import telling
from services.credentials.adapters.choice import connected
from services.credentials.adapters.mail import Mail
from services.credentials.attention import Attention
from services.credentials.cases import answers
from services.credentials.cases.handlers import CredentialsHandler
from services.credentials.cases.releasing import Releasing
from services.credentials.directory.hygiene import HygieneRounds
from services.credentials.directory.sync import LEASE, Sync
from services.credentials.guard.watch import Watch
from services.credentials.people import parts as people
from services.credentials.people.deciding import Decided
from services.credentials.people.records import Verdict
from services.credentials.records import Fact
from services.credentials.reset import store_ahead
from services.credentials.reset.at_directory import AtDirectory
from services.credentials.reset.directories import Directories
from services.credentials.reset.ending import Endings
from services.credentials.reset.leave import Leave
from services.credentials.reset.records import Patience
from services.credentials.reset.steps import Steps
from services.credentials.reset.worker import Limits, Worker
from services.credentials.settings import CredentialsSettings

MARGIN_SECONDS: Final = 10.0
"""Between the deadline of a step and the end of its lease: the clocks of two machines may differ by so much."""


async def run(settings: CredentialsSettings) -> None:
    """Run the process until it is told to stop."""
    async with platform(settings, telling.GROUP) as on:
        directories = Directories(on.pool, connected)
        mail = people.mail_on(settings)
        try:
            worker = worker_on(on, directories, mail, settings)
            on.relay.also_wake(worker.wake)
            consumer = BatchConsumer(
                group=telling.GROUP,
                topics=[topics.EXPOSURES, topics.CLIENTS, topics.TICKETS],
                decode=decode,
                handler=CredentialsHandler(on.clock),
                on=on,
            )
            deciding = people.parts_on(on, settings, mail, decided=decided_on(on))
            lease = timedelta(seconds=settings.step_seconds + MARGIN_SECONDS)
            pulled_back = PulledBack(on, *store_ahead.planned(lease=lease, reading=LEASE))
            reading: list[Part] = [Sync(on, connected), HygieneRounds(on), pulled_back]
            outside: list[Part] = [worker, Releasing(on), Watch(on), Attention(on), *reading, *deciding]
            stages: Stages = [[consumer], outside, [on.relay, on.health]]
            await run_until_stopped(stages, drain_seconds=settings.drain_seconds)
        finally:
            await directories.close()


def decided_on(on: Platform) -> Decided:
    """Return what lets cases go on whose questions have ended."""

    async def decided(tx: Connection, verdicts: Sequence[Verdict]) -> Sequence[Fact]:
        return await answers.settled(tx, verdicts, now=on.clock())

    return decided


def worker_on(on: Platform, directories: Directories, mail: Mail | None, settings: CredentialsSettings) -> Worker:
    """Return the worker that carries out the steps of cases."""
    endings = Endings(pool=on.pool, clock=on.clock, relay=on.relay)
    patience = Patience(
        settle=timedelta(seconds=settings.directory_settle_seconds), verify=timedelta(seconds=settings.verify_seconds)
    )
    at_directory = AtDirectory(
        pool=on.pool,
        directories=directories,
        endings=endings,
        leave=Leave(pool=on.pool, clock=on.clock, relay=on.relay),
        clock=on.clock,
        patience=patience,
    )
    steps = Steps(
        pool=on.pool, at_directory=at_directory, endings=endings, mail=mail, clock=on.clock, patience=patience
    )
    limits = Limits(
        slots=settings.steps_in_flight,
        most_per_tenant=max(settings.steps_in_flight // 2, 1),
        deadline_seconds=settings.step_seconds,
        lease_seconds=settings.step_seconds + MARGIN_SECONDS,
    )
    return Worker(pool=on.pool, steps=steps, endings=endings, clock=on.clock, progress=on.progress, limits=limits)
