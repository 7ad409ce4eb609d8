"""`patchline audit flow`: both equations, for people and for machines."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.table import Table

from chassis import commands
from chassis.clock import moved_clock
from patchline.audit import store
from patchline.audit.barrier import Audit, Watch
from patchline.audit.rules import Balance, Proof
from patchline.audit.store import OUTCOMES
from patchline.logs import opened
from patchline.schemas import SCHEMAS

app = typer.Typer(
    no_args_is_help=True,
    help="The standing audit: is everything accounted for? And what was done about credentials: does its chain stand?",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Source = Annotated[str | None, typer.Option(help="Only this source, for example rmm/ninjaone/main.")]
Since = Annotated[str, typer.Option(help="From this hour of receipt on: a moment like 2026-03-10T14:00Z, or 24h, 7d.")]
Wait = Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for what is under way before judging.")]

_AGO: Final = re.compile(r"(\d{1,5})([hd])")
_DELIVERY_COLUMNS: Final = OUTCOMES
_EVENT_COLUMNS: Final = ("applied", "duplicate", "ignored", "parked", "superseded", "dead_lettered")


@app.command()
def flow(*, source: Source = None, since: Since = "7d", wait: Wait = 10, as_json: Json = False) -> None:
    """Show where every delivery and every event went, by source and hour; exit code 1 if any is missing.

    Example: patchline audit flow --since 24h
    """
    settings = commands.command_settings()
    first = moment_of(since, moved_clock(settings.clock_offset_seconds)())
    audit = commands.run(look(settings.kafka, first, wait_seconds=wait))
    balances = [each for each in audit.balances if source in {None, each.source}]
    if as_json:
        sys.stdout.write(json.dumps(report(balances, audit), default=str, indent=2) + "\n")
    else:
        _show(balances, audit)
    raise SystemExit(commands.NO if audit.gaps else commands.OK)


@app.command()
def accept(
    topic: Annotated[str, typer.Argument(help="The topic, for example rmm.events.")],
    *,
    group: Annotated[str, typer.Option(help="The consumer group whose watermark was moved.")],
    partition: Annotated[int | None, typer.Option(help="Only this partition.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this it only says what it would do.")] = False,
    as_json: Json = False,
) -> None:
    """Accept that a group's offsets do not add up: a person moved its watermark, and has decided about the records.

    Example: patchline audit accept rmm.events --group compliance --yes
    """
    rows = commands.run(_accepted(topic, group, partition, is_meant=yes))
    if not rows:
        commands.stop(f"every counted offset of {group} in {topic} adds up; see: patchline audit flow", commands.NO)
    commands.show(rows, title="Accepted" if yes else "Would accept", as_json=as_json)
    if not yes:
        commands.stop("nothing was changed; say --yes to do it", commands.NO)


async def _accepted(topic: str, group: str, partition: int | None, *, is_meant: bool) -> list[dict[str, object]]:
    """Let counting begin so that it adds up, in every schema where it does not; return what was amiss."""
    found: list[dict[str, object]] = []
    async with commands.operator() as connection, connection.transaction():
        for schema in SCHEMAS:
            await connection.fetchval(store.OF_SCHEMA, schema.name)
            found += [dict(row) for row in await connection.fetch(store.AMISS, group, topic, partition)]
            if is_meant:
                await connection.execute(store.ACCEPT, group, topic, partition)
    return found


def moment_of(since: str, now: datetime) -> datetime:
    """Return the hour that `since` names.

    Raises:
        SystemExit: it is neither a moment with its zone nor a number of hours or days.
    """
    if ago := _AGO.fullmatch(since):
        length = timedelta(hours=int(ago[1])) if ago[2] == "h" else timedelta(days=int(ago[1]))
        return (now - length).replace(minute=0, second=0, microsecond=0)
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        commands.stop(f"--since: {since!r} is neither a moment nor like 24h or 7d", commands.WRONG_USE)
    if moment.tzinfo is None:
        commands.stop(f"--since: {since!r} names no time zone; end it with Z for UTC", commands.WRONG_USE)
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


async def look(kafka: str, since: datetime, *, wait_seconds: float) -> Audit:
    """Return what the audit finds now.

    Raises:
        KafkaError, OSError, asyncpg.PostgresError: a part cannot be reached or refuses.
    """
    async with opened(kafka) as logs, commands.operator() as connection:
        return await Watch(connection, logs).settle(since, wait_seconds=wait_seconds)


def report(balances: Sequence[Balance], audit: Audit) -> dict[str, object]:
    """Return everything for machines."""
    return {
        "gaps": audit.gaps,
        "verdict": _verdict(audit),
        "judged": sorted(audit.judged),
        "balances": [asdict(each) | {"verdict": each.verdict} for each in balances],
        "proofs": [asdict(each) for each in audit.proofs],
    }


def _verdict(audit: Audit) -> str:
    if audit.gaps:
        return f"GAP of {audit.gaps}"
    is_settled = all(each.verdict == "balanced" for each in audit.balances)
    return "balanced" if is_settled else "not yet final"


def _show(balances: Sequence[Balance], audit: Audit) -> None:
    deliveries = [each for each in balances if each.equation == "deliveries"]
    events = [each for each in balances if each.equation == "events"]
    _table("Deliveries = what became of them", "deliveries", deliveries, _DELIVERY_COLUMNS)
    _table("Events = what became of them, for each group that reads them", "events", events, _EVENT_COLUMNS)
    broken = [each for each in audit.proofs if each.missing]
    commands.show([_proof_row(each) for each in broken], title="Counted offsets with a gap", as_json=False)
    unread = sum(each.unread or 0 for each in audit.proofs)
    places = sum(each.partition is not None for each in audit.proofs)
    commands.console.print(f"{places} partitions looked at, {unread} records not read yet.")
    style = {"b": "green", "n": "yellow"}.get(_verdict(audit)[0], "bold red")
    commands.console.print(f"[{style}]{_verdict(audit)}[/]")


def _table(title: str, expected: str, balances: Sequence[Balance], columns: Sequence[str]) -> None:
    if not balances:
        commands.console.print(f"{title}: none")
        return
    has_dead = {"unreadable": "dead_lettered"}
    table = Table(title=title, title_justify="left")
    for column in ("group", "source", "hour (UTC)", expected, *columns, "in flight", "more than once", "verdict"):
        table.add_column(column.replace("_", " "), justify="right" if column in {expected, *columns} else "left")
    for each in sorted(balances, key=lambda one: (one.hour, one.source, one.group)):
        fates = {name: each.fates.get(name, 0) for name in columns}
        for name, into in has_dead.items():
            fates[into] = fates[into] + each.fates.get(name, 0)
        style = "bold red" if each.missing else "yellow" if each.verdict != "balanced" else None
        verdict = "; ".join([each.verdict, *each.why])
        cells = [each.group, each.source or "(unknown)", f"{each.hour:%Y-%m-%d %H}h", each.expected, *fates.values()]
        table.add_row(*map(str, [*cells, each.in_flight or "", each.extra or "", verdict]), style=style)
    commands.console.print(table)


def _proof_row(each: Proof) -> dict[str, object]:
    place = "all" if each.partition is None else each.partition
    return {"group": each.group, "topic": each.topic, "partition": place, "counted": each.counted, "gap": each.why}
