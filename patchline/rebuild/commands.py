"""`patchline rebuild` and `patchline replay`: what was derived, made again; what an adapter missed, told."""

import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import Field, SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from chassis import commands
from chassis.clock import moved_clock
from chassis.settings import with_password
from patchline.rebuild import logs, of_compliance, of_inventory, sessions
from patchline.rebuild.reader import RawReader
from patchline.rebuild.replay import Chosen, replay
from patchline.rebuild.rules import Report
from patchline.rebuild.run import Around, Rebuild, Show, Wanted
from services.gateway.keys.safe import opened_safe
from services.gateway.translation.translate_app import TranslateSettings, translator

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
MOMENTS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
PLANS: Final = {"inventory": of_inventory.plan, "compliance": of_compliance.plan}


class RebuildSettings(TranslateSettings):
    """What a rebuild needs: what `translate` is told, and a login that may act as the tables' owner."""

    database_url: SecretStr = SecretStr("")
    admin_url: SecretStr = Field(description="a role that may create roles and schemas, as for patchline migrate")
    admin_password_file: Path | None = None

    @property
    def admin_dsn(self) -> str:
        """Return the administrator's database URL with its password."""
        return with_password(self.admin_url.get_secret_value(), self.admin_password_file)


class Derived(StrEnum):
    """The services whose tables are derived from events."""

    INVENTORY = "inventory"
    COMPLIANCE = "compliance"


def rebuild(
    service: Annotated[Derived, typer.Argument(help="Whose tables: inventory first, compliance looks at its records.")],
    *,
    compare_only: Annotated[bool, typer.Option("--compare-only", help="Compare, and swap nothing.")] = False,
    accept_differences: Annotated[
        bool, typer.Option("--accept-differences", help="Swap although rows differ; the replaced tables are kept.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a service's derived tables again from the raw topics, compare row by row, and swap them if they are equal.

    Publishes nothing. The service may run: for the last part it waits. Exit code 1: rows differ, nothing was swapped.

    Example: patchline rebuild compliance --compare-only --json
    """
    if compare_only and accept_differences:
        commands.stop("--compare-only never swaps: there is nothing to accept", commands.WRONG_USE)
    settings = commands.settings_of(RebuildSettings)
    wanted = Wanted(compare_only=compare_only, accept_differences=accept_differences)
    with progress(silent=as_json) as show:
        report = commands.run(rebuilt(settings, service, wanted, show))
    _print(report, as_json=as_json)
    raise SystemExit(commands.OK if report.is_success(accept_differences=accept_differences) else commands.NO)


async def rebuilt(settings: RebuildSettings, service: str, wanted: Wanted, show: Show) -> Report:
    """Rebuild one service and return the report.

    Raises:
        NeverWorks, MayWorkLater, OSError, asyncpg.PostgresError, KafkaError: nothing was swapped.
    """
    report = Report(service=service)
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(sessions.opened(settings.admin_dsn, service))
        safe = await stack.enter_async_context(opened_safe(settings, opened.gateway.acquire))
        log = await stack.enter_async_context(logs.opened(settings.kafka))
        reader = RawReader(safe.bodies(), translator(settings), report.counts)
        around = Around(report, moved_clock(settings.clock_offset_seconds), show)
        return await Rebuild(PLANS[service](), sessions=opened, logs=log, reader=reader, around=around).run(wanted)


def _print(report: Report, *, as_json: bool) -> None:
    if as_json:
        listed = [each.row() for each in report.listed]
        found = asdict(report) | {"listed": listed, "is_equal": report.is_equal, "differences": report.differences}
        sys.stdout.write(json.dumps(found, default=str, indent=2) + "\n")
        return
    commands.show([asdict(each) for each in report.compared], title=f"Rebuilt: {report.service}", as_json=False)
    commands.show([each.row() for each in report.listed], title="Rows that differ", as_json=False)
    commands.show([asdict(report.counts)], title="Read and folded", as_json=False)
    if report.unreadable_sources:
        commands.console.print(f"unreadable, taken from the histories: {', '.join(report.unreadable_sources)}")
    done = "swapped" if report.is_swapped else "nothing was swapped"
    commands.console.print(
        f"{'equal' if report.is_equal else f'{report.differences} rows differ'}; {done}; built in "
        f"{report.build_seconds:.1f} s, {report.service} waited {report.locked_seconds:.1f} s"
    )


def replay_command(
    source: Annotated[str, typer.Option(help="The source whose adapter was mended, for example rmm/ninjaone/main.")],
    since: Annotated[datetime, typer.Option("--from", formats=MOMENTS, help="Received at or after this moment (UTC).")],
    until: Annotated[datetime, typer.Option("--to", formats=MOMENTS, help="Received before this moment (UTC).")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and replay nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Let a source's deliveries of an interval be translated once more, by the adapters of today.

    What was published before stays as it is; what the adapter says now and did not say then comes through once.

    Example: patchline replay --source rmm/ninjaone/main --from 2026-11-01 --to 2026-11-02 --dry-run
    """
    chosen = Chosen(source=source, since=since.replace(tzinfo=UTC), until=until.replace(tzinfo=UTC))
    if chosen.until <= chosen.since:
        commands.stop("--to must be later than --from", commands.WRONG_USE)
    with progress(silent=as_json) as show:
        found = commands.run(_replayed(chosen, dry_run=dry_run, show=show))
    row: dict[str, Any] = {"source": source, "from": chosen.since, "to": chosen.until, **asdict(found)}
    commands.show([row], title="Dry run" if dry_run else "Replayed", as_json=as_json)
    if not found.deliveries:
        commands.stop("no delivery of that source was received then", commands.NO)


async def _replayed(chosen: Chosen, *, dry_run: bool, show: Show) -> Any:
    offset = timedelta(seconds=commands.settings_of(commands.CommandSettings).clock_offset_seconds)
    kafka = commands.kafka_servers()
    async with logs.opened(kafka) as log:
        return await replay(kafka, log, chosen, clock_offset=offset, dry_run=dry_run, show=show)


@contextmanager
def progress(*, silent: bool) -> Iterator[Show]:
    """Yield what shows how far a step is: on standard error, so that the answer can be piped."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=silent) as bar:
        task_by_title: dict[str, Any] = {}

        def show(title: str, done: int, total: int) -> None:
            if title not in task_by_title:
                task_by_title[title] = bar.add_task(title, total=total)
            bar.update(task_by_title[title], completed=done, total=total)

        yield show
