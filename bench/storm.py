"""A storm: one client asks for a hundred thousand tickets in a minute. Do nine others wait longer for theirs?

The same load of the nine in turns: alone, and from the moment at which the storm begins. Every request of the storm is
the first failure of another patch on the next of a thousand machines, in a delivery of its own. Afterwards each stands
as a ticket in ticketing's own table: opened in the tracker already, or waiting for its turn there, since no tracker
takes that many in a minute.
"""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, LiteralString

from bench.clients import Client, registered
from bench.measured import connected
from bench.report import Figure
from bench.streams import Stream
from bench.thread import accepted, all_opened, opened_by_patch, port_of, waits_ms, warming
from patchline.stack.stack import Stack

PER_SECOND: Final = 10.0
TICKETS_PER_SECOND: Final = 0.3
"""Of each of the nine."""

STORM_PER_SECOND: Final = 100_000 / 60
STORMY_MACHINES: Final = 1_000
KNOWN_PER_SECOND: Final = 200.0
"""So many of them check in for the first time in a second, before anything is measured."""

BEFORE_SECONDS: Final = 2.0
"""Of the second turn, before the storm begins."""

STILL_SECONDS: Final = 20.0
"""Nothing more comes, where nothing came for so long."""

REACH: Final = 1.5
STORM: Final = "storm0-"


@dataclass(frozen=True, slots=True)
class StormSize:
    """How many tickets the storm asks for, how long each turn of the nine is, and how long its last may take."""

    tickets: int
    seconds: float
    longest_seconds: float


QUICK: Final = StormSize(500, 5, 20)
REDUCED: Final = StormSize(3_000, 20, 60)
FULL: Final = StormSize(100_000, 90, 1_500)


async def storm_stage(stack: Stack, size: StormSize) -> list[Figure]:
    """Return the nine's p50 and p99 beside the storm and without it, and what became of the storm.

    Raises:
        RuntimeError: a delivery was not accepted, and not asked for again.
        TimeoutError: a ticket of the nine was not told.
    """
    clients = await registered(stack)
    stormy, *others = clients
    port = port_of(stack)
    async with opened_by_patch(stack) as opened:
        await accepted(port, [_gathering(stormy), *(warming(each, clients) for each in others)])
        alone = await accepted(port, _behaving(others, "alone", size.seconds))
        await all_opened(alone.accepted, opened)
        both = await accepted(port, [*_behaving(others, "beside", size.seconds), _storming(stormy, size)])
        theirs = {patch: at for patch, at in both.accepted.items() if not patch.startswith(STORM)}
        await all_opened(theirs, opened)
    asked = len(both.accepted) - len(theirs)
    stands = await _standing(stack, asked, size)
    return [*waits(waits_ms(alone.accepted, opened), waits_ms(theirs, opened), size), *kept(asked, stands)]


def _behaving(clients: Sequence[Client], patches: str, seconds: float) -> list[Stream]:
    return [
        Stream(
            path=each.path,
            secret=each.secret,
            organisation=each.name,
            patches=f"{patches}{number}-",
            per_second=PER_SECOND,
            failing=TICKETS_PER_SECOND,
            seconds=seconds,
            begins=number / PER_SECOND / len(clients),
            phase=number / len(clients),
        )
        for number, each in enumerate(clients)
    ]


def _gathering(client: Client) -> Stream:
    seconds = STORMY_MACHINES / KNOWN_PER_SECOND
    return replace(
        _storming(client, FULL), per_second=KNOWN_PER_SECOND, failing=0, seconds=seconds, begins=0, introduces=True
    )


def _storming(client: Client, size: StormSize) -> Stream:
    return Stream(
        path=client.path,
        secret=client.secret,
        organisation=client.name,
        patches=STORM,
        per_second=STORM_PER_SECOND,
        failing=STORM_PER_SECOND,
        seconds=size.tickets / STORM_PER_SECOND,
        begins=BEFORE_SECONDS,
        devices=STORMY_MACHINES,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How many tickets of the storm are open in the tracker, and how many wait for their turn there."""

    opened: int
    waiting: int

    @property
    def total(self) -> int:
        """Return how many requests are accounted for."""
        return self.opened + self.waiting


STANDS: Final[LiteralString] = """
    SELECT count(*) FILTER (WHERE external IS NOT NULL) AS opened, count(*) FILTER (WHERE external IS NULL) AS waiting
    FROM ticketing.ticket AS t
    WHERE t.subject LIKE '%' || $1 || '%'
      AND (external IS NOT NULL
           OR EXISTS (SELECT FROM ticketing.intent AS i
                      WHERE i.ticket_key = t.ticket_key AND i.kind = 'open'
                        AND i.state IN ('pending', 'leased', 'uncertain')))
"""


async def _standing(stack: Stack, asked: int, size: StormSize) -> Standing:
    """Return where the requests of the storm stand, once all do, nothing more comes, or the time for it is over."""
    async with connected(stack.around.database) as database:
        began_at = came_at = time.monotonic()
        stands = Standing(0, 0)
        while True:
            before, row = stands.total, await database.fetchrow(STANDS, STORM)
            stands = Standing(0, 0) if row is None else Standing(row["opened"], row["waiting"])
            now = time.monotonic()
            came_at = now if stands.total > before else came_at
            if stands.total >= asked or now - came_at > STILL_SECONDS or now - began_at > size.longest_seconds:
                return stands
            await asyncio.sleep(1)


def waits(alone: list[float], beside: list[float], size: StormSize) -> list[Figure]:
    """Return the rows of the nine's p99 and p50 beside the storm, of milliseconds, and without it."""
    quiet, loud = (statistics.quantiles(each, n=100, method="inclusive") for each in (alone, beside))
    ratio = round(loud[98] / quiet[98], 2)
    return [
        Figure(
            stage=f"storm: nine clients' webhook to ticket while one asks for {size.tickets:,} tickets, p99",
            value=round(loud[98], 1),
            unit="ms",
            floor=round(quiet[98], 1),
            ratio=ratio,
            reach=f"ratio <= {REACH:g}",
            ok=ratio <= REACH,
        ),
        Figure(
            stage="storm: the same, p50",
            value=round(loud[49], 1),
            unit="ms",
            floor=round(quiet[49], 1),
            ratio=round(loud[49] / quiet[49], 2),
        ),
    ]


def kept(asked: int, stands: Standing) -> list[Figure]:
    """Return the row of what became of the requests. One that was not seen is lost, or was under way for too long."""
    missing = asked - stands.total
    told = (
        f"storm: of {asked:,} requests {stands.opened:,} are tickets, {stands.waiting:,} wait for the tracker; not seen"
    )
    return [Figure(stage=told, value=missing, unit="requests", reach="none", ok=missing == 0)]
