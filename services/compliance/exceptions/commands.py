"""`patchline exception`: asked for, handed to the owner, brought back signed, taken back."""

import base64
import binascii
import getpass
import json
import socket
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid5

import typer

from chassis import commands
from chassis.clock import moved_clock
from services.compliance.exceptions import store_commands
from services.compliance.exceptions.answers import answered, looked_at
from services.compliance.exceptions.asking import NotAsked
from services.compliance.exceptions.records import Chapter, Lane, Signoff
from services.compliance.exceptions.requesting import Covers, Terms, Typed, one_filed, request_of
from services.compliance.exceptions.rules_registers import ACTIVE, Course, standing
from services.compliance.exceptions.statement import handed
from services.compliance.exceptions.store_commands import Filed, operating

exception_app: Final = typer.Typer(
    no_args_is_help=True, help="Exceptions: what a client's owner agreed to leave undone, and until when."
)

SIGNATURE_BYTES: Final = 64

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Id = Annotated[str, typer.Argument(help="The exception's id, or how it begins (at least eight characters).")]
Wait = Annotated[float, typer.Option(min=0, max=600, help="Seconds to wait for the service's answer.")]


def typed_now() -> datetime:
    """Return the moment of a command."""
    return moved_clock(commands.command_settings().clock_offset_seconds)()


