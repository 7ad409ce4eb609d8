"""The stages that need Kafka and PostgreSQL alone, each with a process of the product or a piece of it."""

from bench.accept import accept_stage
from bench.catch_up import catch_up_stage
from bench.fan_in import fan_in_stage
from bench.growth import growth_stage
from bench.measured import Place, writer_dsn
from bench.obliged import obliged_stage
from bench.plan import Plan
from bench.relay import relay_stage
from bench.report import Figure, and_at_least, at_least, beside
from bench.state import state_stage
from patchline.local.parts import LocalParts

RELAY_REACH = 0.7
STATE_REACH = 0.25
STATE_EVENTS = 10_000
STATE_FLOOR = 40_000
OBLIGED_REACH = 0.2


async def accept(parts: LocalParts, plan: Plan) -> list[Figure]:
    """Return the door's rows."""
    writer = writer_dsn(parts, "gateway")
    return await accept_stage(kafka=parts.kafka_url, writer_dsn=writer, rounds=plan.rounds, seconds=plan.accept_seconds)


async def relay(parts: LocalParts, plan: Plan) -> list[Figure]:
    """Return the outbox relay's rows: beside a bare `send` for each record, and beside bare batches."""
    found = await relay_stage(_place(parts, "inventory"), rounds=plan.rounds, records=plan.relay_records)
    return [
        at_least("relay: outbox to Kafka, beside aiokafka's send", found["each"], RELAY_REACH),
        beside("relay: outbox to Kafka, beside aiokafka's whole batches", found["whole"]),
    ]


async def state(parts: LocalParts, plan: Plan) -> list[Figure]:
    """Return inventory's rows, by load."""
    found = await state_stage(_place(parts, "inventory"), rounds=plan.rounds, events=plan.state_events)
    rows = [
        at_least("state: Kafka to PostgreSQL, ordinary day", found["ordinary"], STATE_REACH),
        at_least("state: every event changes its asset", found["changing"], STATE_REACH),
    ]
    return [and_at_least(each, STATE_EVENTS, where_floor=STATE_FLOOR) for each in rows]


async def fan_in(parts: LocalParts, plan: Plan) -> list[Figure]:
    """Return the row of two processes of one group."""
    return await fan_in_stage(_place(parts, "inventory"), rounds=plan.fan_in_rounds, events=plan.fan_in_events)


async def growth(parts: LocalParts, plan: Plan) -> list[Figure]:
    """Return the row of a large table beside a small one."""
    where = _place(parts, "inventory")
    return await growth_stage(where, assets=plan.growth_assets, rounds=plan.growth_rounds, events=plan.growth_events)


async def catch_up(parts: LocalParts, plan: Plan) -> list[Figure]:
    """Return the rows of a long backlog."""
    return await catch_up_stage(_place(parts, "inventory"), backlog=plan.backlog_events, events=plan.rest_events)


async def obliged(parts: LocalParts, plan: Plan) -> list[Figure]:
    """Return compliance's rows: one process, and two that share the partitions."""
    found = await obliged_stage(
        _place(parts, "compliance"),
        rounds=plan.obliged_rounds,
        machines=plan.obliged_machines,
        devices=plan.obliged_devices,
        by_two=plan.obliged_by_two,
    )
    one, two = found["one"], found.get("two")
    changed = f"{one['obligations']} obligations and {one['rows']} rows an event"
    rows = [beside(f"compliance, one process: events to obligations, {one['open']:,} in the table, {changed}", one)]
    return rows if two is None else [*rows, at_least("compliance, two processes: the same", two, OBLIGED_REACH)]


def _place(parts: LocalParts, schema: str) -> Place:
    return Place(kafka=parts.kafka_url, admin_dsn=parts.database_url, writer_dsn=writer_dsn(parts, schema))
