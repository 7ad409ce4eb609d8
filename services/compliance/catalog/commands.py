"""`patchline catalog`: load what vendors and feeds publish, look at how old it is, ask what satisfies a patch."""

import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from chassis import commands
from chassis.clock import moved_clock
from services.compliance import store_commands, store_commands_catalog, store_commands_feeds, store_commands_newest
from services.compliance.catalog import official
from services.compliance.catalog.bundled import BUNDLED
from services.compliance.catalog.document import CatalogRefused, document
from services.compliance.catalog.entries import CatalogDocument
from services.compliance.catalog.feeds.formats import Format
from services.compliance.catalog.feeds.found import FeedRefused, Options
from services.compliance.catalog.files import Source, digest, read_files
from services.compliance.catalog.loading import Loaded
from services.compliance.catalog.loading import load as load_sources
from services.compliance.catalog.satisfying import Satisfied, satisfied_by
from services.compliance.store_commands_feeds import Version

catalog_app = typer.Typer(no_args_is_help=True, help="What vendors released for which product.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
SECONDS_A_DAY: Final = 86_400


@catalog_app.command()
def load(  # noqa: PLR0913 - each is one option of the command line
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Files, or folders of JSON files; with --from-official what to fetch, such as a CVE."),
    ] = None,
    *,
    kind: Annotated[Format, typer.Option("--format", help="What the files are.")] = Format.PATCHLINE,
    from_official: Annotated[bool, typer.Option("--from-official", help="Fetch it from its publisher first.")] = False,
    epss_model: Annotated[str | None, typer.Option(help="The EPSS model, of a file that does not say it.")] = None,
    score_date: Annotated[datetime | None, typer.Option(help="The day of its scores, in UTC.")] = None,
    notice_days: Annotated[int, typer.Option(min=1, max=3650, help="Lifecycle: how long before the end.")] = 180,
    as_json: Json = False,
) -> None:
    """Load a catalog or a feed; obligations follow it within seconds. Loading the same again changes nothing.

    The format patchline replaces the catalog (without a file: by the one that comes along); every other adds to it.
    Example: patchline catalog load kbs.csv edges.csv --format windows-kb
    """
    if kind is Format.PATCHLINE and not from_official:
        _load_catalog(files or [], as_json=as_json)
        return
    if not files and not from_official:
        commands.stop(f"say which files of {kind}, or --from-official", commands.WRONG_USE)
    at = score_date.replace(tzinfo=UTC) if score_date else None
    options = Options(epss_model=epss_model, score_date=at, notice_days=notice_days)
    loaded = commands.run(_load_feed(kind, files or [], options, from_official=from_official))
    _show_loaded(loaded, as_json=as_json)


def _load_catalog(files: Sequence[str], *, as_json: bool) -> None:
    if len(files) > 1:
        commands.stop("a catalog is one file", commands.WRONG_USE)
    path = Path(files[0]) if files else BUNDLED
    try:
        [source] = read_files([path])
        found = document(source.file.text)
    except (CatalogRefused, FeedRefused) as error:
        commands.stop(str(error), commands.WRONG_USE)
    commands.show([commands.run(_add(source, found))], title="Catalog", as_json=as_json)


async def _add(source: Source, found: CatalogDocument) -> dict[str, object]:
    now = _now()
    size = _size(found)
    async with commands.operator() as connection, connection.transaction():
        await store_commands_feeds.one_at_a_time(connection)
        number, is_new = await store_commands_catalog.add(connection, found, now)
        if is_new:
            version = Version(
                feed=Format.PATCHLINE,
                label=found.name,
                origin=source.origin,
                sha256=digest([source]),
                entries=len(found.products),
                loaded_at=now,
                catalog_version=number,
            )
            await store_commands_feeds.add(connection, version, ())
    return {"version": number, "is_new": is_new, **size}


async def _load_feed(kind: Format, names: Sequence[str], options: Options, *, from_official: bool) -> list[Loaded]:
    clock = moved_clock(commands.command_settings().clock_offset_seconds)
    if from_official:
        folder = Path(os.environ.get("PATCHLINE_HOME", ".patchline")) / "feeds"
        sources = await official.fetch(kind, names, folder, clock)
        _tell(f"fetched {', '.join(source.name for source in sources)} into {folder}")
    else:
        sources = read_files([Path(name) for name in names])
    _tell(f"reading {sum(len(source.content) for source in sources)} bytes of {kind}")
    async with commands.operator() as connection, connection.transaction():
        return await load_sources(connection, kind, sources, options, clock())


