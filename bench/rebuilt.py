"""Inventory made again from the raw topics, beside what its service folds at rest of the same deliveries' events.

The service's rate is from its first commit to the end of a backlog that waited for it; then all that the raw topics
hold is opened, translated, folded into a shadow schema and compared, and nothing is swapped.
"""

import asyncio
import json
import time
from typing import Any, Final

from bench.bodies import BODIES, EVENTS_IN_A_BODY, bodies, delivered, delivering
from bench.measured import LONGEST_SECONDS, POLL_SECONDS, connected
from bench.report import Figure, at_least, summary
from bench.sender import run_patchline
from chassis.postgres import Connection
from patchline.stack.programs import PROGRAMS
from patchline.stack.stack import STOP_SECONDS, Stack
from services.inventory.app import GROUP

REACH: Final = 0.5
FIRST: Final = 1_000
"""The number of the first round of bodies: no other stage sends it."""

NEEDED: Final = ("gateway-accept", "gateway-translate", "inventory")
[INVENTORY] = [each for each in PROGRAMS if each.name == "inventory"]
WHERE: Final = "SELECT coalesce(sum(next_offset), 0)::bigint FROM inventory.watermark WHERE consumer_group = $1"


async def rebuilt_stage(stack: Stack, *, rounds: int) -> list[Figure]:
    """Return events per second of a rebuild, beside those of the service; `rounds` say how much is delivered before.

    Raises:
        RuntimeError: what was rebuilt differs from what the service made.
    """
    async with delivering(stack, NEEDED) as (sender, reader), connected(stack.around.database) as admin:
        await _folded(admin)
        await asyncio.to_thread(stack.children[INVENTORY.name].stop, timeout_seconds=STOP_SECONDS)
        for number in range(rounds):
            await delivered(sender, reader, bodies(FIRST + number))
        rate = await _rate(stack, admin, rounds * BODIES * EVENTS_IN_A_BODY)
        told = await asyncio.to_thread(run_patchline, stack.home, "rebuild", "inventory", "--compare-only", "--json")
    report: dict[str, Any] = json.loads(told)
    if not report["is_equal"]:
        raise RuntimeError(f"{report['differences']} rows of the rebuilt inventory differ")
    events = report["counts"]["events"]
    measured = {"unit": "events/s", **summary([(events / report["build_seconds"], rate)])}
    return [at_least(f"rebuild of inventory from rmm.raw, {events:,} events", measured, REACH)]


async def _folded(admin: Connection) -> None:
    """Wait until the service has nothing left of what came before."""
    before = await admin.fetchval(WHERE, GROUP)
    while True:
        await asyncio.sleep(1)
        now = await admin.fetchval(WHERE, GROUP)
        if now == before:
            return
        before = now


async def _rate(stack: Stack, admin: Connection, events: int) -> float:
    """Start the service on its backlog and return its events per second, from its first commit to the last."""
    before = await admin.fetchval(WHERE, GROUP)
    await asyncio.to_thread(stack.start_program, INVENTORY)
    first_at, first = 0.0, 0
    async with asyncio.timeout(LONGEST_SECONDS):
        while (done := await admin.fetchval(WHERE, GROUP) - before) < events:
            if done and not first:
                first_at, first = time.perf_counter(), done
            await asyncio.sleep(POLL_SECONDS)
    return (events - first) / (time.perf_counter() - first_at) if first else float("inf")
