"""`patchline priority`: which patch comes first and why; a person's word instead of a table's; the log as evidence."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID

import typer

from chassis import commands
from services.compliance.policies.options import moment_of
from services.compliance.policies.store_commands import operating
from services.compliance.priority import store_commands
from services.compliance.priority.options import AnyClient, Client, Json, known_requirement, tenant_of
from services.compliance.priority.rules_trees import Tree
from services.compliance.priority.store_commands import Word
from services.compliance.priority.tables import trees
from services.compliance.typist import now, typist

priority_app: Final = typer.Typer(no_args_is_help=True, help="Which patch comes first, and why: every decision.")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
CITES: Final = ("45 CFR 164.308(a)(1)(ii)(A)", "45 CFR 164.308(a)(1)(ii)(B)", "45 CFR 164.308(a)(8)")
"""What the log answers to. Source: patch-policy reference 3.7, artifact 2."""


@priority_app.command("list")
def list_priorities(
    *,
    client: AnyClient = None,
    outcome: Annotated[str | None, typer.Option(help="Only what has this outcome.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List what is open, the most urgent first, with what it was decided by and what is not known.

    Example: patchline priority list --client "Northwind Dental" --outcome immediate
    """
    rows = sorted(commands.run(_standing(client, outcome)), key=_urgency, reverse=True)[:limit]
    commands.show(rows if as_json else [_for_people(row) for row in rows], title="Priorities", as_json=as_json)


async def _standing(client: str | None, outcome: str | None) -> list[dict[str, Any]]:
    async with operating() as tx:
        tenant = None if client is None else await tenant_of(tx, client)
        return [dict(row) for row in await store_commands.standing(tx, tenant, outcome)]


def _urgency(row: Mapping[str, Any]) -> tuple[object, ...]:
    """Sort by outcome, by what it is at best, then by what is exploited, likely to be, and bad. Models are not mixed.

    Of two EPSS models no score is compared: a score counts only beside others of the newest version that is known.
    """
    table, told = trees()[row["table_id"]], row["inputs"]
    share = (table.urgency(row["outcome"]) + 1) / len(table.outcomes)
    best = (table.urgency(row["verdict"]["at_best"]) + 1) / len(table.outcomes)
    model = max((each for each in told["versions"] if each.startswith("epss ")), default="")
    exploited = (told["kev_added_at"] is not None, bool(told["ransomware"]))
    names = (row["client"], row["product"], row["train"], row["release"], row["machines"])
    return share, best, *exploited, model, told["epss"] or 0, told["cvss"] or 0, *names


def _for_people(row: Mapping[str, Any]) -> dict[str, object]:
    verdict, told = row["verdict"], row["inputs"]
    is_certain = verdict["outcome"] == verdict["at_best"]
    return {
        "client": row["client"],
        "product": row["product"],
        "release": row["release"],
        "machines": row["machines"],
        "open": row["open"],
        "outcome": row["outcome"],
        "at_best": None if is_certain or row["override"] else verdict["at_best"],
        "not_known": None if is_certain else ", ".join(verdict["unknown"]),
        "kev": (told["kev_added_at"] or "")[:10] or None,
        "epss": told["epss"],
        "cvss": told["cvss"],
        "decided_by": row["decided_by"],
        "decided_at": row["decided_at"],
    }


@priority_app.command()
def show(
    requirement: Annotated[str, typer.Argument(help="Its id, or product/train.")],
    *,
    client: Client,
    as_json: Json = False,
) -> None:
    """Show every decision on one requirement, oldest first: inputs, versions, table, outcome, whose word.

    Example: patchline priority show "Windows Server 2022/cumulative" --client "Northwind Dental"
    """
    rows = commands.run(_log(client, requirement, EPOCH, now()))
    shown = ("decided_at", "release", "machines", "before", "outcome", "decided_by", "table_id", "policy", "catalog")
    if not as_json:
        rows = [{name: row[name] for name in shown} | {"inputs": _told(row["inputs"])} for row in rows]
    commands.show(rows, title="Decisions", as_json=as_json)


