"""`patchline diagnose`: one file for whoever helps."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from chassis import commands
from chassis.clock import moved_clock
from patchline.audit import commands as audit
from patchline.diagnose import bundle, cluster, database, machine, pages
from patchline.diagnose.bundle import Entry, Files, Part
from patchline.journey import store
from patchline.local import place, runs

Output = Annotated[
    Path | None, typer.Option(help="Where to write it; default: patchline-diagnose-<moment>.tar.gz here.")
]
Process = Annotated[
    list[str] | None,
    typer.Option("--process", help="name=http://host:port of a health port that is not on this machine; repeat it."),
]
Json = Annotated[bool, typer.Option("--json", help="Print what is in it as JSON for machines.")]


def diagnose(*, output: Output = None, process: Process = None, as_json: Json = False) -> None:
    """Write one bundle without secrets: versions, settings by name, health, logs, lag, tables, locks, audit, disk.

    What cannot be collected is noted in its manifest and stops nothing. Look into it before you send it.

    Example: patchline diagnose --output /tmp/patchline.tar.gz
    """
    at = datetime.now(UTC)
    path = output or Path(f"patchline-diagnose-{at:%Y%m%dT%H%M%SZ}.tar.gz")
    home = place.home(os.environ)
    settings = machine.settings_of(home, os.environ)
    secrets = machine.secrets_of(home, settings)
    urls = pages.health_urls(runs.recorded(home)) | _named(process or [])
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=commands.console, transient=True) as shown:
        task = shown.add_task("collecting")
        parts = {
            name: _announced(part, partial(shown.update, task, description=name))
            for name, part in _parts(home, settings, secrets, urls).items()
        }
        files, entries = commands.run(bundle.collected(parts, secrets))
    files["manifest.json"] = bundle.manifest(entries, files, at)
    try:
        bundle.write(path, files, at)
    except OSError as error:
        commands.stop(f"{path}: {error.strerror}", commands.WRONG_USE)
    _tell(path, entries, as_json=as_json)


def _named(given: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if any(not (name and url.startswith("http")) for name, _, url in pairs):
        commands.stop("--process: like inventory=http://host:8081", commands.WRONG_USE)
    return {name: url.rstrip("/") for name, _, url in pairs}


def _parts(home: Path, settings: Mapping[str, str], secrets: set[str], urls: Mapping[str, str]) -> dict[str, Part]:
    kafka = settings.get("PATCHLINE_KAFKA", "127.0.0.1:19092")
    return {
        "versions": machine.versions,
        "settings": _at_once(lambda: machine.settings(settings)),
        "disk": _at_once(lambda: machine.disk(home)),
        "logs": _at_once(lambda: machine.logs(home, secrets)),
        "processes": lambda: pages.pages(urls),
        "topics and groups": lambda: cluster.logs(kafka),
        "dead letters": lambda: cluster.dead_letters(kafka),
        "database": _database,
        "audit": lambda: _audit(kafka, settings),
    }


def _at_once(work: Callable[[], Files]) -> Part:
    async def part() -> Files:
        return work()

    return part


def _announced(part: Part, announce: Callable[[], None]) -> Part:
    async def announced() -> Files:
        announce()
        return await part()

    return announced


async def _database() -> Files:
    async with commands.operator() as connection, connection.transaction(readonly=True):
        await store.see_all(connection)
        return await database.tables(connection)


async def _audit(kafka: str, settings: Mapping[str, str]) -> Files:
    now = moved_clock(float(settings.get("PATCHLINE_CLOCK_OFFSET_SECONDS", "0")))()
    found = await audit.look(kafka, now - timedelta(days=7), wait_seconds=3)
    return {"audit.json": bundle.as_json(audit.report(found.balances, found))}


def _tell(path: Path, entries: list[Entry], *, as_json: bool) -> None:
    if as_json:
        parts = [{"part": each.part, "ok": each.ok, "files": each.files, "note": each.note} for each in entries]
        sys.stdout.write(json.dumps({"bundle": str(path), "parts": parts}, indent=2) + "\n")
        return
    rows = [{"part": each.part, "files": len(each.files), "note": each.note} for each in entries]
    commands.show(rows, title="Collected", as_json=False)
    commands.console.print(
        f"{path}: {path.stat().st_size // 1024 + 1} KiB; no secrets, but look into it before you send it"
    )