def _tell(line: str) -> None:
    """Say to a person who waits what is going on; what is printed for machines stays clean."""
    sys.stderr.write(f"{line}\n")


def _show_loaded(loaded: Sequence[Loaded], *, as_json: bool) -> None:
    rows = [asdict(each) for each in loaded]
    if as_json:
        commands.show(rows, title="Loaded", as_json=True)
        return
    commands.show([{name: row[name] for name in row if name != "notes"} for row in rows], title="Loaded", as_json=False)
    for each in loaded:
        for note in each.notes:
            commands.console.print(f"- {note}")


def _now() -> datetime:
    return moved_clock(commands.command_settings().clock_offset_seconds)()


def _size(found: CatalogDocument) -> dict[str, object]:
    releases = [release for product in found.products for train in product.trains for release in train.releases]
    return {
        "name": found.name,
        "products": len(found.products),
        "requirements": sum(len(product.trains) for product in found.products),
        "releases": len(releases),
        "builds_unconfirmed": sum(1 for each in releases if each.fixed_build and not each.build_confirmed),
        "moments_unconfirmed": sum(1 for each in releases if not each.release_confirmed),
    }


@catalog_app.command()
def status(*, as_json: Json = False) -> None:
    """Show which catalog is the newest, whether obligations follow it, what is parked, and how old each feed is.

    Example: patchline catalog status --json
    """
    row, feeds = commands.run(_status())
    if as_json:
        commands.show([row | {"feeds": feeds}], title="Catalog", as_json=True)
        return
    commands.show([{"what": name, "value": value} for name, value in row.items()], title="Catalog", as_json=False)
    commands.show([{name: feed[name] for name in FOR_PEOPLE} for feed in feeds], title="Feeds", as_json=False)


FOR_PEOPLE: Final = ("feed", "label", "age_days", "entries", "versions", "applied", "origin")
"""The columns that fit a terminal; the rest is in the JSON."""


async def _status() -> tuple[dict[str, object], list[dict[str, object]]]:
    now = _now()
    async with commands.operator() as connection, connection.transaction():
        await store_commands.see_all_tenants(connection)
        row = await store_commands.status(connection)
        feeds = [dict(each) for each in await store_commands_feeds.feeds(connection)]
    for each in feeds:
        age = now - (each["published_at"] or each["loaded_at"])
        each["age_days"] = round(age.total_seconds() / SECONDS_A_DAY, 1)
    return row, feeds


@catalog_app.command()
def satisfies(
    patch: Annotated[str, typer.Argument(help="A KB number, or the name of a release.")], *, as_json: Json = False
) -> None:
    """Show on which fix lines a patch is, and which releases satisfy a need for it, all the way up.

    Example: patchline catalog satisfies KB5049983
    """
    found = commands.run(_satisfied(patch))
    if not found:
        commands.stop(f"the catalog has no patch {patch!r}", commands.NO)
    rows = [asdict(each) for each in found]
    if not as_json:
        rows = [row | {"satisfied_by": ", ".join(row["satisfied_by"])} for row in rows]
    commands.show(rows, title=f"What satisfies {patch}", as_json=as_json)


async def _satisfied(patch: str) -> list[Satisfied]:
    async with commands.operator() as connection, connection.transaction():
        known = await store_commands_newest.newest_document(connection)
    return satisfied_by(known, patch) if known else []


@catalog_app.command()
def vulnerability(cve: Annotated[str, typer.Argument(help="A CVE.")], *, as_json: Json = False) -> None:
    """Show what each version of each feed said of a vulnerability, the newest first.

    Example: patchline catalog vulnerability CVE-2024-3400
    """
    rows = commands.run(_of_cve(cve.strip().upper()))
    if not rows:
        commands.stop(f"no feed that was loaded says anything of {cve}", commands.NO)
    if not as_json:
        said = {name for row in rows for name, value in row.items() if value is not None}
        rows = [{name: value for name, value in row.items() if name in said} for row in rows]
    commands.show(rows, title=cve.upper(), as_json=as_json)


async def _of_cve(cve: str) -> list[dict[str, object]]:
    async with commands.operator() as connection, connection.transaction():
        return [dict(row) for row in await store_commands_feeds.of_cve(connection, cve)]
