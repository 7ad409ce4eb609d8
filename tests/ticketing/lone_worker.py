"""A worker in a process of its own, without Kafka: `python -m tests.ticketing.lone_worker DSN URL PASSWORD ORIGIN`."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from chassis.health import Progress
from chassis.http import Policy
from chassis.postgres import open_pool
from chassis.relay import Relay
from services.ticketing.adapters import roundup
from services.ticketing.effects import Effects
from services.ticketing.worker import Limits, Worker

LIMITS = Limits(slots=2, most_per_tenant=2, deadline_seconds=1, lease_seconds=1.5)


def now() -> datetime:
    return datetime.now(UTC)


async def main(dsn: str, url: str, password: str, origin: str) -> None:
    pool = await open_pool(dsn, application="lone worker")
    tracker = roundup.connect(
        url,
        login=roundup.Login("patchline", SecretStr(password)),
        policy=Policy(calls_per_second=200, burst=200, timeout_seconds=30),  # longer than the deadline: that ends it
        words=roundup.Words(),
        origin=origin,
    )
    relay = Relay(dsn=dsn, kafka="127.0.0.1:9", progress=Progress())
    effects = Effects(pool=pool, tracker=tracker, clock=now, relay=relay, settle=timedelta(seconds=1))
    worker = Worker(pool=pool, effects=effects, clock=now, progress=Progress(), relay=relay, limits=LIMITS)
    await worker.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
