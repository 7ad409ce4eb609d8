"""`patchline asset merge|unmerge|merges|suggest`: which assets are one machine, decided and looked up by people."""

import getpass
from collections.abc import Sequence
from typing import Annotated, Final, LiteralString
from uuid import UUID

import asyncpg
import typer

from chassis import commands
from chassis.clock import moved_clock
from chassis.postgres import Connection
from services.inventory import merging
from services.inventory.commands import Json, asset_app, operating
from services.inventory.joining import suggested
from services.inventory.merging import Decision, Refusal
from services.inventory.rules_identity import Suggestion

__all__ = ["asset_app"]

Which = Annotated[str, typer.Argument(help="Its asset id, its id at the source, or its host name, if only one has it.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept for ever.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides; else who is logged in here.")]
LONGEST: Final = 500


@asset_app.command("merge")
def merge_assets(one: Which, other: Which, *, why: Why, by: By = None, as_json: Json = False) -> None:
    """Say that two assets of one client are one machine: the smaller id survives, and both count as one from now on.

    Everything that was said of both counts together: what an agent reads then proves what the RMM claims.

    Example: patchline asset merge acme-dc01 3f1c2a44-9d0e-5c1b-8a77-0c5f6b8d2e10 --why "the agent on the same server"
    """
    decision = _decision(why, by)
    _show(commands.run(_merge([one, other], decision)), one=one, other=other, did="merged", as_json=as_json)


@asset_app.command("unmerge")
def unmerge_asset(asset: Which, *, why: Why, by: By = None, as_json: Json = False) -> None:
    """Take an asset out of those that it is one machine with; no automaton joins or suggests them ever again.

    Example: patchline asset unmerge 3f1c2a44-9d0e-5c1b-8a77-0c5f6b8d2e10 --why "a clone with the same serial number"
    """
    decision = _decision(why, by)
    _show(commands.run(_unmerge(asset, decision)), one=asset, other=None, did="unmerged", as_json=as_json)


@asset_app.command("merges")
def list_merges(*, as_json: Json = False) -> None:
    """List what was merged and unmerged: who decided it, when, why, and by which words.

    Example: patchline asset merges --json
    """
    rows = [dict(row) for row in commands.run(_history())]
    if not as_json:
        rows = [{name: row[name] for name in FOR_PEOPLE} for row in rows]
    commands.show(rows, title="Merges", as_json=as_json)


@asset_app.command("suggest")
def suggest_merges(*, as_json: Json = False) -> None:
    """List assets of one client that have one serial number, at one device of each source: probably one machine.

    Nothing is merged by this. Numbers that makers leave blank count for nothing, nor does what a person took apart.

    Example: patchline asset suggest
    """
    found = commands.run(_suggested())
    rows = [
        {"suggestion": number, "serial": each.serial, "asset": str(asset.asset_id), "hostname": asset.hostname,
         "source": asset.source, "device": asset.device}
        for number, each in enumerate(found, start=1)
        for asset in each.assets
    ]  # fmt: skip
    commands.show(rows, title="Probably one machine", as_json=as_json)


FOR_PEOPLE: Final = ("decided_at", "kind", "client", "assets", "surviving", "who", "why")
"""The columns that fit a terminal; the rest is in the JSON."""

NAMED: Final[LiteralString] = """
    SELECT asset_id FROM inventory.asset WHERE asset_id::text = $1
    UNION SELECT asset_id FROM inventory.asset WHERE removed_at IS NULL AND (hostname = $1 OR device = $1)
    ORDER BY asset_id LIMIT 9
"""
HISTORY: Final[LiteralString] = """
    SELECT line.decided_at, line.kind, coalesce(client.name, line.tenant_id::text) AS client,
           array_to_string(line.assets, ' ') AS assets, line.surviving_id::text AS surviving, line.who, line.why,
           line.by_hand, line.evidence, line.recorded_at
    FROM inventory.asset_merge_history AS line LEFT JOIN inventory.client USING (tenant_id)
    ORDER BY line.decided_at, line.decision_id
"""


def _decision(why: str, by: str | None) -> Decision:
    if not why.strip() or len(why) > LONGEST:
        commands.stop(f"--why: say in 1 to {LONGEST} characters why", commands.WRONG_USE)
    at = moved_clock(commands.command_settings().clock_offset_seconds)()
    return Decision(who=by or getpass.getuser(), why=why.strip(), at=at, by_hand=True)


async def _merge(named: Sequence[str], decision: Decision) -> UUID | Refusal:
    async with operating() as tx:
        return await merging.merge(tx, {await one_asset(tx, each) for each in named}, decision)


async def _unmerge(named: str, decision: Decision) -> UUID | Refusal:
    async with operating() as tx:
        return await merging.unmerge(tx, await one_asset(tx, named), decision)


async def one_asset(tx: Connection, named: str) -> UUID:
    """Return the one asset that is called so."""
    found: list[UUID] = [row["asset_id"] for row in await tx.fetch(NAMED, named)]
    if not found:
        commands.stop(f"there is no asset {named!r}; see: patchline asset list", commands.NO)
    if len(found) > 1:
        ids = ", ".join(map(str, found))
        commands.stop(f"{named!r} is the name of several assets, name one of them: {ids}", commands.WRONG_USE)
    return found[0]


async def _history() -> list[asyncpg.Record]:
    async with operating() as tx:
        return await tx.fetch(HISTORY)


async def _suggested() -> list[Suggestion]:
    async with operating() as tx:
        return await suggested(tx)


def _show(done: UUID | Refusal, *, one: str, other: str | None, did: str, as_json: bool) -> None:
    if isinstance(done, Refusal):
        commands.stop(f"not {did}: {done.reason}", commands.NO)
    row = {"asset": one} | ({"with": other} if other else {}) | {"surviving" if other else "others_are": str(done)}
    commands.show([row], title=did.capitalize(), as_json=as_json)
