"""`patchline exclusion`: high-volume or emergency updates that the service level does not count for a while.

The security clock runs on all the same. Source: service definition, service level.
"""

from typing import Annotated, Final
from uuid import UUID

import typer

from chassis import commands
from contracts import ids
from services.compliance.exceptions import store_commands, store_commands_exclusion
from services.compliance.exceptions.asking import NotAsked, moment_of
from services.compliance.exceptions.commands import Json, typed_now, whoever
from services.compliance.exceptions.records import Exclusion
from services.compliance.exceptions.store_commands import operating
from services.compliance.rules_cause import SOURCE
from services.compliance.zones import zone_of

SHORTEST_PREFIX: Final = 8

exclusion_app: Final = typer.Typer(
    no_args_is_help=True, help="Exclusions: updates that the service level leaves out for a while. Their clock runs."
)


@exclusion_app.command("add")
def add(
    *,
    client: Annotated[str, typer.Option(help="Whose service level.")],
    patch: Annotated[list[str], typer.Option(help="A release as the catalog names it, or its KB. Repeat it.")],
    reason: Annotated[str, typer.Option(help="Why: so many at once, or so little notice.")],
    approver: Annotated[str, typer.Option(help="Who agreed, by name.")],
    until: Annotated[str, typer.Option(help="A date (through that day, in the client's zone), or a moment.")],
    as_json: Json = False,
) -> None:
    """Leave updates out of a client's service level until a date. Deadlines, tickets and states go on as they are.

    Example: patchline exclusion add --client "Northwind Dental" --patch KB5070001 --approver "Nora West"
    --reason "released out of band on a Friday evening" --until 2026-12-05
    """
    for name, value in (("--reason", reason), ("--approver", approver)):
        if not value.strip():
            commands.stop(f"{name}: say it", commands.WRONG_USE)
    row = commands.run(_add(client, patch, reason=reason, approver=approver, until=until))
    commands.show([row], title="Excluded", as_json=as_json)


async def _add(client: str, patches: list[str], *, reason: str, approver: str, until: str) -> dict[str, object]:
    now = typed_now()
    async with operating() as tx:
        named = await store_commands.client(tx, client)
        zone = None if named is None else zone_of(named.zone)
        if named is None or zone is None:
            raise NotAsked(f"there is no client called {client!r}; see: patchline client list")
        ends_at = moment_of(until, zone)
        if ends_at <= now:
            raise NotAsked(f"--until {until}: it is over already")
        known = await store_commands_exclusion.releases(tx, patches)
        if unknown := [each for each in patches if each not in known]:
            raise NotAsked(f"the catalog knows no release {unknown[0]!r}; see: patchline obligation list")
        releases = sorted({release for each in known.values() for release in each})
        fields = (str(named.tenant_id), *releases, approver)
        exclusion = Exclusion(
            id=ids.event_id_of_fields(SOURCE, "exclusion", now, *fields),
            tenant_id=named.tenant_id,
            patches=tuple(releases),
            reason=reason,
            approver=approver,
            valid_from=now,
            until=ends_at,
            recorded_at=now,
        )
        await store_commands_exclusion.add(tx, exclusion, by=whoever())
    return {"exclusion": exclusion.id, "client": client, "patches": releases, "approver": approver, "until": ends_at}


@exclusion_app.command("end")
def end(
    exclusion: Annotated[str, typer.Argument(help="Its id, or how it begins (at least eight characters).")],
    *,
    why: Annotated[str, typer.Option(help="What is kept as the reason.")],
    as_json: Json = False,
) -> None:
    """Let the updates of an exclusion count again before its end.

    Example: patchline exclusion end 7d2fac50 --why "rolled out on Monday"
    """
    row = commands.run(_end(exclusion, why))
    commands.show([row], title="Ended", as_json=as_json)


async def _end(prefix: str, why: str) -> dict[str, object]:
    now = typed_now()
    if len(prefix) < SHORTEST_PREFIX or not why.strip():
        raise NotAsked(f"name at least {SHORTEST_PREFIX} characters of the exclusion's id, and say why")
    async with operating() as tx:
        found = await store_commands_exclusion.listed(tx, prefix=prefix.lower(), ends_after=now)
        if len(found) != 1:
            raise NotAsked(f"{len(found)} exclusions that hold begin with {prefix!r}; see: patchline exclusion list")
        id_, tenant = UUID(str(found[0]["exclusion"])), UUID(str(found[0]["tenant_id"]))
        await store_commands_exclusion.end(tx, id_, tenant, why=why, at=now, by=whoever())
    return {"exclusion": id_, "client": found[0]["client"], "patches": found[0]["patches"], "ended_at": now}


@exclusion_app.command("list")
def list_exclusions(
    *,
    client: Annotated[str | None, typer.Option(help="Only this client, by name.")] = None,
    with_all: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: Json = False,
) -> None:
    """List updates that service levels leave out, with who agreed and until when.

    Example: patchline exclusion list --all --json
    """
    rows = commands.run(_listed(client, with_all=with_all))
    commands.show(rows, title="Exclusions", as_json=as_json)


async def _listed(client: str | None, *, with_all: bool) -> list[dict[str, object]]:
    async with operating() as tx:
        found = await store_commands_exclusion.listed(tx, client=client, ends_after=None if with_all else typed_now())
    return [{name: value for name, value in row.items() if name != "tenant_id"} for row in found]
