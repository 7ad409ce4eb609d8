"""Whether everything is done: asked of Kafka, the database and the processes, never guessed from silence alone."""

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from patchline.demo.run import Stage
from patchline.schemas import SCHEMAS
from patchline.stack.programs import PROGRAMS
from patchline.stack.stack import Stack

QUIET_SECONDS: Final = 2.5
LOOK_SECONDS: Final = 0.5
_WAITING: Final = {
    "outbox_waiting": "SELECT coalesce(sum(records), 0)::bigint FROM {schema}.outbox_waiting",
    "spool": "SELECT count(*) FROM {schema}.spool",
    "intent": "SELECT count(*) FROM {schema}.intent WHERE state IN ('pending', 'leased', 'uncertain')",
    "merge": "SELECT count(*) FROM {schema}.merge",
}
"""What counts the rows that somebody has yet to do something with, by the table's name; not every schema has all."""


class Settling:
    """Asks until nothing waits any more; use as an async context manager."""

    def __init__(self, stack: Stack, stage: Stage) -> None:
        """Ask the parts of `stack`; `stage` reads the topics."""
        self._stack = stack
        self._stage = stage
        self._consumer = AIOKafkaConsumer(bootstrap_servers=stack.around.kafka, enable_auto_commit=False)
        self._client = httpx.AsyncClient(trust_env=False, timeout=2)

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._consumer.stop()
        await self._client.aclose()

    async def wait(self, longest_seconds: float) -> list[str]:
        """Wait until nothing waits, twice with silence on the topics between; return what still does at the end."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + longest_seconds
        calm_since: float | None = None
        waiting: list[str] = ["everything"]
        while loop.time() < deadline:
            try:
                waiting = await self.waiting()
            except (OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                waiting = [f"cannot ask: {error}"]
            calm_since = None if waiting else calm_since or loop.time()
            read_before = loop.time() - self._stage.subscriber.read_at
            if calm_since is not None and min(loop.time() - calm_since, read_before) >= QUIET_SECONDS:
                return []
            await asyncio.sleep(LOOK_SECONDS)
        return waiting or ["records still come"]

    async def waiting(self) -> list[str]:
        """Return what is not done: processes not ready, rows to carry away, records to handle."""
        connection = await asyncpg.connect(self._stack.around.database, timeout=5, command_timeout=10)
        try:
            rows = await self._rows(connection)
            behind = await self._behind(connection)
        finally:
            await connection.close(timeout=2)
        return [*await self._not_ready(), *rows, *behind]

    async def _not_ready(self) -> list[str]:
        names = []
        for program in PROGRAMS:
            try:
                answer = await self._client.get(f"{self._stack.around.health_url(program)}/ready")
                is_ready = answer.status_code == 200
            except httpx.HTTPError:
                is_ready = False
            names += [] if is_ready else [f"{program.name} is not ready"]
        return names

    async def _rows(self, connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
        found = []
        for schema, table in await self._tables(connection):
            count: int = await connection.fetchval(_WAITING[table].format(schema=schema))
            found += [f"{count} in {schema}.{table}"] if count else []
        return found

    async def _tables(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Iterator[tuple[str, str]]:
        pairs = [(schema.name, table) for schema in SCHEMAS for table in _WAITING]
        names = [f"{schema}.{table}" for schema, table in pairs]
        exists = await connection.fetch("SELECT to_regclass(name) IS NOT NULL FROM unnest($1::text[]) AS name", names)
        return (pair for pair, row in zip(pairs, exists, strict=True) if row[0])

    async def _behind(self, connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
        """Compare the watermarks, which are what counts, with the ends of the logs."""
        standing: list[tuple[str, TopicPartition, int]] = []
        for schema in SCHEMAS:
            rows = await connection.fetch(
                f"SELECT consumer_group, topic, partition, next_offset FROM {schema.name}.watermark"  # noqa: S608 - ours
            )
            standing += [(row[0], TopicPartition(row[1], row[2]), row[3]) for row in rows]
        ends = await self._consumer.end_offsets(list({partition for _, partition, _ in standing}))
        behind: dict[str, int] = {}
        for group, partition, offset in standing:
            behind[group] = behind.get(group, 0) + max(int(ends[partition]) - offset, 0)
        return [f"{group} is {records} behind" for group, records in behind.items() if records]
