"""Bodies of a hundred events: from the first webhook to the last canonical event on its topic, by the whole gateway.

The floor decodes the same bytes as JSON and produces the same records, read back from the topic, by bare aiokafka: no
HTTP, no signature, no sealing, no adapter, no database. It is told and nothing is promised: the promise is the door's
(`door`), and here each event is also made, recognised, owned, and kept with the batch that it came from. Services that
the gateway does not need are down meanwhile.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from aiokafka import AIOKafkaConsumer
from pydantic_core import from_json

from bench.measured import resident_mib
from bench.reading import LONGEST_SECONDS, ends, read_back, reading
from bench.relay import produced
from bench.report import Figure, at_most, beside, summary
from bench.sender import CLIENT, PATH, Sender, register
from contracts import topics
from patchline.stack.programs import PROGRAMS
from patchline.stack.stack import STOP_SECONDS, Stack

EVENTS_IN_A_BODY: Final = 100
BODIES: Final = 100
SENDERS: Final = 4
POLL_SECONDS: Final = 0.01
SETTLE_SECONDS: Final = 0.5
NEEDED: Final = ("gateway-accept", "gateway-translate")
ARRIVE_AT: Final = topics.RMM_EVENTS
FLOOR_TOPIC: Final = topics.RMM_EVENTS.dead_letters
"""Nobody reads it in such a run, so the floor's records disturb nothing."""


async def bodies_stage(stack: Stack, *, rounds: int) -> list[Figure]:
    """Return events per second of the gateway beside the floor, and what its processes weigh after all of them."""
    async with delivering(stack, NEEDED) as (sender, reader):
        await delivered(sender, reader, bodies(0))
        early = _resident(stack)
        pairs = [await _round(stack, sender, reader, bodies(number + 1)) for number in range(rounds)]
        late = _resident(stack)
    measured = {"unit": "events/s", **summary(pairs)}
    first, many = (f"{each * BODIES * EVENTS_IN_A_BODY:,}" for each in (1, rounds + 1))
    return [
        beside(f"gateway: bodies of {EVENTS_IN_A_BODY} events, webhook to canonical events", measured),
        *(at_most(f"{name}: resident memory after {many} events", late[name], "MiB", 200) for name in NEEDED),
        *(
            Figure(
                stage=f"{name}: growth from {first} to {many} events",
                value=round(late[name] - early[name], 1),
                unit="MiB",
            )
            for name in NEEDED
        ),
    ]


def bodies(number: int) -> list[bytes]:
    """Return the bodies of one round: each event is of another device, and new."""
    begin = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)
    events = [_event(each, begin + timedelta(milliseconds=each)) for each in range(BODIES * EVENTS_IN_A_BODY)]
    return [
        json.dumps({"events": events[start : start + EVENTS_IN_A_BODY]}).encode()
        for start in range(0, len(events), EVENTS_IN_A_BODY)
    ]


def _event(device: int, at: datetime) -> dict[str, object]:
    told: dict[str, object] = {"device": f"body-{device:06}", "organisation": CLIENT}
    moment = at.isoformat()
    if device % 3 == 0:
        return {"type": "device.updated", "timestamp": moment, "data": {**told, "facts": {"location": f"rack {at}"}}}
    patch = {"patch": f"p-{device % 400}", "severity": "critical"}
    return {"type": "patch.detected", "timestamp": moment, "data": {**told, "patch": patch, "scanned_at": moment}}


async def _round(stack: Stack, sender: Sender, reader: AIOKafkaConsumer, sent: Sequence[bytes]) -> tuple[float, float]:
    """Return events per second of the gateway and of the floor, for the same events."""
    before = await ends(reader, ARRIVE_AT)
    events = len(sent) * EVENTS_IN_A_BODY
    took = await delivered(sender, reader, sent)
    records = await read_back(reader, before, events)
    started_at = time.perf_counter()
    for body in sent:
        from_json(body)
    decoded = time.perf_counter() - started_at
    return events / took, events / (decoded + await produced(stack.around.kafka, FLOOR_TOPIC, records))


async def delivered(sender: Sender, reader: AIOKafkaConsumer, sent: Sequence[bytes]) -> float:
    """Send the bodies and return the seconds until the last of their events has arrived."""
    awaited = sum((await ends(reader, ARRIVE_AT)).values()) + len(sent) * EVENTS_IN_A_BODY
    started_at, left = time.perf_counter(), iter(sent)
    await asyncio.gather(*(_send(sender, left) for _ in range(SENDERS)))
    async with asyncio.timeout(LONGEST_SECONDS):
        while sum((await ends(reader, ARRIVE_AT)).values()) < awaited:
            await asyncio.sleep(POLL_SECONDS)
    return time.perf_counter() - started_at


async def _send(sender: Sender, left: Iterator[bytes]) -> None:
    for body in left:
        (await sender.post(PATH, body)).raise_for_status()


async def _settled(reader: AIOKafkaConsumer) -> None:
    """Wait until nothing more arrives of what was sent before."""
    async with asyncio.timeout(LONGEST_SECONDS):
        before = await ends(reader, ARRIVE_AT)
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            now = await ends(reader, ARRIVE_AT)
            if now == before:
                return
            before = now


def _resident(stack: Stack) -> dict[str, float]:
    """Return how much memory the gateway's processes have in use, in MiB, by their names."""
    return {name: resident_mib(pid) for name in NEEDED if (pid := stack.children[name].pid) is not None}


@asynccontextmanager
async def delivering(stack: Stack, needed: Collection[str]) -> AsyncIterator[tuple[Sender, AIOKafkaConsumer]]:
    """Yield what sends to the gateway, and what sees events arrive; services not `needed` are down meanwhile."""
    secret = await asyncio.to_thread(register, stack.home)
    idle = [each for each in PROGRAMS if each.name not in needed]
    for program in idle:
        await asyncio.to_thread(stack.children[program.name].stop, timeout_seconds=STOP_SECONDS)
    limits = httpx.Limits(max_connections=SENDERS)
    async with (
        reading(stack.around.kafka) as reader,
        httpx.AsyncClient(base_url=stack.around.gateway_url, trust_env=False, timeout=30, limits=limits) as client,
    ):
        sender = Sender(client, secret)
        await sender.until_believed()
        await _settled(reader)
        yield sender, reader
    for program in idle:
        await asyncio.to_thread(stack.start_program, program)
    for program in idle:
        await asyncio.to_thread(stack.wait_ready, program)
