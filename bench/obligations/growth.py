"""The state stage of compliance on an almost empty table, and the same with 100,000 machines x 20 requirements in it.

The measured process is the real one, with its timers, figures and relay. What fills the table are copies of the rows
that the service itself made of the first rounds, each with ids of its own.
"""

import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, LiteralString
from uuid import UUID

from bench.measured import Place, Run, Worker, at_rest, connected, start_at_the_end
from bench.obligations import load
from bench.obligations.report import Figure
from chassis.postgres import Connection
from contracts import ids, topics
from contracts.envelope import Message, encode
from contracts.topics import Topic
from services.compliance import store_commands_catalog
from services.compliance.app import GROUP

MACHINES: Final = 100_000
LEAST_RATIO: Final = 0.7
EVENTS: Final = load.DEVICES * 20
WORKER: Final = Worker(module="services.compliance", group=GROUP)
IDS: Final = frozenset({"asset_id", "device_id", "event_id", "evidence_id"})
COPIED: Final = ("asset", "device", "evidence", "patch_fact", "obligation", "obligation_history")

COLUMNS: Final[LiteralString] = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'compliance' AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position
"""
COUNT: Final[LiteralString] = "SELECT count(*) FROM compliance.obligation"
COUNT_ANEW: Final[LiteralString] = """
    INSERT INTO compliance.figure_touched (tenant_id, os_family, tier, severity)
    SELECT DISTINCT tenant_id, os_family, tier, severity FROM compliance.obligation
"""


@dataclass(slots=True)
class Evenings:
    """Rounds over ever new machines, all with the same `processes` where there are some, else each with a new one."""

    place: Place
    writer: Connection
    machines: int = 0
    devices: int = load.DEVICES
    processes: Sequence["subprocess.Popen[bytes]"] = ()

    async def round(self) -> float:
        """Let new machines be told of, then measure an evening of theirs; return events per second."""
        await self.introduced()
        return await self.evening()

    async def introduced(self) -> list[UUID]:
        """Let new machines be told of, and return their ids."""
        now, first = load.hour_of(datetime.now(UTC)), self.machines
        self.machines += self.devices
        records = load.records(first, now, devices=self.devices)
        await self._run(topics.ASSETS, map(encode, records))
        return [ids.asset_id(load.SOURCE, load.name_of(number)) for number in range(first, self.machines)]

    async def evening(self) -> float:
        """Measure an evening of the machines that were introduced last; return events per second."""
        now, first = load.hour_of(datetime.now(UTC)), self.machines - self.devices
        evening = load.evening(first, now, seed=first, devices=self.devices)
        said = (encode(each, f"{each.source}/{each.subject}") for each in evening)
        run = await self._run(topics.RMM_EVENTS, said)
        return run.events_per_second

    async def _run(self, topic: Topic, messages: Iterable[Message]) -> Run:
        if not self.processes:
            return await WORKER.run(self.place, self.writer, topic, messages)
        await at_rest(*self.processes)
        return await WORKER.gone_on(self.processes, self.place, self.writer, topic=topic, backlog=messages)


async def growth(place: Place, *, rounds: int, machines: int = MACHINES) -> list[Figure]:
    """Return the rate with `machines` in the table, beside that of an almost empty one."""
    async with connected(place.admin_dsn) as admin, connected(place.writer_dsn) as writer:
        await store_commands_catalog.add(admin, load.catalog(load.hour_of(datetime.now(UTC))), datetime.now(UTC))
        await start_at_the_end(place.kafka, writer, GROUP, [topics.RMM_EVENTS, topics.ASSETS, topics.CLIENTS])
        stage = Evenings(place, writer)
        await stage.round()
        empty = [await stage.round() for _ in range(rounds)]
        took = await fill(admin, machines, stage.machines)
        owed = await admin.fetchval(COUNT)
        full = [await stage.round() for _ in range(rounds)]
    rate, floor = statistics.median(full), statistics.median(empty)
    ratio = round(rate / floor, 3)
    return [
        Figure(
            figure=f"state stage with {owed:,} obligations (filled in {took:.0f} s), beside an almost empty table",
            value=round(rate),
            unit="events/s",
            floor=round(floor),
            ratio=ratio,
            reach=f"ratio >= {LEAST_RATIO}",
            ok=ratio >= LEAST_RATIO,
        )
    ]


async def fill(admin: Connection, machines: int, there: int) -> float:
    """Copy all rows until there are about so many machines; return how many seconds that took.

    What PostgreSQL would do of it later (vacuum, checkpoint) is done too, so that it is in nobody's round.
    """
    began_at = time.perf_counter()
    copies = max(1, round(machines / there) - 1)
    for table in COPIED:
        columns = [row["column_name"] for row in await admin.fetch(COLUMNS, table)]
        await admin.execute(_copy(table, columns), copies)
        await admin.execute(f"VACUUM ANALYZE compliance.{table}")
    await admin.execute(COUNT_ANEW)
    await admin.execute("CHECKPOINT")
    return time.perf_counter() - began_at


def _copy(table: str, columns: Sequence[str]) -> str:
    made = [f"md5({each}::text || n)::uuid" if each in IDS else each for each in columns]
    return (
        f"INSERT INTO compliance.{table} ({', '.join(columns)}) "  # noqa: S608 - names of the catalog's own columns
        f"SELECT {', '.join(made)} FROM compliance.{table}, generate_series(1, $1) AS n"
    )
