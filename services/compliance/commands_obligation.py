"""`patchline obligation`: what each machine owes, who says whether it has it, and what a person attests of it."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Any, Final

import asyncpg
import typer

from chassis import commands
from chassis.clock import moved_clock
from chassis.postgres import Connection
from contracts import ids
from contracts.events.event import OsFamily
from contracts.events.obligation import State
from services.compliance import store_attestations, store_commands, store_commands_obligations
from services.compliance.policy import DEFAULT_1, Policy
from services.compliance.rules_cause import SOURCE
from services.compliance.rules_rows import Attestation

obligation_app = typer.Typer(no_args_is_help=True, help="What each machine owes, and who says whether it has it.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Client = Annotated[str | None, typer.Option(help="Only this client, by name.")]


def _now() -> datetime:
    return moved_clock(commands.command_settings().clock_offset_seconds)()


@obligation_app.command("list")
def list_obligations(
    *,
    client: Client = None,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """List what machines owe, by client and machine.

    Example: patchline obligation list --client "Northwind Dental" --state FAILED
    """
    rows = commands.run(_obligations(client, state, limit))
    shown = [dict(row) for row in rows]
    if not as_json:
        shown = [{name: row[name] for name in FOR_PEOPLE} for row in shown]
    commands.show(shown, title="Obligations", as_json=as_json)


FOR_PEOPLE: Final = ("client", "hostname", "product", "train", "release", "state", "severity", "due_at", "why")
"""The columns that fit a terminal; the rest is in the JSON."""


async def _obligations(client: str | None, state: State | None, limit: int) -> list[asyncpg.Record]:
    async with commands.operator() as connection, connection.transaction():
        await store_commands.see_all_tenants(connection)
        return await store_commands.obligations(connection, client=client, state=state, limit=limit)


@obligation_app.command()
def show(
    machine: Annotated[str, typer.Argument(help="A hostname, or the id of an asset.")], *, as_json: Json = False
) -> None:
    """Show everything that is known of one machine's obligations: moments, transitions, witnesses.

    Example: patchline obligation show NW-SRV-01
    """
    found = commands.run(_shown(machine))
    if not found:
        commands.stop(f"no obligation of {machine!r}; see: patchline obligation list", commands.NO)
    if as_json:
        sys.stdout.write(json.dumps(found, default=str, indent=2) + "\n")
        return
    for each in found:
        about = each["obligation"]
        title = f"{about['hostname'] or about['asset_id']}: {about['product']}, {about['train']}"
        facts = [{"what": name, "value": value} for name, value in about.items() if name != "moments"]
        facts += [{"what": name, "value": value} for name, value in about["moments"].items()]
        facts += [{"what": name, "value": value} for name, value in each["judged_by"].items()]
        commands.show(facts, title=title, as_json=False)
        for part in ("history", "witnesses", "attested"):
            commands.show(each[part], title=HEADINGS[part], as_json=False)


HEADINGS: Final = {"history": "Transitions", "witnesses": "Witnesses", "attested": "Attested by people"}


async def _shown(machine: str) -> list[dict[str, Any]]:
    now = _now()
    async with commands.operator() as connection, connection.transaction():
        await store_commands.see_all_tenants(connection)
        found = await store_commands.of_machine(connection, machine)
        own = await store_commands_obligations.policies(connection, {row["tenant_id"] for row in found}, now)
        return [await _story(connection, row, own.get(row["tenant_id"], DEFAULT_1)) for row in found]


async def _story(tx: Connection, row: asyncpg.Record, policy: Policy) -> dict[str, Any]:
    part = row["asset_id"], row["requirement_id"]
    return {
        "obligation": dict(row),
        "judged_by": _judged_by(policy, OsFamily(row["os_family"])),
        "history": [dict(each) for each in await store_commands.history(tx, *part)],
        "witnesses": [dict(each) for each in await store_commands.witnesses(tx, *part)],
        "attested": [dict(each) for each in await store_commands_obligations.attested(tx, *part)],
    }


def _judged_by(policy: Policy, os_family: OsFamily) -> Mapping[str, object]:
    """Return by whose rules it is judged, how the machine is patched there, and what is looked at."""
    evidence = policy.evidence_on(os_family)
    return {
        "policy": policy.id,
        "patch_method": evidence.patch_method,
        "verified_by": evidence.verified_by,
        "evidence_accepted": ", ".join(sorted(evidence.accepts)),
        "sources_needed": evidence.quorum,
    }


@obligation_app.command()
def attest(  # noqa: PLR0913 - one argument per option
    machine: Annotated[str, typer.Argument(help="A hostname, or the id of an asset.")],
    *,
    requirement: Annotated[str, typer.Option(help="Its id, or the name of its product.")],
    by: Annotated[str, typer.Option(help="Who looked, by name.")],
    reason: Annotated[str, typer.Option(help="Why no reading can tell.")],
    evidence: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="What was seen: its digest is kept.")],
    release: Annotated[str | None, typer.Option(help="Which release is there; default: the one that is owed.")] = None,
    at: Annotated[datetime | None, typer.Option(help="When it was seen, in UTC; default: now.")] = None,
    as_json: Json = False,
) -> None:
    """Record that a person saw a release on a machine. A class of its own: figures count it apart.

    A later list, build, failure or removal ends it; whether it counts at all is the client's policy's to say.

    Example: patchline obligation attest NW-SRV-01 --requirement "Windows Server 2022" --by "Dana Fox"
    --reason "its agent is broken" --evidence console.png
    """
    if not by.strip() or not reason.strip():
        commands.stop("--by and --reason: both need words", commands.WRONG_USE)
    now = _now()
    seen_at = now if at is None else at.replace(tzinfo=at.tzinfo or UTC)
    if seen_at > now:
        commands.stop("--at: nobody can have seen what is still to come", commands.WRONG_USE)
    with evidence.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    word = _Word(requirement, release, by.strip(), reason.strip(), seen_at, digest, evidence.name)
    row = commands.run(_attest(machine, word, now))
    commands.show([row], title="Attested", as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Word:
    requirement: str
    release: str | None
    by: str
    reason: str
    seen_at: datetime
    digest: str
    file: str


async def _attest(machine: str, word: _Word, now: datetime) -> dict[str, object]:
    async with commands.operator() as connection, connection.transaction():
        await store_commands.see_all_tenants(connection)
        owed = await _owed(connection, machine, word)
        attested = Attestation(
            id=ids.event_id_of_fields(
                SOURCE,
                "obligation.attested",
                word.seen_at,
                str(owed["asset_id"]),
                str(owed["requirement_id"]),
                owed["release"],
                word.by,
                word.digest,
            ),
            tenant_id=owed["tenant_id"],
            asset_id=owed["asset_id"],
            requirement_id=owed["requirement_id"],
            release=owed["release"],
            attested_at=word.seen_at,
            attested_by=word.by,
            reason=word.reason,
            evidence=word.digest,
            evidence_name=word.file,
        )
        is_new = await store_attestations.add(connection, attested, now)
    return {"attestation": str(attested.id), "release": attested.release, "sha256": word.digest, "is_new": is_new}


async def _owed(tx: Connection, machine: str, word: _Word) -> dict[str, Any]:
    """Return the one obligation that is meant, with the release that is attested; else leave."""
    rows = await store_commands.of_machine(tx, machine)
    wanted = word.requirement.casefold()
    mine = [row for row in rows if wanted in {str(row["requirement_id"]), row["product"].casefold()}]
    if not mine:
        commands.stop(
            f"{machine!r} owes nothing like {word.requirement!r}; see: patchline obligation list", commands.NO
        )
    if len(mine) > 1:
        found = "; ".join(f"{row['product']}, {row['train']}: {row['requirement_id']}" for row in mine)
        commands.stop(f"several are meant, name one by its id: {found}", commands.WRONG_USE)
    known = await store_commands_obligations.releases(tx, mine[0]["requirement_id"])
    release = word.release or mine[0]["release"]
    if release not in known:
        commands.stop(f"the catalog has no release {release!r} of it; it has: {', '.join(known)}", commands.NO)
    return {**dict(mine[0]), "release": release}
