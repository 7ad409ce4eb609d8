"""What stages have in common: a real process at work on a backlog, watched from its first commit to the end of it."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from chassis import watermark
from chassis.migrate import migrate, set_passwords
from chassis.postgres import Connection, prepare_connection
from contracts.envelope import Message
from contracts.topics import Topic
from patchline.local import place as places
from patchline.local.parts import LocalParts, PartSettings
from patchline.local.psa import Psa
from patchline.schemas import LOGIN_ROLES, SCHEMAS
from patchline.stack.programs import Surroundings
from patchline.topics import apply_declared

PASSWORD: Final = "bench"  # noqa: S105 - of a throwaway database on this machine
POLL_SECONDS: Final = 0.01
LONGEST_SECONDS: Final = 600
WHERE: Final[LiteralString] = "SELECT coalesce(sum(next_offset), 0)::bigint FROM watermark WHERE consumer_group = $1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage runs: a broker with all topics, and a migrated database of its own."""

    kafka: str
    admin_dsn: str
    writer_dsn: str


def parts_in(home: "os.PathLike[str]", *, psa: Psa | None) -> PartSettings:
    """Return the real parts below `home`, on whatever ports are free."""
    return PartSettings(
        home=places.made(Path(home)),
        cache=places.cache(os.environ),
        kafka_port=0,
        postgres_port=0,
        psa_port=0,
        psa=psa,
    )


async def made_ready(parts: LocalParts) -> None:
    """Migrate the database, give its roles a password, make the topics."""
    await migrate(parts.database_url, SCHEMAS, say=lambda _line: None)
    await set_passwords(parts.database_url, dict.fromkeys(LOGIN_ROLES, PASSWORD))
    await apply_declared(parts.kafka_url)


def writer_dsn(parts: LocalParts, schema: str) -> str:
    """Return the URL by which a service's batch writer reaches the database."""
    around = Surroundings(
        home=Path(), kafka="", database=parts.database_url, tracker={}, gateway_port=0,
        health_port=0, simulator_port=0,
    )  # fmt: skip
    role = f"{schema}_writer"
    return around.role_url(role).replace(f"{role}@", f"{role}:{PASSWORD}@")


@dataclass(frozen=True, slots=True)
class Run:
    """How fast one run was, and how large the process was after the first part of it and at the end.

    The rate is infinite where the whole backlog was behind the first commit that was seen: too little to measure.
    """

    events_per_second: float
    early_mib: float
    late_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A service's real process: its module, its consumer group, and after how many events its size is looked at."""

    module: str
    group: str
    early: int

    async def run(self, place: Place, writer: Connection, topic: Topic, backlog: Iterable[Message]) -> Run:
        """Send the messages, then run the process until its watermarks are behind all of them."""
        before = await writer.fetchval(WHERE, self.group)
        count = await sent(place.kafka, topic, backlog)
        with self.running(place) as process:
            return await self._watched(process, writer, before, count)

    @contextmanager
    def running(self, place: Place) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the process for so long."""
        env = {**os.environ, "PATCHLINE_KAFKA": place.kafka, "PATCHLINE_DATABASE_URL": place.writer_dsn}
        process = subprocess.Popen([sys.executable, "-m", self.module], env=env, stdout=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    async def _watched(self, process: "subprocess.Popen[bytes]", writer: Connection, before: int, count: int) -> Run:
        early_mib = 0.0
        first_at, first = 0.0, 0
        deadline = time.monotonic() + LONGEST_SECONDS
        while True:
            done = await writer.fetchval(WHERE, self.group) - before
            now = time.perf_counter()
            if done and not first:
                first_at, first = now, done
            if done >= self.early and not early_mib:
                early_mib = resident_mib(process.pid)
            if done >= count:
                rate = (count - first) / (now - first_at) if now > first_at else float("inf")
                return Run(rate, early_mib, resident_mib(process.pid))
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.module} stopped after {done} of {count} events (exit code {process.returncode})"
                )
            await asyncio.sleep(POLL_SECONDS)


async def sent(kafka: str, topic: Topic, messages: Iterable[Message]) -> int:
    """Put the messages on `topic`, by their keys, and return how many."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=20, max_batch_size=262_144)
    await producer.start()
    try:
        acks = [
            await producer.send(topic.name, key=each.key, value=each.value, headers=each.headers) for each in messages
        ]
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    return len(acks)


async def start_at_the_end(kafka: str, writer: Connection, group: str, among: Sequence[Topic]) -> None:
    """Let the group begin behind whatever stands on the topics already."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        partitions = [TopicPartition(each.name, number) for each in among for number in range(each.partitions)]
        await watermark.ensure(writer, group, await consumer.end_offsets(partitions), {})
    finally:
        await consumer.stop()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Yield a connection to which jsonb columns are Python values, closed at the end."""
    connection = await asyncpg.connect(dsn)
    await prepare_connection(connection)
    try:
        yield connection
    finally:
        await connection.close()


def resident_mib(pid: int) -> float:
    """Return how much memory a process has in use."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)
