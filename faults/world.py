"""The running product that faults are injected into: real parts, every service supervised, a day's load, a judge."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx
from typer.main import get_command

from faults import desk
from faults.judging import Judge, Judgement
from faults.recovery import Recovery
from faults.settling import Settling
from faults.size import Size
from patchline.demo import run
from patchline.demo.display import Display
from patchline.demo.run import Stage
from patchline.demo.typed import typed
from patchline.local import Say, place
from patchline.local.parts import PartSettings
from patchline.main import app
from patchline.stack.programs import PROGRAMS
from patchline.stack.stack import Stack, StackSettings
from patchline.stack.supervisor import NO_PAUSES, Supervisor
from simulators.day import day
from simulators.deliveries import Delivery, Nature
from simulators.fleet import Source
from simulators.plan import Plan, plan
from simulators.script import MORNING, NOW, What
from simulators.sender import Sender, Sent

DEVICES: Final = 180
QUICK_DEVICES: Final = 60
SEND_ATTEMPTS: Final = 15
_MENDING: Final = frozenset({What.INSTALLED, What.RESTARTED, What.NO_LONGER_LISTED})
LONGEST_SETTLING_SECONDS: Final = 150.0
BELIEVED_LOOK_SECONDS: Final = 0.3
SETTINGS: Final = {
    "PATCHLINE_TRACKER_TIMEOUT_SECONDS": "2",
    "PATCHLINE_TRACKER_SETTLE_SECONDS": "5",
    "PATCHLINE_TICKET_LOOK_SECONDS": "10",
    "PATCHLINE_POLL_LEASE_SECONDS": "6",
}
"""Shorter than usual, so that what waits for them happens within minutes: the order of things is the same."""


@dataclass(slots=True)
class World:
    """One running product. `stack` has the parts and processes, `supervisor` starts again what is killed.

    `rest` are the deliveries of the day that are not sent yet: first those that mend nothing, in an order of which the
    truth is independent; then those that mend, which tickets tell apart by the order of their acceptance. `others` are
    the answers to deliveries that belong to no day.
    """

    stack: Stack
    supervisor: Supervisor
    stage: Stage
    client: httpx.AsyncClient
    secrets: dict[str, str]
    rng: random.Random
    size: Size
    say: Say
    settling: Settling
    judge: Judge
    recovery: Recovery
    rest: list[Delivery] = field(default_factory=list)
    others: list[Sent] = field(default_factory=list)
    _desk: desk.Desk | None = None
    _morning: "asyncio.Task[None] | None" = None

    @property
    def is_quick(self) -> bool:
        """Return whether it is enough to see that it works."""
        return self.size is Size.QUICK

    async def desk_at_work(self) -> desk.Desk:
        """Return the load of tickets of this world, judged with the day; made when it is first asked for."""
        if self._desk is None:
            await self.add_source(desk.SOURCE, desk.CLIENT)
            self._desk = desk.Desk(self.send_at_once, self.stage.subscriber.seen, self.stage.clock)
            self.judge.also.append(self._desk.checks)
        return self._desk

    async def send(self, deliveries: Sequence[Delivery], *, seconds: float) -> None:
        """Send deliveries spread over so long, each again until it is accepted, as a vendor that retries."""
        sender = Sender(self.client, self.secrets, self.stage.clock, attempts=SEND_ATTEMPTS)
        await sender.send_all(deliveries, seconds=seconds, on_sent=self.stage.sent.append)

    async def send_at_once(self, deliveries: Sequence[Delivery]) -> None:
        """Send a few deliveries that belong to no day; each again until it is accepted."""
        sender = Sender(self.client, self.secrets, self.stage.clock, attempts=SEND_ATTEMPTS)
        await sender.send_all(deliveries, seconds=0, on_sent=self.others.append)

    async def add_source(self, source: Source, client: str) -> None:
        """Register a source beside the day's, whose one client calls itself so, and wait until it is believed."""
        await asyncio.to_thread(self._register, source, client)
        hello = Delivery(nature=Nature.TRUE, name="hello", source=source, body=b"{}", delivery_id="msg_hello")
        while not (await self.send_once(hello)).is_accepted:
            await asyncio.sleep(BELIEVED_LOOK_SECONDS)

    async def send_once(self, delivery: Delivery) -> Sent:
        """Send one delivery that belongs to no day, and return the answer."""
        sender = Sender(self.client, self.secrets, self.stage.clock, attempts=1)
        [sent] = await sender.send_all([delivery], seconds=0, on_sent=lambda _sent: None)
        return sent

    def _register(self, source: Source, client: str) -> None:
        [added] = typed(get_command(app), "source", "add", source.vendor, source.name)
        typed(get_command(app), "client", "add", client, "--zone", "UTC", "--psa-company", client)
        typed(get_command(app), "client", "map", client, source.full_name, client)
        self.secrets[source.full_name] = added["secret"]

    def next_deliveries(self, most: int) -> list[Delivery]:
        """Take the next deliveries of the day that mend nothing; fewer, or none, when they come to an end."""
        until = next((place for place, each in enumerate(self.rest) if mends(each)), len(self.rest))
        count = min(most, until)
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def last_deliveries(self) -> list[Delivery]:
        """Take all that is left of the day, what mends included: everything sent before must be settled."""
        taken, self.rest = self.rest, []
        return taken

    @asynccontextmanager
    async def begun(self, began_at: datetime) -> AsyncIterator[None]:
        """Poll the day's first two moments; in a quick run the first, until the first judgement at the latest.

        Until then no webhook of the day may come: which ticket a failure gets depends on what the poll tells.
        """
        if not self.is_quick:
            await run.morning_and_night(self.stage, began_at)
            yield
            return
        async with asyncio.TaskGroup() as tasks:
            morning = tasks.create_task(run.polled(self.stage, MORNING, run.EVERY, since=began_at))
            self._morning = morning
            try:
                yield
            finally:
                morning.cancel()

    async def morning_over(self) -> None:
        """Wait until the RMMs were polled, and all that they told has arrived."""
        if self._morning is not None:
            await self._morning
            await self.settled()
            self._morning = None

    async def settled(self) -> list[str]:
        """Wait until nothing moves and nothing waits; return what still does when that took too long."""
        return await self.settling.wait(LONGEST_SETTLING_SECONDS)

    async def judged(self) -> Judgement:
        """Settle, compare everything with the ledger, and return what is new since the last judgement."""
        if self._morning is not None:
            await self._morning
        waiting = await self.settled()
        self._morning = None
        judgement = await self.judge.judged(self.stage, self.others, waiting)
        for line in judgement.lines:
            self.say(line)
        return judgement


