"""Ugly deliveries at every door of the running product, while a day's own come in; and ugly bodies at every decoder."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from faults.input import corpus
from faults.input.cases import near
from faults.input.decoders import MIB
from faults.input.doors import Way, registered
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.world import World

AT_ONCE: Final = 4
BELIEVED_SECONDS: Final = 3.0
ANSWER_SECONDS: Final = 15.0
LOAD_SECONDS: Final = 15.0
DECODERS_SECONDS: Final = 420.0
GROWN_MIB: Final = 300
"""How much more than before a process of the gateway may hold: a bomb, or bodies kept by mistake, are more."""

WATCHED: Final = ("gateway-accept", "gateway-translate")


@dataclass(slots=True)
class Knocks:
    """What the doors answered, by status; and what was no answer, or one that blames us."""

    answered: int = 0
    slowest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


async def injure(world: World) -> Sequence[Injured]:
    """Knock at every door, judge what became of the day meanwhile; then try every decoder in a process of its own."""
    return [await _at_the_doors(world), await _at_the_decoders(world)]


async def _at_the_doors(world: World) -> Injured:
    desk = await world.desk_at_work()
    ways = await asyncio.to_thread(registered, world.stack.home / "secrets" / "approval.key")
    await asyncio.sleep(BELIEVED_SECONDS)
    deaths, before = len(world.supervisor.deaths), _held_mib(world)
    async with load(world, desk, LOAD_SECONDS):
        knocks = await _knocked(world, ways)
        recovered = await until_all_work(world)
    judgement = await world.judged()
    wrong = [*knocks.wrong, *(f"{death.program} ended" for death in world.supervisor.deaths[deaths:])]
    for name, mib in _held_mib(world).items():
        world.say(f"{name} held {before[name]} MiB, and {mib} MiB at most since")
        if mib - before[name] > GROWN_MIB:
            wrong.append(f"{name} grew by {mib - before[name]} MiB")
    for line in wrong[:20]:
        world.say(line[:300])
    world.say(f"{knocks.answered} knocks at {len(ways)} ways in, the slowest took {knocks.slowest_s:.1f} s")
    return Injured(
        fault=world.size.marked("ugly bodies at every door"),
        injected=knocks.answered,
        recovered_s=round(recovered, 1),
        lost=judgement.lost,
        doubled=judgement.doubled,
        wrong=judgement.wrong + len(wrong),
    )


async def _knocked(world: World, ways: Sequence[Way]) -> Knocks:
    knocks, turns = Knocks(), asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(
        base_url=world.stack.around.gateway_url, trust_env=False, timeout=ANSWER_SECONDS
    ) as client:

        async def one(number: int, way: Way, name: str, body: bytes) -> None:
            async with turns:
                await _knock(client, way, body, number=number, name=name, world=world, knocks=knocks)

        async with asyncio.TaskGroup() as tasks:
            for number, (way, name, body) in enumerate(_each(ways, world)):
                tasks.create_task(one(number, way, name, body))
    return knocks


def _each(ways: Sequence[Way], world: World) -> Iterator[tuple[Way, str, bytes]]:
    bodies = {**corpus.bodies(MIB), "too large": b"x" * (2 * MIB)}
    for way in ways:
        if way.method == "POST":
            yield from ((way, name, body) for name, body in bodies.items())
        amount = world.size.of(quick=6, ordinary=15, full=40)
        yield from ((way, "nearly right", body) for body in drawn(way.seeds, amount, world.rng.getrandbits(32)))


async def _knock(  # noqa: PLR0913 - who knocks where, with what, and who writes it down
    client: httpx.AsyncClient, way: Way, body: bytes, *, number: int, name: str, world: World, knocks: Knocks
) -> None:
    headers = {"content-type": "application/json", **way.prove(body, number, world.stage.clock())}
    began = time.monotonic()
    try:
        answer = await client.request(way.method, way.path, content=body, headers=headers)
    except httpx.WriteError:
        return  # refused before all of it was sent, as a body that is too large is
    except httpx.TransportError as error:
        knocks.wrong.append(f"{way.method} {way.path[:60]}, {name}: {type(error).__name__}: {body[:100]!r}")
        return
    knocks.answered += 1
    knocks.slowest_s = max(knocks.slowest_s, time.monotonic() - began)
    if answer.status_code >= 500:
        knocks.wrong.append(f"{way.method} {way.path[:60]}, {name}: {answer.status_code}: {body[:100]!r}")


def drawn(seeds: Sequence[bytes], amount: int, number: int) -> list[bytes]:
    """Return so many bodies that are nearly right; the same `number`, the same bodies."""
    found: list[bytes] = []

    @settings(
        max_examples=amount,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(number)
    @given(body=near(seeds) if any(seeds) else st.just(b""))
    def take(body: bytes) -> None:
        found.append(body)

    take()
    return found


def _held_mib(world: World) -> dict[str, int]:
    """Return the most memory that each process of the gateway held since its start, in MiB."""
    held = {}
    for name in WATCHED:
        status = Path(f"/proc/{world.stack.children[name].pid}/status").read_text()
        [line] = [each for each in status.splitlines() if each.startswith("VmHWM:")]
        held[name] = int(line.split()[1]) // 1024
    return held


async def _at_the_decoders(world: World) -> Injured:
    cases = world.size.of(quick=3, ordinary=4, full=12)
    words = ("-m", "faults.input.trial", "--seed", str(world.rng.getrandbits(16)), "--cases", str(cases))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=pipe)
    try:
        async with asyncio.timeout(DECODERS_SECONDS):
            printed, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        await child.wait()
        world.say(f"the decoders took longer than {DECODERS_SECONDS:.0f} s")
        return Injured(fault="ugly bodies at every decoder", injected=1, recovered_s=DECODERS_SECONDS, wrong=1)
    told: dict[str, Any] = (
        json.loads(printed) if printed else {"cases": 1, "wrong": ["it died"], "wrongs": 1, "slowest_s": 0}
    )
    for line in told["wrong"][:20]:
        world.say(line[:300])
    return Injured(
        fault=world.size.marked("ugly bodies at every decoder"),
        injected=told["cases"],
        recovered_s=round(told["slowest_s"], 1),
        wrong=told["wrongs"],
    )
