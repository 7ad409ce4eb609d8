"""`patchline asset retire|retirements`: machines that a person says are no more, and why."""

import getpass
from datetime import datetime
from typing import Annotated, Final, LiteralString

import asyncpg
import typer

from chassis import commands
from chassis.clock import moved_clock
from services.inventory import retiring
from services.inventory.commands import Json, operating
from services.inventory.commands_merge import LONGEST, By, Which, asset_app, one_asset
from services.inventory.merging import Refusal
from services.inventory.retiring import Retirement

__all__ = ["asset_app"]

Reason = Annotated[str, typer.Option("--reason", help="Why it is no more, kept for ever: sold, replaced, lost.")]


@asset_app.command("retire")
def retire_asset(machine: Which, *, reason: Reason, by: By = None, as_json: Json = False) -> None:
    """Say that a machine is no more: what it owes is listed as RETIRED, outside of every figure, with the reason.

    Should anything be heard of it from later than that, it comes back by itself, with its old deadlines.

    Example: patchline asset retire acme-pc07 --reason "sold in March, replaced by acme-pc31"
    """
    if not reason.strip() or len(reason) > LONGEST or not reason.isprintable():
        commands.stop(f"--reason: say in 1 to {LONGEST} characters, on one line, why", commands.WRONG_USE)
    at = moved_clock(commands.command_settings().clock_offset_seconds)()
    done = commands.run(_retire(machine, Retirement(by or getpass.getuser(), reason.strip(), at)))
    if isinstance(done, Refusal):
        commands.stop(f"not retired: {done.reason}", commands.NO)
    row = {"machine": machine, "retired_at": done, "reason": reason.strip()}
    commands.show([row], title="Retired", as_json=as_json)


@asset_app.command("retirements")
def list_retirements(*, as_json: Json = False) -> None:
    """List what was retired: who said so, when, why, and which of them came back.

    Example: patchline asset retirements --json
    """
    rows = [dict(row) for row in commands.run(_retirements())]
    commands.show(rows, title="Retirements", as_json=as_json)


async def _retire(named: str, said: Retirement) -> datetime | Refusal:
    async with operating() as tx:
        return await retiring.retire(tx, await one_asset(tx, named), said)


RETIREMENTS: Final[LiteralString] = """
    SELECT line.retired_at, coalesce(client.name, line.tenant_id::text) AS client, line.reason, line.who,
           (SELECT min(coalesce(hostname, device)) FROM inventory.asset WHERE asset_id = ANY(line.assets)) AS machine,
           EXISTS (SELECT FROM inventory.asset WHERE asset_id = ANY(line.assets) AND removed_at IS NULL) AS came_back
    FROM inventory.asset_retirement AS line LEFT JOIN inventory.client USING (tenant_id)
    ORDER BY line.retired_at, line.decision_id
"""


async def _retirements() -> list[asyncpg.Record]:
    async with operating() as tx:
        return await tx.fetch(RETIREMENTS)
