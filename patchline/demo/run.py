"""The day, step by step: register, poll, send everything, poll again, wait until all is quiet, judge."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx

from chassis.clock import Clock, moved_clock
from contracts import ids
from patchline.demo import afternoon, afternoon_judgement, agreement_judgement, database, psa, real_agent
from patchline.demo.after_hours import closed_by_hand, closures
from patchline.demo.afternoon import Afternoon, Scene
from patchline.demo.agreement import CLIENT, Agreement, Table
from patchline.demo.audited import audited
from patchline.demo.display import Counts, Display
from patchline.demo.evidence import evidence
from patchline.demo.hearing import hear
from patchline.demo.judgement import Found, judged
from patchline.demo.lag import Lag
from patchline.demo.real_agent import Machine
from patchline.demo.registration import register
from patchline.demo.report import Outcome
from patchline.demo.simulated_rmm import SimulatedRmm
from patchline.demo.subscriber import Subscriber
from patchline.demo.tracker import Issue
from patchline.demo.typed import CommandLine
from patchline.local.psa import TITLE
from simulators.breach import breach
from simulators.closing import Closing, closing, with_failure
from simulators.datto_day import LAST_LOOK
from simulators.fleet import CLIENTS, DATTO_CLINIC, NINJAONE_BRANCH, NINJAONE_MAIN, Source
from simulators.ledger import ledger
from simulators.plan import Plan
from simulators.script import EVENING, MORNING, NIGHT, NOW
from simulators.sender import Sender, Sent
from simulators.witness import Polls

QUIET_SECONDS: Final = 6.0
"""Nothing was written for so long, and nothing waits: then all is done."""

LONGEST_QUIET_WAIT_SECONDS: Final = 90.0
LONGEST_POLL_WAIT_SECONDS: Final = 90.0
COUNT_EVERY_SECONDS: Final = 0.5
LAG_EVERY_SECONDS: Final = 2.5
EVERY: Final = (NINJAONE_MAIN, NINJAONE_BRANCH, DATTO_CLINIC)
_TENANTS: Final = [ids.tenant_id(client.name) for client in CLIENTS]


@dataclass(slots=True)
class Stage:
    """What one run works with, and how far it is."""

    settings: Mapping[str, str]
    plan: Plan
    display: Display
    rmm: SimulatedRmm
    subscriber: Subscriber
    lag: Lag
    clock: Clock
    sent: list[Sent] = field(default_factory=list)
    polls: dict[str, list[datetime]] = field(default_factory=dict)
    behind: int | None = None
    after: Closing | None = None
    machine: Machine | None = None
    afternoon: Afternoon | None = None
    agreement: Agreement | None = None

    def counts(self) -> Counts:
        """Return how far things are."""
        seen = self.subscriber.seen
        return Counts(
            planned=len(self.plan.deliveries),
            sent=len(self.sent),
            accepted=sum(each.is_accepted for each in self.sent),
            events=len(seen.events),
            tickets=len(seen.tickets),
            dead_letters=len(seen.letters),
            lag=self.behind,
        )


async def run(
    plan: Plan, settings: Mapping[str, str], *, patchline: CommandLine, send_seconds: float, display: Display
) -> Outcome:
    """Play the day against the stack that `settings` describe, and return what came of it."""
    async with staged(plan, settings, display) as stage:
        began_at, secrets = await registered(stage, patchline)
        await morning_and_night(stage, began_at)
        await asyncio.to_thread(hear, patchline, settings)
        await _webhooks(stage, secrets, send_seconds)
        await asyncio.gather(evening(stage), last_look(stage), _own_machine(stage, patchline))
        await quiet(stage)
        if (after := closing(plan)) is not None:
            await too_early(stage, after, secrets)
        table = await _agreed(stage, patchline)
        await _breach(stage, patchline)
        await table.look()
        await quiet(stage)
        if stage.machine is not None and not stage.machine.hindrance:
            stage.machine = await asyncio.to_thread(real_agent.known, patchline)
    display.step("Compare everything with the simulator's ledger")
    return await outcome(stage)


@contextlib.asynccontextmanager
async def staged(plan: Plan, settings: Mapping[str, str], display: Display) -> AsyncIterator[Stage]:
    """Set the stage: read the topics and count for as long as the block lasts."""
    kafka, rmm_url = settings["PATCHLINE_KAFKA"], settings["PATCHLINE_SIMULATED_RMM_URL"]
    stopping = asyncio.Event()
    async with httpx.AsyncClient(base_url=rmm_url, timeout=30, trust_env=False) as client, Lag(kafka) as lag:
        clock = moved_clock(float(settings["PATCHLINE_CLOCK_OFFSET_SECONDS"]))
        stage = Stage(settings, plan, display, SimulatedRmm(client), Subscriber(kafka, evidence(settings)), lag, clock)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stage.subscriber.run(stopping))
            counting = tasks.create_task(_count(stage))
            try:
                yield stage
            finally:
                stopping.set()
                counting.cancel()


async def _count(stage: Stage) -> None:
    loop, asked_at = asyncio.get_running_loop(), 0.0
    while True:
        if loop.time() - asked_at >= LAG_EVERY_SECONDS:
            stage.behind = await stage.lag.records()
            asked_at = loop.time()
        stage.display.count(stage.counts())
        await asyncio.sleep(COUNT_EVERY_SECONDS)


async def registered(stage: Stage, patchline: CommandLine) -> tuple[datetime, dict[str, str]]:
    """Begin the day and register; return when the day began, and the sources' secrets."""
    stage.display.step("Load the catalog; add clients, sources, and whose devices are whose")
    day = stage.plan.day
    await stage.rmm.play(seed=day.seed, devices=len(day.devices), moment=MORNING)
    began_at = stage.clock()
    home, rmm_url = Path(stage.settings["PATCHLINE_HOME"]), stage.settings["PATCHLINE_SIMULATED_RMM_URL"]
    await asyncio.to_thread(psa.add_companies, stage.settings, [client.name for client in CLIENTS])
    return began_at, await asyncio.to_thread(register, patchline, home=home, simulated_rmm=rmm_url)