def _told(inputs: Mapping[str, Any]) -> str:
    return " · ".join(f"{name} {value}" for name, value in inputs.items() if value not in (None, [], ()))


async def _log(client: str, requirement: str | None, since: datetime, until: datetime) -> list[dict[str, Any]]:
    async with operating() as tx:
        tenant = await tenant_of(tx, client)
        only = None if requirement is None else await known_requirement(tx, requirement)
        return [dict(row) for row in await store_commands.log(tx, tenant, only, since=since, until=until)]


@priority_app.command()
def override(  # noqa: PLR0913 - one argument per option
    requirement: Annotated[str, typer.Argument(help="Its id, or product/train.")],
    *,
    client: Client,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads the log.")],
    outcome: Annotated[str | None, typer.Option(help="Of a table's; see: patchline priority tables.")] = None,
    until: Annotated[str | None, typer.Option(help="When it ends, such as 2026-12-01T00:00:00Z.")] = None,
    machines: Annotated[str | None, typer.Option(help="Only this class, as `priority list` names it.")] = None,
    end: Annotated[bool, typer.Option("--end", help="Give the word back to the table now.")] = False,
    as_json: Json = False,
) -> None:
    """Put your word in the place of a table's, until a moment. It orders work; it moves no deadline.

    Example: patchline priority override "Windows 11 24H2/cumulative" --client "Northwind Dental" --outcome scheduled
    --until 2026-12-01T00:00:00Z --reason "the vendor tells of a broken update"
    """
    at = now()
    ends_at = NEVER if end else _until(outcome, until, at)
    if end and (outcome or until):
        commands.stop("--end takes neither --outcome nor --until", commands.WRONG_USE)
    if not reason.strip():
        commands.stop("--reason: say why", commands.WRONG_USE)
    typed = Typed(client, requirement, machines, outcome, reason.strip(), at, ends_at)
    commands.show(commands.run(_ended(typed) if end else _overridden(typed)), title="Overrides", as_json=as_json)


class Typed(NamedTuple):
    """What was typed."""

    client: str
    requirement: str
    machines: str | None
    outcome: str | None
    reason: str
    at: datetime
    until: datetime

    def word(self, tenant: UUID, requirement: UUID, table: str) -> Word:
        """Return it as it is kept."""
        return Word(
            tenant=tenant,
            requirement=requirement,
            machines=self.machines,
            table=table,
            outcome=self.outcome,
            reason=self.reason,
            by=typist(),
            valid_from=self.at,
            until=self.until,
            at=self.at,
        )


def _until(outcome: str | None, until: str | None, at: datetime) -> datetime:
    if outcome is None or until is None:
        commands.stop("say --outcome, and --until: every override ends", commands.WRONG_USE)
    ends_at = moment_of(until, "--until")
    if ends_at <= at:
        commands.stop(f"--until: {until} is over", commands.WRONG_USE)
    return ends_at


async def _overridden(typed: Typed) -> list[dict[str, object]]:
    table = next((each.id for each in trees().values() if typed.outcome in each.outcomes), None)
    if table is None:
        commands.stop(f"no table has the outcome {typed.outcome!r}; see: patchline priority tables", commands.WRONG_USE)
    async with operating() as tx:
        tenant = await tenant_of(tx, typed.client)
        requirement = await known_requirement(tx, typed.requirement)
        id_ = await store_commands.override(tx, typed.word(tenant, requirement, table))
    return [{"override": str(id_), "table": table, "outcome": typed.outcome, "until": typed.until, "by": typist()}]


