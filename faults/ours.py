"""The parts of a world that are its own: started for it alone, so they may be stopped, killed and filled.

Raises `LookupError` for one that is not, such as a broker of the machine's.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from faults.world import World
from patchline.local.kafka import Kafka
from patchline.local.postgres import Postgres
from patchline.local.roundup import Roundup


def kafka(world: World) -> Kafka:
    """Return the broker."""
    if world.stack.parts.kafka is None:
        raise LookupError("Kafka is not ours")
    return world.stack.parts.kafka


def postgres(world: World) -> Postgres:
    """Return the database server."""
    if world.stack.parts.postgres is None:
        raise LookupError("PostgreSQL is not ours")
    return world.stack.parts.postgres


def roundup(world: World) -> Roundup:
    """Return the tracker."""
    if world.stack.parts.roundup is None:
        raise LookupError("the tracker is not ours")
    return world.stack.parts.roundup


@contextmanager
def kafka_paused(world: World) -> Iterator[None]:
    """Let Kafka stand still while the block runs."""
    child = kafka(world).child
    if child is None or child.pid is None:
        raise LookupError("Kafka does not run")
    os.kill(child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(child.pid, signal.SIGCONT)
