"""`patchline triage`: what must be looked at before a patch is deployed, and what was."""

from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import typer

from chassis import commands
from services.compliance.policies.options import moment_of
from services.compliance.policies.store_commands import operating
from services.compliance.priority import store_commands_triage
from services.compliance.priority.options import AnyClient, Json, requirement_of, tenant_of
from services.compliance.priority.rules_triage import Found, Step
from services.compliance.priority.store_commands_triage import Done
from services.compliance.typist import now, typist

triage_app: Final = typer.Typer(no_args_is_help=True, help="Forensic triage: what must be looked at before a patch.")

Machine = Annotated[str, typer.Argument(help="A hostname, or the id of an asset.")]


@triage_app.command("list")
def list_triages(
    *,
    client: AnyClient = None,
    closed: Annotated[bool, typer.Option("--closed", help="Those that are closed too.")] = False,
    as_json: Json = False,
) -> None:
    """List the triages that are under way: what is due when, what is late, where a patch came first.

    Example: patchline triage list --client "Northwind Dental"
    """
    rows = commands.run(_triages(client, closed=closed))
    commands.show(rows if as_json else [_for_people(row) for row in rows], title="Triages", as_json=as_json)


async def _triages(client: str | None, *, closed: bool) -> list[dict[str, Any]]:
    async with operating() as tx:
        tenant = None if client is None else await tenant_of(tx, client)
        rows = await store_commands_triage.triages(tx, tenant, closed=closed)
        return [
            dict(row)
            | {
                "records": [
                    dict(each)
                    for each in await store_commands_triage.records(tx, row["asset_id"], row["requirement_id"])
                ]
            }
            for row in rows
        ]


def _for_people(row: dict[str, Any]) -> dict[str, object]:
    told = row["standing"]
    return {
        "client": row["client"],
        "machine": row["hostname"] or row["asset_id"],
        "product": row["product"],
        "release": row["release"],
        "since": row["started_at"],
        "how_it_stands": told.get("why"),
        "order": "VIOLATED" if told.get("order_violated") else None,
        "closed_at": row["closed_at"],
    }


@triage_app.command()
def record(  # noqa: PLR0913 - one argument per option
    machine: Machine,
    *,
    step: Annotated[Step, typer.Option(help="What was done.")],
    note: Annotated[str, typer.Option(help="What was seen or kept, and where.")],
    requirement: Annotated[
        str | None, typer.Option(help="Its id, or product/train; needed where a machine has several triages.")
    ] = None,
    at: Annotated[str | None, typer.Option(help="When it was done; default: now.")] = None,
    evidence: Annotated[Path | None, typer.Option(help="What was captured: its SHA-256 is kept, not the file.")] = None,
    found: Annotated[Found | None, typer.Option(help="The decision: was the machine broken into?")] = None,
    as_json: Json = False,
) -> None:
    """Record a step of a machine's triage. Volatile evidence needs the file, a decision its finding.

    Example: patchline triage record EDGE-01 --step evidence --evidence edge-01.raw --note "memory image, safe 3"
    """
    recorded_at = now()
    done_at = recorded_at if at is None else moment_of(at, "--at")
    if done_at > recorded_at:
        commands.stop("--at: that is not yet", commands.WRONG_USE)
    if (step is Step.DECISION) != (found is not None):
        commands.stop("--found belongs to --step decision, and a decision needs it", commands.WRONG_USE)
    if step is Step.EVIDENCE and evidence is None:
        commands.stop("--step evidence needs --evidence FILE", commands.WRONG_USE)
    if not note.strip():
        commands.stop("--note: say what was seen or kept", commands.WRONG_USE)
    done = Done(
        step=step.value,
        done_at=done_at,
        found=found.value if found else None,
        note=note.strip(),
        evidence=_digest(evidence) if evidence else None,
        evidence_name=evidence.name if evidence else None,
        by=typist(),
        recorded_at=recorded_at,
    )
    commands.show([commands.run(_record(machine, requirement, done))], title="Triage", as_json=as_json)


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as content:
            return file_digest(content, "sha256").hexdigest()
    except OSError as error:
        commands.stop(f"{file} cannot be read: {error.strerror}", commands.WRONG_USE)


async def _record(machine: str, requirement: str | None, done: Done) -> dict[str, object]:
    only = None if requirement is None else requirement_of(requirement)
    async with operating() as tx:
        rows = await store_commands_triage.of_machine(tx, machine, only)
        about = _the_one(rows, machine)
        is_new = await store_commands_triage.record(tx, about, done)
    return {
        "machine": machine,
        "product": about["product"],
        "step": done.step,
        "done_at": done.done_at,
        "evidence": done.evidence,
        "is_new": is_new,
        "by": done.by,
    }


def _the_one(rows: list[asyncpg.Record], machine: str) -> asyncpg.Record:
    """Return the triage that is meant: what is recorded counts for every one of that machine and requirement."""
    meant = {(row["asset_id"], row["requirement_id"]): row for row in rows}
    if not meant:
        commands.stop(f"no triage is under way on {machine!r}; see: patchline triage list", commands.NO)
    if len(meant) > 1:
        named = ", ".join(f"{row['product']}/{row['train']} on {row['asset_id']}" for row in meant.values())
        commands.stop(
            f"{machine!r} has several: name one with --requirement, or its asset: {named}", commands.WRONG_USE
        )
    return next(iter(meant.values()))