async def _ended(typed: Typed) -> list[dict[str, object]]:
    """Give the word back to every table in whose place one holds for these machines."""
    async with operating() as tx:
        tenant = await tenant_of(tx, typed.client)
        requirement = await known_requirement(tx, typed.requirement)
        told = await store_commands.overrides(tx, tenant)
        last = {
            each["table"]: each
            for each in told
            if (each["requirement"], each["machines"]) == (str(requirement), typed.machines)
        }
        tables = [
            table for table, each in sorted(last.items()) if each["outcome"] is not None and each["until"] > typed.at
        ]
        for table in tables:
            await store_commands.override(tx, typed.word(tenant, requirement, table))
    if not tables:
        commands.stop("no override holds there; see: patchline priority overrides", commands.NO)
    return [{"ended": table, "at": typed.at, "by": typist()} for table in tables]


@priority_app.command()
def overrides(*, client: Client, as_json: Json = False) -> None:
    """List every override that anybody ever gave a client, with who, why and until when.

    Example: patchline priority overrides --client "Northwind Dental"
    """
    commands.show(commands.run(_overrides(client)), title="Overrides", as_json=as_json)


async def _overrides(client: str) -> list[dict[str, Any]]:
    async with operating() as tx:
        return [dict(row) for row in await store_commands.overrides(tx, await tenant_of(tx, client))]


@priority_app.command()
def export(
    *,
    client: Client,
    file: Annotated[Path | None, typer.Option("--out", help="Write it there instead of to the terminal.")] = None,
    since: Annotated[str | None, typer.Option(help="From this moment on; default: the beginning.")] = None,
    until: Annotated[str | None, typer.Option(help="Up to this moment; default: now.")] = None,
) -> None:
    """Write the risk-based prioritization log: every decision with inputs, versions, table, outcome, override, by whom.

    Example: patchline priority export --client "Northwind Dental" --out priorities.json
    """
    begins_at = EPOCH if since is None else moment_of(since, "--since")
    text = json.dumps(commands.run(_exported(client, begins_at, moment_of(until, "--until"))), default=str, indent=2)
    if file is None:
        sys.stdout.write(text + "\n")
        return
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        commands.stop(f"{file} cannot be written: {error.strerror}", commands.WRONG_USE)
    digest = sha256((text + "\n").encode()).hexdigest()
    commands.show([{"file": file, "sha256": digest}], title="Priority log", as_json=False)


async def _exported(client: str, since: datetime, until: datetime) -> dict[str, object]:
    async with operating() as tx:
        tenant = await tenant_of(tx, client)
        decisions = [dict(row) for row in await store_commands.log(tx, tenant, None, since=since, until=until)]
        told = [dict(row) for row in await store_commands.overrides(tx, tenant)]
    used = sorted({each["table_id"] for each in decisions} | {table for each in decisions for table in each["also"]})
    return {
        "artifact": "risk-based prioritization log",
        "cites": CITES,
        "client": client,
        "since": since,
        "until": until,
        "tables": [_described(trees()[id_]) for id_ in used if id_ in trees()],
        "decisions": decisions,
        "overrides": [each for each in told if since <= each["recorded_at"] < until],
    }


@priority_app.command()
def tables(
    table: Annotated[str | None, typer.Argument(help="One of them, whole.")] = None, *, as_json: Json = False
) -> None:
    """List the decision tables with authority and outcomes, or show one whole.

    Example: patchline priority tables cisa-bod-26-04-1.0.0
    """
    if table is None:
        commands.show([_described(each) for each in trees().values()], title="Tables", as_json=as_json)
        return
    if (found := trees().get(table)) is None:
        commands.stop(f"there is no table {table!r}; see: patchline priority tables", commands.NO)
    rows = [
        dict(zip(found.points, values, strict=True)) | {"outcome": outcome}
        for values, outcome in found.outcome_by_values.items()
    ]
    commands.show(rows, title=f"{found.title} ({found.authority})", as_json=as_json)


def _described(table: Tree) -> dict[str, object]:
    return {
        "table": table.id,
        "title": table.title,
        "authority": table.authority,
        "citation": table.citation,
        "outcomes": ", ".join(table.outcomes),
        "rows": len(table.outcome_by_values),
    }
