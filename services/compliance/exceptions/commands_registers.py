"""`patchline exception list|show` and `patchline control list`: the registers of exceptions and of controls.

Source: playbook steps 1, 3 and 6 (active exceptions with ages; exception and compensating controls registers).
"""

import json
import sys
from typing import Annotated, Final

import typer

from chassis import commands
from services.compliance.exceptions import store_commands
from services.compliance.exceptions.commands import Id, Json, course, exception_app, typed_now
from services.compliance.exceptions.records import OwnerKey, Signoff
from services.compliance.exceptions.requesting import one_filed
from services.compliance.exceptions.rules_registers import ACTIVE, OPEN, age_days, days, standing
from services.compliance.exceptions.statement import is_signed
from services.compliance.exceptions.store_commands import Filed, operating

control_app: Final = typer.Typer(no_args_is_help=True, help="Compensating controls: what is done instead of patching.")

Client = Annotated[str | None, typer.Option(help="Only this client, by name.")]
All = Annotated[bool, typer.Option("--all", help="Those that are over, too.")]


@exception_app.command("list")
def list_exceptions(*, client: Client = None, with_all: All = False, as_json: Json = False) -> None:
    """List exceptions that hold or wait, with their ages in days, those that end first in front.

    Example: patchline exception list --client "Northwind Dental" --json
    """
    now = typed_now()
    found = _of_client(client)
    rows = [
        {
            "exception": each.request.id,
            "client": each.client,
            "lane": each.request.lane.value,
            "title": each.request.title,
            "machines": "all" if each.request.asset_ids is None else len(each.request.asset_ids),
            "state": standing(course(each), now),
            "ticket": each.ticket,
            "owner": each.owner,
            "age_days": age_days(course(each), now),
            "ends_in_days": days(each.request.until - now),
            "until": each.request.until,
            "renewal": each.request.renewal,
        }
        for each in found
    ]
    shown = [row for row in rows if with_all or row["state"] in OPEN]
    commands.show(shown, title="Exceptions", as_json=as_json)


@control_app.command("list")
def list_controls(*, client: Client = None, with_all: All = False, as_json: Json = False) -> None:
    """List what is done instead of patching, for which exception and machines, since when and until when.

    Example: patchline control list --client "Northwind Dental"
    """
    now = typed_now()
    rows = [
        {
            "client": each.client,
            "kind": control.kind.value,
            "control": control.text,
            "for": each.request.title,
            "machines": "all" if each.request.asset_ids is None else ", ".join(each.request.machines),
            "exception": each.request.id,
            "state": standing(course(each), now),
            "since": each.holds_from,
            "age_days": age_days(course(each), now),
            "until": each.request.until,
        }
        for each in _of_client(client)
        if each.holds_from is not None
        for control in each.request.controls
    ]
    shown = [row for row in rows if with_all or row["state"] in ACTIVE]
    commands.show(shown, title="Compensating controls", as_json=as_json)


@exception_app.command("show")
def show(exception: Id, *, as_json: Json = False) -> None:
    """Show all of one exception: what was asked and why, its story, and whether the owner's signature holds.

    Example: patchline exception show 5b0f8a3e
    """
    each = commands.run(_one(exception))
    request = each.request
    facts: dict[str, object] = {
        "exception": request.id,
        "client": each.client,
        "state": standing(course(each), typed_now()),
        "lane": request.lane.value,
        "title": request.title,
        "machines": "all" if request.asset_ids is None else ", ".join(request.machines),
        "reason": request.reason,
        "controls": "; ".join(f"{control.kind.value}: {control.text}" for control in request.controls),
        "valid_from": request.valid_from,
        "until": request.until,
        "renews": request.renews,
        "renewal": request.renewal,
        "requested_by": request.requested_by,
        "ticket": each.ticket,
        "holds_from": each.holds_from,
        "owner": each.owner,
        "signed_at": each.signed_at,
        "signature_holds": _holds(each),
        "statement": each.statement,
    }
    story = [
        {"chapter": line.chapter.value, "at": line.at, "known_at": line.recorded_at, "why": line.why}
        for line in each.story
    ]
    if as_json:
        sys.stdout.write(json.dumps({**facts, "story": story}, default=str, indent=2) + "\n")
        return
    commands.show([{"what": name, "value": value} for name, value in facts.items()], title="Exception", as_json=False)
    commands.show(story, title="Story", as_json=False)


def _holds(each: Filed) -> bool | None:
    """Return whether the kept signature is the owner's over the kept text; `None`: nobody signed."""
    if each.statement is None or each.signature is None or each.public_key is None or each.signed_at is None:
        return None
    request = each.request
    signoff = Signoff(
        id=request.id,
        exception_id=request.id,
        tenant_id=request.tenant_id,
        statement=each.statement,
        signature=each.signature,
        brought_at=each.signed_at,
    )
    return is_signed(signoff, OwnerKey(id=request.id, name=each.owner or "", public_key=each.public_key))


def _of_client(client: str | None) -> list[Filed]:
    found = commands.run(_filed(client))
    if found is None:
        commands.stop(f"there is no client called {client!r}; see: patchline client list", commands.NO)
    return found


async def _filed(client: str | None) -> list[Filed] | None:
    async with operating() as tx:
        if client is not None and await store_commands.client(tx, client) is None:
            return None
        return await store_commands.filed(tx, client_name=client)


async def _one(prefix: str) -> Filed:
    async with operating() as tx:
        return await one_filed(tx, prefix)
