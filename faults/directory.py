"""Identity providers misbehave while a breach is under way: every password is made invalid once, and no other.

Feeds find sixty credentials in waves. While a wave is worked on, the directories answer in one wrong way, and in the
end not at all for an hour of the service's clock. What was really done to whom is told by the directories themselves.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from typer.main import get_command

from faults.between import restarted
from faults.clocks import HOUR, OFFSET
from faults.outside import WAYS, Way
from faults.report import Injured
from faults.world import World
from patchline.demo import afternoon_judgement, psa
from patchline.demo.afternoon import LONGEST_CASES_SECONDS, LONGEST_SYNC_SECONDS, Afternoon, Scene
from patchline.demo.tracker import Issue
from patchline.main import app
from simulators.breach import Breach, Fate, breach
from simulators.breach_wire import deliveries
from simulators.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from simulators.sender import Sender

SIMULATORS: Final = "PATCHLINE_SIMULATED_RMM_URL"
SETTINGS: Final = {"PATCHLINE_STEP_SECONDS": "5"}
PROGRAM: Final = "credentials"
LONGEST_WAVE_SECONDS: Final = 90.0
REPEATS_AFTER_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.5
RESTS: Final = frozenset({Fate.RESET, Fate.REMEDIATED})
"""What the service brings to its end alone; all else waits for people."""

AWAY: Final = Way(says="is away for an hour of our clock", writes={}, all={Fault.LOSE_REQUEST: 1.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """A part of the breach, the way in which directories behave meanwhile, and what came of it."""

    way: Way
    part: Breach
    injected: int
    recovered: float
    sent: Afternoon


async def injure(world: World) -> Sequence[Injured]:
    """Play a breach in waves, one for each way in which directories misbehave; then let people decide, and judge."""
    whole = breach(seed=1)
    ways = [*WAYS, AWAY]
    await world.desk_at_work()
    async with faulty_proxy(urlsplit(world.stage.settings[SIMULATORS]).port or 80) as proxy:
        settings = {**world.stage.settings, SIMULATORS: proxy.url.rstrip("/")}
        scene = Scene(Afternoon(breach=whole), settings, get_command(app), world.stage.clock)
        await restarted(world, {PROGRAM: SETTINGS})
        await asyncio.to_thread(scene.register)
        await scene.until(scene.are_read, LONGEST_SYNC_SECONDS, "the directories were not read in time")
        parts = zip(ways, parted(whole, len(ways)), strict=True)
        waves = [await _wave(world, scene, proxy, way=way, part=part, number=n) for n, (way, part) in enumerate(parts)]
        await restarted(world, {PROGRAM: SETTINGS})
        await scene.until(scene.is_asked, LONGEST_CASES_SECONDS, "people were not asked in time")
        await asyncio.to_thread(scene.decide)
        await scene.until(scene.stands_still, LONGEST_CASES_SECONDS, "the cases did not come to rest in time")
        judgement = await world.judged()
        await scene.look()
        await restarted(world, {PROGRAM: {}})
    rows = _rows(world, scene.afternoon, waves, await psa.issues(world.stage.settings))
    last = rows[-1]
    day = replace(
        last,
        lost=last.lost + judgement.lost,
        doubled=last.doubled + judgement.doubled,
        wrong=last.wrong + judgement.wrong,
    )
    return [*rows[:-1], day]


def parted(whole: Breach, count: int) -> list[Breach]:
    """Return the breach in so many parts, each with something of every fate that is common enough."""
    logins = sorted(whole.fates, key=lambda login: (whole.fates[login], login))
    parts = []
    for number in range(count):
        own = {login: whole.fates[login] for login in logins[number::count]}
        exposures = tuple(each for each in whole.exposures if each.login in own)
        parts.append(Breach(people=whole.people, exposures=exposures, fates=own))
    return parts


async def _wave(world: World, scene: Scene, proxy: FaultyProxy, *, way: Way, part: Breach, number: int) -> Wave:
    """Report a part of the breach while directories misbehave for a while; wait until what needs nobody is done."""
    seconds = world.size.of(quick=4.0, ordinary=5.0, full=25.0)
    world.say(f"identity providers: {way.says}, {len(part.fates)} accounts, {seconds:.0f} s")
    before, sent = len(proxy.faults.injected), Afternoon(breach=part)
    way.begin(world, proxy)
    await _report(world, scene, sent, number)
    if way is AWAY:
        moved = {OFFSET: str(world.stack.around.clock_offset_seconds + HOUR)}
        await restarted(world, {PROGRAM: SETTINGS | moved})
    await asyncio.sleep(seconds)
    proxy.faults.stop()
    injected, started = len(proxy.faults.injected) - before, time.monotonic()
    await scene.until(lambda: _rests(scene, part), LONGEST_WAVE_SECONDS, f"{way.says}: its cases did not rest in time")
    return Wave(way=way, part=part, injected=injected, recovered=time.monotonic() - started, sent=sent)


async def _report(world: World, scene: Scene, sent: Afternoon, number: int) -> None:
    """Deliver what the feeds found of one part, the repeats of other feeds last; ids differ from wave to wave."""
    sender = Sender(world.client, scene.secrets, world.stage.clock)
    told = [replace(each, delivery_id=f"{each.delivery_id}_{number}") for each in deliveries(sent.breach)]
    again = [each for each in told if "again" in each.name]
    for wave in ([each for each in told if each not in again], again):
        await sender.send_all(wave, seconds=1, on_sent=sent.sent.append)
        await asyncio.sleep(REPEATS_AFTER_SECONDS)


async def _rests(scene: Scene, part: Breach) -> bool:
    rows = await scene.cases()
    over = {row["login"] for row in rows if row["state"] == "closed"}
    return over >= {login for login, fate in part.fates.items() if fate in RESTS}


def _rows(world: World, after: Afternoon, waves: Sequence[Wave], issues: Sequence[Issue]) -> list[Injured]:
    """Return a row for each wave, judged by its own part; the first has also what belongs to no part."""
    rows = []
    for wave in waves:
        checks = afternoon_judgement.judged(of_part(after, wave.sent, with_strangers=wave is waves[0]), issues)
        for check in checks:
            for example in check.examples if not check.is_good else ():
                world.say(f"{wave.way.says}: {check.name}: {example}")
        rows.append(
            Injured(
                fault=world.size.marked(f"identity provider {wave.way.says}"),
                injected=wave.injected,
                recovered_s=round(wave.recovered, 1),
                lost=sum(each.lost for each in checks),
                doubled=sum(each.doubled for each in checks),
                wrong=sum(each.wrong for each in checks),
            )
        )
    return rows


def of_part(after: Afternoon, sent: Afternoon, *, with_strangers: bool) -> Afternoon:
    """Return what came of one part; with strangers also what was done to accounts of which no feed spoke."""
    own = sent.breach.fates.keys()
    others = after.breach.fates.keys() - own

    def belongs(login: str) -> bool:
        return login in own or (with_strangers and login not in others)

    return Afternoon(
        breach=sent.breach,
        sent=sent.sent,
        cases=[each for each in after.cases if belongs(each["login"])],
        steps={login: rows for login, rows in after.steps.items() if belongs(login)},
        deeds=[each for each in after.deeds if belongs(each.login)],
        notices=after.notices,
        late=after.late if with_strangers else "",
    )
