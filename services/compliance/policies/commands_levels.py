"""`patchline policy levels`: the service level of a month, for each operating system and tier."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import typer

from chassis import commands
from chassis.postgres import Connection
from contracts.events.event import Tier
from services.compliance.clocks.names import iana
from services.compliance.policies import preset, store_commands, store_commands_levels
from services.compliance.policies.compile import Version, in_force
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.options import Client, Json, tenant_named
from services.compliance.policies.rules_levels import Attainment, Level, Mean, levels, month, readings
from services.compliance.rules_figures import FORMULA
from services.compliance.typist import now
from services.compliance.zones import TZDATA, zone_of

MONTH: Final = re.compile(r"(?:19|20|21)[0-9]{2}-(?:0[1-9]|1[0-2])")
USUAL: Final = "msp-service-levels"
"""What is promised to a client whose policy says nothing of levels."""


def show_levels(
    *,
    client: Client,
    of_month: Annotated[str | None, typer.Option("--month", help="Such as 2026-11; default: this one so far.")] = None,
    as_json: Json = False,
) -> None:
    """Show how many deadlines of a month were met, and the mean of its days, beside what was promised.

    Excepted obligations are shown apart; excluded updates count once and do not count once. Nothing is blended: each
    row is one operating system and one tier.

    Example: patchline policy levels --client "Northwind Dental" --month 2026-11
    """
    if of_month is not None and MONTH.fullmatch(of_month) is None:
        commands.stop(f"--month: {of_month!r} is no month such as 2026-11", commands.WRONG_USE)
    at = now()
    chosen, found = commands.run(_levels(client, of_month, at))
    rows = [_for_machines(each) for each in found] if as_json else [_for_people(each) for each in found]
    if as_json:
        answer = {"client": client, "month": chosen, "as_of": at, "formula": FORMULA, "tzdata": TZDATA}
        sys.stdout.write(json.dumps({**answer, "levels": rows}, default=str, indent=2) + "\n")
        return
    commands.show(rows, title=f"Service levels of {client}, {chosen}", as_json=False)


async def _levels(client: str, of_month: str | None, at: datetime) -> tuple[str, Sequence[Level]]:
    """Return the month, by default the client's own present one, and what is known of it."""
    async with store_commands.operating() as tx:
        tenant = await tenant_named(tx, client)
        versions = [each.version for each in await store_commands.versions(tx, tenant)]
        zone = await _zone(tx, tenant, _agreed(versions, at))
        chosen = of_month or f"{at.astimezone(zone):%Y-%m}"
        year, in_month = (int(part) for part in chosen.split("-"))
        begin, end = month(year, in_month, zone)
        days = readings(year, in_month, zone, now=at)
        found = levels(
            await store_commands_levels.deadlines(tx, tenant, begin, min(end, at)),
            await store_commands_levels.standings(tx, tenant, list(days)),
            days=days,
            promised=promised_by(_agreed(versions, min(end, at))),
            exclusions=await store_commands_levels.exclusions(tx, tenant),
        )
    return chosen, found


async def _zone(tx: Connection, tenant: UUID, document: PolicyDocument | None) -> tzinfo:
    if document is not None:
        return ZoneInfo(iana(document.zone))
    return zone_of(await store_commands_levels.zone_name(tx, tenant)) or UTC


def _agreed(versions: Sequence[Version], at: datetime) -> PolicyDocument | None:
    version = in_force(versions, at)
    return version.document if version is not None else None


def promised_by(document: PolicyDocument | None) -> Mapping[Tier, float]:
    """Return what is promised of each tier: by the client's policy, else by the service definition's own levels."""
    if document is not None and document.service_levels:
        return _highest((level.tiers, level.at_least) for level in document.service_levels)
    usual = preset.shipped(USUAL)
    return _highest((level.tiers, level.at_least) for level in (usual.levels if usual else ()))


def _highest(said: Iterable[tuple[Sequence[Tier], float]]) -> dict[Tier, float]:
    found: dict[Tier, float] = {}
    for tiers, at_least in said:
        for tier in tiers:
            found[tier] = max(at_least, found.get(tier, 0.0))
    return found


def _for_people(level: Level) -> dict[str, object]:
    counted, all_ = level.attainment_without_excluded, level.attainment
    lowest = level.mean.lowest
    return {
        "os_family": level.group.os_family,
        "tier": level.group.tier,
        "promised": f"≥ {level.promised:g} %" if level.promised is not None else "",
        "kept": {None: "", True: "yes", False: "no"}[level.is_kept],
        "mean_of_days": _percent(level.mean_without_excluded.percent),
        "mean_with_excluded": _percent(level.mean.percent),
        "days": len(level.mean.days),
        "lowest_day": f"{lowest[0]}: {_percent(lowest[1])}" if lowest else "",
        "deadlines_met": f"{_percent(counted.percent)} ({counted.met} of {counted.met + counted.late})",
        "with_excluded": f"{_percent(all_.percent)} ({all_.met} of {all_.met + all_.late})",
        "excepted": all_.excepted,
    }


def _percent(value: Decimal | None) -> str:
    return "none" if value is None else f"{value} %"


def _for_machines(level: Level) -> dict[str, object]:
    return {
        "os_family": level.group.os_family.value,
        "tier": level.group.tier.value,
        "promised": level.promised,
        "kept": level.is_kept,
        "mean": _mean(level.mean_without_excluded),
        "mean_with_excluded": _mean(level.mean),
        "attainment": _attainment(level.attainment_without_excluded),
        "attainment_with_excluded": _attainment(level.attainment),
    }


def _mean(mean: Mean) -> dict[str, object]:
    lowest = mean.lowest
    return {
        "percent": _number(mean.percent),
        "lowest": None if lowest is None else {"day": lowest[0].isoformat(), "percent": float(lowest[1])},
        "days": {day.isoformat(): float(percent) for day, percent in mean.days},
    }


def _attainment(found: Attainment) -> dict[str, object]:
    return {"percent": _number(found.percent), "met": found.met, "late": found.late, "excepted": found.excepted}


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
