"""Which stages there are, and what each needs: the bare parts, or the whole product."""

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Final

import uvloop

from bench.accept import accept_stage
from bench.bodies import bodies_stage
from bench.environment import noted
from bench.lanes import lanes_stage
from bench.measured import Place, made_ready, parts_in, writer_dsn
from bench.obliged import obliged_stage
from bench.plan import Plan
from bench.rebuilt import rebuilt_stage
from bench.relay import relay_stage
from bench.report import Figure, at_least, at_most, marked
from bench.start import start_stage
from bench.state import EVENTS, state_stage
from bench.thread import thread_stage
from patchline.local import Say, place
from patchline.local.parts import LocalParts, started
from patchline.local.psa import Psa
from patchline.stack.stack import Stack, StackSettings
from patchline.stack.stack import started as started_stack

IN_PARTS: Final = ("accept", "relay", "state", "obliged")
IN_PRODUCT: Final = ("thread", "bodies", "rebuilt", "start")
STAGES: Final = (*IN_PARTS, *IN_PRODUCT, "lanes")
ACCEPT_REACH: Final = 0.35
RELAY_REACH: Final = 0.7
STATE_REACH: Final = 0.25
OBLIGED_REACH: Final = 0.2


class Turn:
    """Which stages have their turn: those that are wanted, for as long as the plan lets one begin."""

    def __init__(self, plan: Plan, wanted: Sequence[str], say: Say) -> None:
        """Begin now."""
        self.wanted = wanted
        self.say = say
        self._latest_at = time.monotonic() + plan.latest_seconds

    def has(self, stage: str) -> bool:
        """Return whether a stage may begin; tell of one that is wanted and comes too late."""
        if stage not in self.wanted:
            return False
        if time.monotonic() > self._latest_at:
            self.say(f"stage: {stage} is left out: no time")
            return False
        return True


def measured(plan: Plan, only: str | None, say: Say) -> list[Figure]:
    """Run all stages, or the only one, and return their rows.

    Raises:
        PartUnavailable: something cannot run here; the message says what to do.
    """
    turn = Turn(plan, STAGES if only is None else (only,), say)
    figures: list[Figure] = []
    if in_parts := [each for each in IN_PARTS if each in turn.wanted]:
        with place.throwaway_home() as home, started(parts_in(home, psa=None), say) as parts:
            figures += uvloop.run(_in_parts(parts, in_parts, plan, turn))
    if any(turn.has(each) for each in IN_PRODUCT):
        with place.throwaway_home() as home, started_stack(_stack_settings(home), say) as stack:
            figures += _in_product(stack, plan, turn)
    if plan.lanes is not None and turn.has("lanes"):
        with place.throwaway_home() as home, started_stack(_stack_settings(home), say) as stack:
            say(f"stage: lanes (live failure to ticket, alone and beside a resync of {plan.lanes.events:,} events)")
            figures += asyncio.run(lanes_stage(stack, plan.lanes))
    return marked(figures, plan.note)


async def _in_parts(parts: LocalParts, wanted: Sequence[str], plan: Plan, turn: Turn) -> list[Figure]:
    """Run stages one after the other in one Kafka and one PostgreSQL of their own."""
    await made_ready(parts)
    await noted(parts.database_url)
    figures: list[Figure] = []
    for name in filter(turn.has, wanted):
        match name:
            case "accept":
                turn.say("stage: accept (bare ASGI app on the same server is the floor)")
                figures += await _accept(parts, plan)
            case "relay":
                turn.say("stage: relay (bare aiokafka producing the same records is the floor)")
                figures += await _relay(parts, plan)
            case "state":
                turn.say("stage: state (bare unnest upsert of the same batches is the floor)")
                figures += await _state(parts, plan)
            case _:
                turn.say("stage: obliged (bare unnest upsert of the same obligations is the floor)")
                figures += await _obliged(parts, plan)
    return figures


async def _accept(parts: LocalParts, plan: Plan) -> list[Figure]:
    writer = writer_dsn(parts, "gateway")
    found = await accept_stage(
        kafka=parts.kafka_url, writer_dsn=writer, rounds=plan.rounds, seconds=plan.accept_seconds
    )
    return [at_least("accept: signed webhook to 202, acks=all, one process", found, ACCEPT_REACH)]


async def _relay(parts: LocalParts, plan: Plan) -> list[Figure]:
    found = await relay_stage(_place(parts, "inventory"), rounds=plan.rounds, records=plan.relay_records)
    return [at_least("relay: outbox to Kafka", found, RELAY_REACH)]


async def _state(parts: LocalParts, plan: Plan) -> list[Figure]:
    found = await state_stage(
        _place(parts, "inventory"), rounds=plan.rounds, events=plan.state_events, sustained=plan.sustained_events
    )
    figures = [
        at_least("state: Kafka to PostgreSQL, ordinary day", found["ordinary"], STATE_REACH),
        at_least("state: every event changes its asset", found["changing"], STATE_REACH),
    ]
    if (sizes := found["sustained"]) and plan.sustained_events:
        early, late = (float(str(sizes[name])) for name in ("early_mib", "late_mib"))
        many = f"{plan.sustained_events:,} events"
        figures.append(at_most(f"state: resident memory after {many}", late, "MiB", 200))
        figures.append(at_most(f"state: growth from {EVENTS:,} to {many}", late - early, "MiB", 20))
    return figures


async def _obliged(parts: LocalParts, plan: Plan) -> list[Figure]:
    where, devices = _place(parts, "compliance"), plan.obliged_devices
    found = await obliged_stage(where, rounds=plan.obliged_rounds, machines=plan.obliged_machines, devices=devices)
    name = f"compliance: events to obligations, {found['open']:,} in the table"
    return [at_least(name, found, OBLIGED_REACH)]


def _place(parts: LocalParts, schema: str) -> Place:
    return Place(kafka=parts.kafka_url, admin_dsn=parts.database_url, writer_dsn=writer_dsn(parts, schema))


def _in_product(stack: Stack, plan: Plan, turn: Turn) -> list[Figure]:
    figures: list[Figure] = []
    asyncio.run(noted(stack.around.database))
    if turn.has("thread"):
        turn.say("stage: thread (webhook to ticket, 50 events/s, 5 tickets/s)")
        figures += asyncio.run(thread_stage(stack, seconds=plan.thread_seconds))
    if turn.has("bodies"):
        turn.say("stage: bodies (decode of the same bytes, bare aiokafka producing the same records are the floor)")
        figures += asyncio.run(bodies_stage(stack, rounds=plan.bodies_rounds))
    if plan.rebuilt_rounds and turn.has("rebuilt"):
        turn.say("stage: rebuilt (inventory's own rate at rest is the floor)")
        figures += asyncio.run(rebuilt_stage(stack, rounds=plan.rebuilt_rounds))
    if turn.has("start"):
        turn.say("stage: start (each service again, from an empty process to ready)")
        figures += start_stage(stack, rounds=plan.start_rounds)
    return figures


def _stack_settings(home: "os.PathLike[str]") -> StackSettings:
    return StackSettings(parts=parts_in(home, psa=Psa.ROUNDUP), gateway_port=0, health_port=0, simulator_port=0)
