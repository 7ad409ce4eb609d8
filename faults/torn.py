"""Kafka killed, and started again on logs whose tails are torn: bytes that were written and never acknowledged."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.topics import BY_NAME
from faults import ours
from faults.desk import Desk
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.rows import Watch
from faults.world import World
from patchline.local.kafka import Kafka

AFTER_SECONDS: Final = 8.0
LOGS: Final = 12
ROUNDS: Final = 3
GARBAGE_BYTES: Final = 4096
_HEADER_BYTES: Final = 61
"""Of a batch of records. Source: Kafka, RecordBatch, "baseOffset" to "records"."""

_LENGTH_ENDS: Final = 12
_DELTA_AT: Final = 23


@dataclass(frozen=True, slots=True)
class Torn:
    """One log to whose end bytes were added that no broker wrote whole. `length` is where they begin."""

    path: Path
    length: int
    added: bytes

    @property
    def is_cut_off(self) -> bool:
        """Return whether they are gone: records may have been written in their place since."""
        content = self.path.read_bytes()
        return content[self.length : self.length + len(self.added)] != self.added


async def injure(world: World) -> Sequence[Injured]:
    """Kill Kafka in the middle of its work, tear logs, start it, and judge."""
    desk = await world.desk_at_work()
    return [await _torn(world, desk)]


async def _torn(world: World, desk: Desk) -> Injured:
    kafka = ours.kafka(world)
    watch, recovered = Watch(world), 0.0
    torn: list[Torn] = []
    left: list[Torn] = []
    rounds = world.size.of(quick=1, ordinary=1, full=ROUNDS)
    for _ in range(rounds):
        async with load(world, desk, AFTER_SECONDS):
            await asyncio.sleep(2)
            one = await asyncio.to_thread(_killed_and_torn, world, kafka)
            torn += one
            recovered = max(recovered, await until_all_work(world))
        left += [each for each in one if not each.is_cut_off]
    for each in left:
        world.say(f"{each.path.parent.name}: {len(each.added)} bytes of nobody are still in the log")
    return await watch.row(
        "Kafka killed, its logs' tails torn",
        injected=len(torn),
        recovered=recovered,
        wrong=len(left),
        runbook="Kafka is down",
    )


def _killed_and_torn(world: World, kafka: Kafka) -> list[Torn]:
    kafka.kill()
    logs = sorted(
        log
        for folder in (world.stack.home / "kafka" / "data").iterdir()
        if folder.name.rpartition("-")[0] in BY_NAME or folder.name.startswith("__consumer_offsets")
        for log in sorted(folder.glob("*.log"))[-1:]
        if log.stat().st_size
    )
    torn = [tear(log, world.rng) for log in world.rng.sample(logs, min(LOGS, len(logs)))]
    kafka.start(world.say)
    return torn


def tear(log: Path, rng: random.Random) -> Torn:
    """Add to a log what a broker leaves that dies while it writes: half a batch, one with a hole, or garbage."""
    content = log.read_bytes()
    last = last_batch(content)
    added = rng.choice((_half, _with_a_hole, _garbage))(last, rng)
    with log.open("ab") as file:
        file.write(added)
    return Torn(log, len(content), added)


def last_batch(content: bytes) -> bytes:
    """Return the last whole batch of a segment; empty: there is none."""
    at, last = 0, b""
    while at + _HEADER_BYTES <= len(content):
        end = at + _LENGTH_ENDS + int.from_bytes(content[at + 8 : at + _LENGTH_ENDS])
        if end > len(content):
            break
        at, last = end, content[at:end]
    return last


def _next(batch: bytes) -> bytes:
    """Return a batch as it would stand after itself: with the offsets that come next."""
    base = int.from_bytes(batch[:8]) + int.from_bytes(batch[_DELTA_AT : _DELTA_AT + 4]) + 1
    return base.to_bytes(8) + batch[8:]


def _half(batch: bytes, rng: random.Random) -> bytes:
    whole = _next(batch)
    return whole[: rng.randint(_HEADER_BYTES // 2, len(whole) - 1)]


def _with_a_hole(batch: bytes, rng: random.Random) -> bytes:
    """Return a batch of full length in which a sector was never written: its checksum does not fit."""
    whole = _next(batch)
    hole = rng.randint(_HEADER_BYTES, len(whole) - 1)
    return whole[:hole] + bytes(byte ^ 0xFF for byte in whole[hole:])


def _garbage(_batch: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(GARBAGE_BYTES)
