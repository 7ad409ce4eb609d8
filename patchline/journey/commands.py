"""`patchline journey`: the way of one webhook, drawn."""

import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

import typer
from rich.markup import escape
from rich.tree import Tree

from chassis import commands
from chassis.clock import moved_clock
from chassis.postgres import Connection
from patchline.journey import rules, store
from patchline.journey.logs import Topics, milliseconds_of
from patchline.journey.records import Hop, Records
from patchline.logs import opened

MOST_OF_A_TICKET: Final = 5
SEARCH_SECONDS: Final = 20.0
DAY_MS: Final = 86_400_000

Asked = Annotated[
    str,
    typer.Argument(metavar="ID", help="A raw id, an event's id, a case's, a webhook-id, a ticket's key or number."),
]
Days = Annotated[int, typer.Option(min=1, max=400, help="How far back a webhook-id is looked for, in days.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def journey(asked: Asked, *, days: Days = 2, as_json: Json = False) -> None:
    """Show where one webhook went: received, translated, what each service made of it, which ticket; exit 1: unknown.

    Example: patchline journey 0190d1f2-7c4a-7c3e-9f11-2b7a1c9d4e5f
    """
    hops = commands.run(found(asked, days=days))
    if as_json:
        sys.stdout.write(json.dumps([hop.as_json() for hop in hops], default=str, indent=2) + "\n")
    for hop in () if as_json else hops:
        commands.console.print(_drawn(hop, None, Tree(_line(hop, None))))
    if not hops:
        commands.stop(f"nothing is known of {asked!r}; `patchline journey --help` says what an id can be", commands.NO)


async def found(asked: str, *, days: int) -> list[Hop]:
    """Return the ways of all deliveries that `asked` is about; none: it is unknown.

    Raises:
        KafkaError, OSError, asyncpg.PostgresError: a part cannot be reached or refuses.
    """
    settings = commands.command_settings()
    offset = timedelta(seconds=settings.clock_offset_seconds)
    async with opened(settings.kafka) as logs:
        topics = Topics(logs, seconds=SEARCH_SECONDS)
        async with _operating() as tx:
            raw_ids = await _of_tables(tx, asked)
        if not raw_ids:
            raw_ids = await _of_topics(topics, asked, days)
        hops = [await _one(topics, raw_id, offset) for raw_id in raw_ids]
    return [hop for hop in hops if hop is not None]


async def _of_tables(tx: Connection, asked: str) -> Sequence[UUID]:
    id_ = _uuid(asked)
    if id_ is not None:
        return await store.deliveries_of_id(tx, id_)
    return await store.deliveries_of_ticket(tx, asked, MOST_OF_A_TICKET)


async def _of_topics(topics: Topics, asked: str, days: int) -> Sequence[UUID]:
    """Return the deliveries that no table knows yet, or that their sender called so."""
    id_ = _uuid(asked)
    if id_ is not None and id_.version == 7:
        return [id_]
    now_ms = int(moved_clock(0)().timestamp() * 1000)
    return await topics.named(asked, now_ms - days * DAY_MS)


async def _one(topics: Topics, raw_id: UUID, offset: timedelta) -> Hop | None:
    async with _operating() as tx:
        tables = await store.tables(tx, raw_id)
    since_ms = milliseconds_of(raw_id)
    published = sum(row["stands_for"] == "event" for row in tables.translated) - len(tables.parked)
    ids = frozenset({str(raw_id), *(str(row["event_id"]) for row in tables.translated)})
    records = Records(
        deliveries=await topics.deliveries(raw_id),
        events=await topics.events(raw_id, since_ms, published) if published > 0 else [],
        dead_letters=await topics.dead_letters(ids, since_ms),
        offset=offset,
    )
    return rules.journey(tables, records)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@asynccontextmanager
async def _operating() -> AsyncIterator[Connection]:
    """Yield one transaction of the operator, for all clients."""
    async with commands.operator() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await store.see_all(connection)
        yield connection


def _drawn(hop: Hop, before: datetime | None, tree: Tree) -> Tree:
    """Hang everything that followed `hop` below `tree`."""
    for each in hop.then:
        _drawn(each, hop.at or before, tree.add(_line(each, hop.at or before)))
    return tree


def _line(hop: Hop, before: datetime | None) -> str:
    """Return a hop as one line: when, how long after the one before, what, and what is known of it."""
    when = f"[cyan]{hop.at.isoformat(sep=' ', timespec='milliseconds')}[/] " if hop.at else ""
    after = f"[dim]+{(hop.at - before).total_seconds():.3f} s[/] " if hop.at and before else ""
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in hop.facts.items() if value is not None)
    return f"{when}{after}[bold]{escape(hop.what)}[/] {escape(facts)}".rstrip()