def whoever() -> str:
    """Return who types, as this machine knows them."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def course(filed: Filed) -> Course:
    """Return what says how a request stands."""
    return Course(
        until=filed.request.until,
        holds_from=filed.holds_from,
        revoked_at=filed.revoked_at,
        has_ticket=filed.ticket is not None,
        chapters=frozenset(line.chapter for line in filed.story),
    )


@exception_app.command("request")
def request(  # noqa: PLR0913 - the options of a command
    *,
    reason: Annotated[str, typer.Option(help="Why it cannot be done in time.")],
    until: Annotated[str, typer.Option(help="A date (through that day, in the client's zone), or a moment.")],
    client: Annotated[str | None, typer.Option(help="Whose machines.")] = None,
    product: Annotated[str | None, typer.Option(help="As the catalog names it, or a requirement's id.")] = None,
    train: Annotated[str, typer.Option(help="Which line of updates of the product.")] = "cumulative",
    machine: Annotated[list[str] | None, typer.Option(help="A hostname or an asset's id. Repeat it.")] = None,
    all_machines: Annotated[bool, typer.Option("--all-machines", help="Every machine of the client.")] = False,
    control: Annotated[list[str] | None, typer.Option(help="What is done instead, 'kind: words'. Repeat it.")] = None,
    lane: Annotated[Lane | None, typer.Option(help="isolated: it can never be patched, and is kept apart.")] = None,
    starts: Annotated[str | None, typer.Option("--from", help="A moment to begin at; default: once signed.")] = None,
    renews: Annotated[str | None, typer.Option(help="The exception that this goes on after.")] = None,
    wait: Wait = 10,
    as_json: Json = False,
) -> None:
    """Ask for an exception. It opens a ticket, and holds nothing before the client's owner signed.

    Example: patchline exception request --client "Northwind Dental" --product "Windows Server 2022" --machine NW-SRV-01
    --until 2026-12-31 --reason "the practice software is not ready" --control "segmentation: VLAN 40"
    """
    covers = Covers(client=client, product=product, train=train, machines=machine or [], all_machines=all_machines)
    terms = Terms(starts=starts, until=until, lane=lane, renews=renews)
    by, at = whoever(), typed_now()
    _ask(Typed(covers=covers, terms=terms, reason=reason, controls=control or [], by=by, at=at), wait, as_json=as_json)


def _ask(typed: Typed, wait: float, *, as_json: bool) -> None:
    if not typed.reason.strip():
        commands.stop("--reason: say why", commands.WRONG_USE)
    found = commands.run(_request(typed, wait))
    last = found.story[-1]
    state = standing(course(found), typed.at)
    row = {"exception": found.request.id, "client": found.client, "title": found.request.title, "state": state}
    row |= {"until": found.request.until, "why_not": last.why or None}
    commands.show([row], title="Asked for", as_json=as_json)
    if last.chapter is Chapter.REFUSED:
        raise SystemExit(commands.NO)


async def _request(typed: Typed, wait: float) -> Filed:
    async with operating() as tx:
        request = await request_of(tx, typed)
        await store_commands.ask(tx, request)
    return await looked_at(request.id, wait)


@exception_app.command("text")
def text(
    exception: Id,
    *,
    out: Annotated[Path | None, typer.Option(help="Where to write it; else to the screen.")] = None,
) -> None:
    """Write out what the client's owner is to sign. Send it to them; they sign it with: patchline exception sign.

    Example: patchline exception text 5b0f8a3e --out exception-5b0f8a3e.json
    """
    found = commands.run(_one(exception))
    if found.ticket is None:
        commands.stop("it has no ticket yet, and the ticket's number is signed too; try again later", commands.NO)
    written = json.dumps(handed(found.request, client=found.client, ticket=found.ticket), indent=2, ensure_ascii=False)
    if out is None:
        sys.stdout.write(written + "\n")
        return
    try:
        out.write_text(written + "\n")
    except OSError as error:
        commands.stop(f"{out}: {error.strerror}", commands.WRONG_USE)
    commands.console.print(f"written to {out}", markup=False, highlight=False)


async def _one(prefix: str) -> Filed:
    async with operating() as tx:
        return await one_filed(tx, prefix)


@exception_app.command("approve")
def approve(
    exception: Id,
    *,
    signature: Annotated[Path, typer.Option(help="The file that the owner sent back.")],
    wait: Wait = 10,
    as_json: Json = False,
) -> None:
    """Bring what the client's owner signed. The service checks it; a signed no ends the request.

    Example: patchline exception approve 5b0f8a3e --signature exception-5b0f8a3e.signed
    """
    said, signed = _signed(signature)
    is_counted, why_not, found = commands.run(_approve(exception, said, signed, wait))
    row = {
        "exception": found.request.id,
        "client": found.client,
        "counted": is_counted,
        "state": standing(course(found), typed_now()),
        "owner": found.owner,
        "until": found.request.until,
        "why_not": why_not,
    }
    commands.show([row], title="Brought", as_json=as_json)
    if not is_counted:
        raise SystemExit(commands.NO)


def _signed(file: Path) -> tuple[str, bytes]:
    """Return the text and the signature in a file; stop where it is none."""
    try:
        content = json.loads(file.read_bytes())
        return str(content["statement"]), base64.b64decode(content["signature"], validate=True)
    except OSError as error:
        commands.stop(f"{file}: {error.strerror}", commands.WRONG_USE)
    except (ValueError, KeyError, TypeError, binascii.Error):
        commands.stop(f"{file}: not what `patchline exception sign` writes", commands.WRONG_USE)


async def _approve(prefix: str, said: str, signed: bytes, wait: float) -> tuple[bool, str | None, Filed]:
    found = await _one(prefix)
    if len(signed) != SIGNATURE_BYTES:
        raise NotAsked("the signature is not one of Ed25519: it has 64 bytes")
    signoff = Signoff(
        id=uuid5(found.request.id, f"{said}/{signed.hex()}"),
        exception_id=found.request.id,
        tenant_id=found.request.tenant_id,
        statement=said,
        signature=signed,
        brought_at=typed_now(),
    )
    async with operating() as tx:
        await store_commands.bring(tx, signoff, by=whoever())
    is_counted, why_not = await answered(signoff.id, wait)
    return is_counted, why_not, await _one(prefix)


@exception_app.command("revoke")
def revoke(
    exception: Id,
    *,
    why: Annotated[str, typer.Option(help="What is kept as the reason.")],
    as_json: Json = False,
) -> None:
    """Take a granted exception back at once. What it covered is due when it always was. It cannot be undone.

    Example: patchline exception revoke 5b0f8a3e --why "the vendor supports the new build now"
    """
    if not why.strip():
        commands.stop("--why: say why", commands.WRONG_USE)
    found = commands.run(_revoke(exception, why))
    row = {"exception": found.request.id, "client": found.client, "title": found.request.title}
    commands.show([row | {"state": "revoked", "revoked_at": found.revoked_at}], title="Revoked", as_json=as_json)


async def _revoke(prefix: str, why: str) -> Filed:
    now = typed_now()
    async with operating() as tx:
        found = await one_filed(tx, prefix)
        state = standing(course(found), now)
        if state not in ACTIVE and state != "begins later":
            commands.stop(f"there is nothing to take back: it is {state}", commands.NO)
        await store_commands.revoke(tx, found.request, why=why, at=now, by=whoever())
        return await one_filed(tx, prefix)
