"""Kafka hangs while webhooks come in: the whole product catches up afterwards, and the spool is empty again."""

import asyncio
import os
import signal

from tests.flow.world import World, until

FLOW = """
    SELECT coalesce(sum(spooled), 0)::int AS spooled, coalesce(sum(drained), 0)::int AS drained FROM gateway.spool_flow
"""
DEVICES = ("spooled-1", "spooled-2", "spooled-3")


def test_what_comes_in_while_kafka_hangs_is_accepted_and_becomes_obligations(world: World) -> None:
    kafka = world.stack.parts.kafka
    assert kafka is not None
    assert kafka.child is not None
    assert kafka.child.pid is not None
    before = flow(world)

    os.kill(kafka.child.pid, signal.SIGSTOP)
    try:
        for device in DEVICES:
            world.enrol(device)
    finally:
        os.kill(kafka.child.pid, signal.SIGCONT)

    until("the devices owe the update", lambda: all(world.state_of(device) for device in DEVICES))
    until("the spool is empty", lambda: flow(world)["spooled"] == flow(world)["drained"])
    assert flow(world)["spooled"] - before["spooled"] == 2 * len(DEVICES)


def flow(world: World) -> dict[str, int]:
    return asyncio.run(world.rows(FLOW))[0]