@asynccontextmanager
async def opened(home: Path, *, display: Display, seed: int, size: Size) -> AsyncIterator[World]:
    """Start a product in `home`, register who delivers, poll the day's first two moments, and yield it; then stop it.

    Raises:
        PartUnavailable: something cannot run here; the message says what to do.
    """
    stack = Stack(_settings(home))
    try:
        await asyncio.to_thread(stack.start, display.say)
        async with around(stack, display=display, seed=seed, size=size) as world:
            began_at, secrets = await run.registered(world.stage, get_command(app))
            world.secrets.update(secrets)
            async with world.begun(began_at):
                yield world
    finally:
        await asyncio.to_thread(_ended, stack)


def _ended(stack: Stack) -> None:
    """End a product that nobody needs any more: what it keeps goes away with it."""
    for child in stack.children.values():
        child.kill()
    stack.parts.stop()


@asynccontextmanager
async def around(stack: Stack, *, display: Display, seed: int, size: Size) -> AsyncIterator[World]:
    """Supervise and watch a product that runs already, and yield it: nobody delivers to it yet."""
    the_plan = plan(day(seed=seed, devices=QUICK_DEVICES if size is Size.QUICK else DEVICES))
    settings = stack_environment(stack)
    supervisor = Supervisor(stack, PROGRAMS, say=_quietly, pauses=NO_PAUSES)
    with _environment(settings), supervisor.watching():
        client = httpx.AsyncClient(base_url=stack.around.gateway_url, trust_env=False)
        async with (
            client,
            run.staged(the_plan, settings, display) as stage,
            _helpers(stack, supervisor, stage) as helpers,
        ):
            yield World(
                stack=stack,
                supervisor=supervisor,
                stage=stage,
                client=client,
                secrets={},
                rng=random.Random(f"faults/{seed}"),
                size=size,
                say=display.say,
                settling=helpers[0],
                judge=Judge(),
                recovery=helpers[1],
                rest=mends_last(the_plan),
            )


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Let the commands that are typed in this process find a stack, for as long as the block lasts."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@asynccontextmanager
async def _helpers(stack: Stack, supervisor: Supervisor, stage: Stage) -> AsyncIterator[tuple[Settling, Recovery]]:
    """Watch how the services recover, for as long as the block lasts."""
    recovery = Recovery(stack, supervisor)
    async with Settling(stack, stage) as settling, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(recovery.watch())
        try:
            yield settling, recovery
        finally:
            watching.cancel()


def mends(delivery: Delivery) -> bool:
    """Return whether a delivery may take a device off a ticket: whatever fails must be accepted before it."""
    return delivery.happening is not None and delivery.happening.what in _MENDING


def mends_last(the_plan: Plan) -> list[Delivery]:
    """Return the plan's deliveries, those that mend after all others.

    Kills delay an accepted delivery by many seconds, so the plan's own distance between the two is not enough.
    """
    return sorted(the_plan.deliveries, key=mends)


def stack_environment(stack: Stack) -> dict[str, str]:
    """Return what command lines need to reach a stack."""
    lines = (stack.home / "env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line) | {"PATCHLINE_HOME": str(stack.home)}


def _settings(home: Path) -> StackSettings:
    cache = place.cache(os.environ)
    parts = PartSettings(home=home, cache=cache, kafka_port=0, postgres_port=0, psa_port=0, mail_port=0)
    return StackSettings(
        parts=parts,
        gateway_port=0,
        health_port=0,
        simulator_port=0,
        clock_offset_seconds=NOW.timestamp() - time.time(),
        extra=SETTINGS,
    )


def _quietly(_line: str) -> None:
    """Say nothing of each restart: there are hundreds."""
