"""`patchline case levels`: how the service level for exposure response was kept, for each client."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from chassis import commands
from services.credentials.guard import store_commands
from services.credentials.guard.options import Client, Json, now, stop_without_client
from services.credentials.guard.rules_levels import Attainment, attainments

USUAL: Final = timedelta(days=30)

Since = Annotated[datetime | None, typer.Option(help="Alerts that arrived from then on, UTC; default: 30 days ago.")]
Until = Annotated[datetime | None, typer.Option(help="Alerts that arrived before, UTC; default: now.")]


def levels(*, client: Client = None, since: Since = None, until: Until = None, as_json: Json = False) -> None:
    """Report the time to ticket, to reset, to notice and to verified: median, 90th percentile, worst, attainment.

    Example: patchline case levels --client "Acme Dental" --since 2026-11-01
    """
    moment = now()
    begin, end = _utc(since) or moment - USUAL, _utc(until) or moment
    if begin >= end:
        commands.stop("--since is not before --until", commands.WRONG_USE)
    rows = commands.run(_levels(client, begin, end, moment))
    if rows is None:
        stop_without_client(client)
    commands.show(rows if as_json else [_for_people(row) for row in rows], title="Service level", as_json=as_json)


async def _levels(
    client: str | None, since: datetime, until: datetime, moment: datetime
) -> list[dict[str, Any]] | None:
    async with store_commands.operating() as tx:
        tenant = None
        if client is not None and (tenant := await store_commands.tenant_of(tx, client)) is None:
            return None
        found = await store_commands.promises(tx, tenant, since, until)
    return [_row(name, each) for name in sorted(found) for each in attainments(found[name], now=moment)]


def _row(client: str, each: Attainment) -> dict[str, Any]:
    return {
        "client": client,
        "promise": each.promise.value,
        "owed": each.owed,
        "in_time": each.in_time,
        "late": each.late,
        "missing": each.missing,
        "running": each.running,
        "waived": each.waived,
        "percent": each.percent,
        "p50_seconds": each.p50_seconds,
        "p90_seconds": each.p90_seconds,
        "worst_seconds": each.worst_seconds,
    }


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    times = {name: spoken(row[f"{name}_seconds"]) for name in ("p50", "p90", "worst")}
    return {name: value for name, value in row.items() if not name.endswith("_seconds")} | times


def spoken(seconds: float | None) -> str | None:
    """Return a length of time for people: seconds below two minutes, minutes below two hours, then hours."""
    if seconds is None:
        return None
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)