async def morning_and_night(stage: Stage, began_at: datetime) -> None:
    """Let the RMMs be polled twice, at the day's first two moments; after that one instance is silent."""
    stage.display.step("Poll the RMMs: on Patch Tuesday's morning, and on the night after the release")
    await polled(stage, MORNING, EVERY, since=began_at)
    await stage.rmm.set(NINJAONE_MAIN.name, mood="busy")
    await polled(stage, NIGHT, EVERY, since=await moved(stage, NIGHT, EVERY))
    await stage.rmm.set(NINJAONE_MAIN.name, mood="usual")
    await stage.rmm.set(NINJAONE_BRANCH.name, mood="silent")


async def moved(stage: Stage, moment: datetime, sources: Sequence[Source]) -> datetime:
    """Move the RMM to `moment` of the day; return when that was done."""
    for source in sources:
        await stage.rmm.set(source.name, moment=moment.isoformat())
    return stage.clock()


async def polled(stage: Stage, moment: datetime, sources: Sequence[Source], *, since: datetime) -> None:
    """Wait until a poll that began after `since` was kept: only such a poll has seen `moment` and nothing else."""
    names = [source.full_name for source in sources]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LONGEST_POLL_WAIT_SECONDS
    while loop.time() < deadline:
        if await database.have_polled(stage.settings, names, since):
            for name in names:
                stage.polls.setdefault(name, []).append(moment)
            return
        await asyncio.sleep(0.5)
    stage.display.say(f"no poll of {' and '.join(names)} after {LONGEST_POLL_WAIT_SECONDS:.0f} s")


async def _webhooks(stage: Stage, secrets: Mapping[str, str], seconds: float) -> None:
    stage.display.step(f"Send {len(stage.plan.deliveries)} webhooks, with the ordinary dirt among them")
    async with httpx.AsyncClient(base_url=stage.settings["PATCHLINE_GATEWAY_URL"], trust_env=False) as client:
        sender = Sender(client, secrets, stage.clock)
        await sender.send_all(stage.plan.deliveries, seconds=seconds, on_sent=stage.sent.append)


async def evening(stage: Stage) -> None:
    """Let NinjaOne be polled at the day's last moment: then it shows what the day came to."""
    stage.display.step("Poll the RMMs in the evening; one of NinjaOne's instances answers no more")
    main = (NINJAONE_MAIN,)
    await polled(stage, EVENING, main, since=await moved(stage, EVENING, main))


async def last_look(stage: Stage) -> None:
    """Let Datto be polled after its alerts: it shows all of them, those too whose webhooks were lost.

    A webhook that took more than five minutes counts as another attempt: so this is for deliveries that were quick.
    """
    clinic = (DATTO_CLINIC,)
    await polled(stage, LAST_LOOK, clinic, since=await moved(stage, LAST_LOOK, clinic))


