"""`patchline figures`: what an operator looks at."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from chassis import commands
from chassis.clock import moved_clock
from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import OUTSIDE_POPULATION, State
from services.compliance import store_commands, store_commands_obligations
from services.compliance.policy import DEFAULT_1, Policy
from services.compliance.rules_figures import FORMULA, Figure, Refused, Single, single_figure
from services.compliance.zones import TZDATA

figures_app = typer.Typer(help="The partition and F-STRICT of each client, operating system, tier and severity.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Client = Annotated[str | None, typer.Option(help="Only this client, by name.")]


def _now() -> datetime:
    return moved_clock(commands.command_settings().clock_offset_seconds)()


@figures_app.callback(invoke_without_command=True)
def figures(
    *,
    client: Client = None,
    os_family: Annotated[OsFamily | None, typer.Option("--os", help="Only this operating system.")] = None,
    tier: Annotated[Tier | None, typer.Option(help="Only this tier.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only this band.")] = None,
    single: Annotated[bool, typer.Option("--single", help="One figure; refused across what is never blended.")] = False,
    as_json: Json = False,
) -> None:
    """Show the partition and the headline of each cell, counted now.

    Example: patchline figures --client "Northwind Dental" --os windows --tier server --single
    """
    now = _now()
    answer = commands.run(_figures(client, now, os_family=os_family, tier=tier, severity=severity))
    if answer is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    found, own = answer
    rows = [_row(name, figure, now, own.get(figure.cell.tenant_id, DEFAULT_1)) for name, figure in found]
    if not single:
        _show_cells(rows, title="Figures", as_json=as_json)
        return
    match single_figure([figure for _, figure in found]):
        case Refused() as refused:
            if as_json:
                refusal = {"refused": refused.why, "over": refused.over, "vector": rows}
                sys.stdout.write(json.dumps(refusal, default=str, indent=2) + "\n")
            else:
                _show_cells(rows, title="Each figure", as_json=False)
            commands.stop(refused.why, commands.NO)
        case Single() as one:
            shown: dict[str, object] = {
                "percent": _number(one),
                "population": one.population,
                "counts": _partition(one.counts),
                "attested": one.attested,
            }
            policy = own.get(found[0][1].cell.tenant_id, DEFAULT_1) if found else DEFAULT_1
            commands.show([shown | _versions(now, policy)] if as_json else [shown], title="Figure", as_json=as_json)


Found = tuple[list[tuple[str, Figure]], Mapping[UUID, Policy]]


async def _figures(
    client: str | None, now: datetime, *, os_family: OsFamily | None, tier: Tier | None, severity: Severity | None
) -> Found | None:
    """Return the figures by client's name, and the policies of those clients that have their own."""
    async with commands.operator() as connection, connection.transaction():
        await store_commands.see_all_tenants(connection)
        if client is not None and not await store_commands.is_client(connection, client):
            return None
        found = await store_commands.figures(
            connection, client=client, os_family=os_family, tier=tier, severity=severity
        )
        tenants = {figure.cell.tenant_id for _, figure in found}
        return found, await store_commands_obligations.policies(connection, tenants, now)


def _row(client: str, figure: Figure, now: datetime, policy: Policy) -> dict[str, object]:
    return {
        "client": client,
        "os_family": figure.cell.os_family.value,
        "tier": figure.cell.tier.value,
        "severity": figure.cell.severity.value,
        "population": figure.population,
        "percent": _number(figure),
        "counts": _partition(figure.counts),
        "outside": {state.value: figure.counts[state] for state in State if state in OUTSIDE_POPULATION},
        "attested": figure.attested,
        **_versions(now, policy),
    }


def _number(figure: Figure | Single) -> float | None:
    return None if figure.percent is None else float(figure.percent)


def _partition(counts: Mapping[State, int]) -> dict[str, int]:
    return {state.value: counts[state] for state in State if state not in OUTSIDE_POPULATION}


def _versions(now: datetime, policy: Policy) -> dict[str, object]:
    return {"formula": FORMULA, "as_of": now, "as_known": now, "policy": policy.id, "tzdata": TZDATA}


def _show_cells(rows: Sequence[Mapping[str, object]], *, title: str, as_json: bool) -> None:
    if as_json:
        commands.show(rows, title=title, as_json=True)
        return
    shown = [
        {name: row[name] for name in ("client", "os_family", "tier", "severity", "population", "percent", "attested")}
        | {name: _nonzero(row[name]) for name in ("counts", "outside")}
        for row in rows
    ]
    commands.show(shown, title=title, as_json=False)


def _nonzero(counts: object) -> str:
    found = counts.items() if isinstance(counts, dict) else ()
    return " · ".join(f"{state} {count}" for state, count in found if count)
