"""What stages have in common: a real process at work on a backlog, watched from its first commit to the end of it."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, LiteralString

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.pinned import CORES, running_on
from bench.sending import sent
from chassis import watermark
from chassis.migrate import migrate
from chassis.postgres import Connection, prepare_connection
from contracts.envelope import Message
from contracts.topics import Topic
from patchline.local import place as places
from patchline.local.parts import LocalParts, PartSettings
from patchline.local.psa import Psa
from patchline.schemas import LOGIN_ROLES, SCHEMAS, set_passwords
from patchline.stack.programs import Surroundings
from patchline.topics import apply_declared

PASSWORD: Final = "bench"  # noqa: S105 - of a throwaway database on this machine
POLL_SECONDS: Final = 0.01
SIZED_EVERY_SECONDS: Final = 0.25
REST_SECONDS: Final = 0.3
LONGEST_REST_SECONDS: Final = 60
LONGEST_SECONDS: Final = 1200
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
    """How fast one run was, and how large its process was meanwhile: MiB after so many events, in order.

    The rate is infinite where the whole backlog was behind the first commit that was seen: too little to measure.
    """

    events_per_second: float
    sizes: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A service's real process: its module and its consumer group."""

    module: str
    group: str

    async def run(self, place: Place, writer: Connection, topic: Topic, backlog: Iterable[Message]) -> Run:
        """Send the messages, then run the process until its watermarks are behind all of them."""
        before = await self.stands(writer)
        count = await sent(place.kafka, topic, backlog)
        with self.running(place) as process:
            return await self.watched([process], writer, before, count)

    async def gone_on(
        self,
        processes: Sequence["subprocess.Popen[bytes]"],
        place: Place,
        writer: Connection,
        *,
        topic: Topic,
        backlog: Iterable[Message],
    ) -> Run:
        """Let a backlog grow while the processes, which run, stand still; then let them go on to the end of it."""
        with held(*processes):
            before = await self.stands(writer)
            count = await sent(place.kafka, topic, backlog)
        return await self.watched(processes, writer, before, count)

    async def stands(self, writer: Connection) -> int:
        """Return where the group stands, its partitions taken together."""
        return int(await writer.fetchval(WHERE, self.group))

    @contextmanager
    def running(self, place: Place) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the process for so long, on the stage's cores."""
        env = {**os.environ, "PATCHLINE_KAFKA": place.kafka, "PATCHLINE_DATABASE_URL": place.writer_dsn}
        with running_on(CORES.stage):
            process = subprocess.Popen([sys.executable, "-m", self.module], env=env, stdout=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    async def watched(
        self, processes: Sequence["subprocess.Popen[bytes]"], writer: Connection, before: int, count: int
    ) -> Run:
        """Return how fast the group gets `count` events behind it, from its first commit after `before` to the last.

        Raises:
            RuntimeError: a process ended, or it takes longer than `LONGEST_SECONDS`.
        """
        with running_on(CORES.around):
            return await self._seen_to_end(processes, writer, before, count)

    async def _seen_to_end(
        self, processes: Sequence["subprocess.Popen[bytes]"], writer: Connection, before: int, count: int
    ) -> Run:
        first_at, first, sized_at = 0.0, 0, 0.0
        sizes: list[tuple[int, float]] = []
        deadline = time.monotonic() + LONGEST_SECONDS
        while True:
            done = await self.stands(writer) - before
            now = time.perf_counter()
            if done and not first:
                first_at, first = now, done
            if now > sized_at + SIZED_EVERY_SECONDS or done >= count:
                sizes.append((done, sum(resident_mib(each.pid) for each in processes)))
                sized_at = now
            if done >= count:
                rate = (count - first) / (now - first_at) if now > first_at else float("inf")
                return Run(rate, tuple(sizes))
            if any(each.poll() is not None for each in processes) or time.monotonic() > deadline:
                codes = [each.returncode for each in processes]
                raise RuntimeError(f"{self.module} stopped after {done} of {count} events (exit codes {codes})")
            await asyncio.sleep(POLL_SECONDS)


@contextmanager
def held(*processes: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Let the processes stand still: what is done meanwhile has the machine for itself, and a backlog can grow."""
    for each in processes:
        each.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for each in processes:
            each.send_signal(signal.SIGCONT)


async def at_rest(*processes: "subprocess.Popen[bytes]") -> None:
    """Wait until the processes have nothing left to do: all of them together use less than a tenth of a core."""
    async with asyncio.timeout(LONGEST_REST_SECONDS):
        used = sum(cpu_seconds(each.pid) for each in processes)
        while True:
            await asyncio.sleep(REST_SECONDS)
            now = sum(cpu_seconds(each.pid) for each in processes)
            if now - used < REST_SECONDS / 10:
                return
            used = now


def cpu_seconds(pid: int) -> float:
    """Return how long a process has run on any core, in its own code and in the kernel's. Source: proc(5), stat."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


SKIP: Final[LiteralString] = """
    UPDATE watermark SET next_offset = ends.next_offset, last_identity = NULL
    FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS ends (topic, partition, next_offset)
    WHERE consumer_group = $1 AND watermark.topic = ends.topic AND watermark.partition = ends.partition
"""


async def start_at_the_end(kafka: str, writer: Connection, group: str, among: Sequence[Topic]) -> None:
    """Let the group, which is not running, go on behind whatever stands on the topics already."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        partitions = [TopicPartition(each.name, number) for each in among for number in range(each.partitions)]
        ends = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    await watermark.ensure(writer, group, ends, {})
    numbers = [each.partition for each in ends]
    await writer.execute(SKIP, group, [each.topic for each in ends], numbers, list(ends.values()))


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