async def _own_machine(stage: Stage, patchline: CommandLine) -> None:
    """Let a real agent, where one is installed, report this machine."""
    stage.machine = Machine(hindrance=real_agent.hindrance())
    if stage.machine.hindrance:
        return
    stage.display.step("Run a real inventory agent: it reports this machine")
    login = await asyncio.to_thread(real_agent.register, patchline, stage.settings)
    if failed := await real_agent.report(login):
        stage.display.say(f"the real agent: {failed}")


async def too_early(stage: Stage, after: Closing, secrets: Mapping[str, str]) -> None:
    """Let a technician close a ticket by hand; then let one of its devices fail again."""
    stage.display.step(f"A technician closes a ticket by hand in {TITLE[psa.kind_of(stage.settings)]}, too early")
    number = await closed_by_hand(stage.settings, after.key, stage.subscriber.seen)
    if number is None:
        stage.display.say(f"ticket {after.key} is not known to be closed by a person")
    stage.plan, stage.after = with_failure(stage.plan, after), after
    async with httpx.AsyncClient(base_url=stage.settings["PATCHLINE_GATEWAY_URL"], trust_env=False) as client:
        sender = Sender(client, secrets, stage.clock)
        await sender.send_all([after.failure], seconds=0, on_sent=stage.sent.append)


async def _agreed(stage: Stage, patchline: CommandLine) -> Table:
    """Apply a client's policy, and let the owner except one machine for a minute; what ends is looked at later."""
    stage.display.step(f"The policy of {CLIENT}: lint it, apply it, except one machine until a hard end")
    stage.agreement = Agreement()
    table = Table(stage.agreement, stage.settings, patchline, stage.clock)
    await table.agree()
    return table


async def _breach(stage: Stage, patchline: CommandLine) -> None:
    """Let feeds find the clients' credentials, and people decide about those that a machine must not."""
    the_breach = breach(seed=stage.plan.day.seed)
    stage.display.step(
        f"An afternoon with a breach: {len(the_breach.exposures)} exposed credentials, and a forged flood"
    )
    scene = Scene(Afternoon(breach=the_breach), stage.settings, patchline, stage.clock)
    stage.afternoon = await afternoon.play(scene)


async def quiet(stage: Stage) -> None:
    """Wait until nothing is written any more and nothing waits, at most `LONGEST_QUIET_WAIT_SECONDS`."""
    stage.display.step("Wait until all is quiet")
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LONGEST_QUIET_WAIT_SECONDS
    while loop.time() < deadline:
        if loop.time() - stage.subscriber.read_at >= QUIET_SECONDS and not await _is_waiting(stage):
            return
        await asyncio.sleep(0.5)
    stage.display.say(f"not quiet after {LONGEST_QUIET_WAIT_SECONDS:.0f} s: compared as it is")


async def _is_waiting(stage: Stage) -> bool:
    """Return whether a record is not handled yet, or an act at the tracker not done."""
    return await stage.lag.records() != 0 or await database.unfinished(stage.settings, _TENANTS) != 0


async def outcome(stage: Stage) -> Outcome:
    """Read everything that came of what was sent and polled so far, and judge it by the ledger."""
    settings = stage.settings
    issues = await psa.issues(settings)
    everything = Found(
        sent=stage.sent,
        seen=stage.subscriber.seen,
        stored=await database.stored(settings, _TENANTS),
        issues=[issue for issue in issues if _is_of_the_day(issue)],
    )
    found = real_agent.the_day(everything)
    others = [] if stage.machine is None else real_agent.judged(stage.machine)
    if stage.afternoon is not None:
        others += afternoon_judgement.judged(stage.afternoon, issues)
    polls: Polls = stage.polls
    accepted = [each.delivery for each in stage.sent if each.is_accepted]
    book = ledger(stage.plan, accepted, polls, NOW, after=None if stage.after is None else stage.after.happening)
    if stage.agreement is not None:
        own = [issue for issue in issues if agreement_judgement.is_of_the_agreement(issue)]
        others += agreement_judgement.judged(stage.agreement, book, own)
    return Outcome(
        seed=stage.plan.day.seed,
        devices=len(stage.plan.day.devices),
        desk=TITLE[psa.kind_of(settings)],
        desk_url=settings["PATCHLINE_TRACKER_URL"],
        ledger=book,
        found=found,
        checks=[*judged(book, found), closures(book, found.seen), await audited(settings, stage.clock()), *others],
        machine=stage.machine,
        afternoon=stage.afternoon,
        agreement=stage.agreement,
    )


def _is_of_the_day(issue: Issue) -> bool:
    return not (afternoon_judgement.is_of_the_afternoon(issue) or agreement_judgement.is_of_the_agreement(issue))
