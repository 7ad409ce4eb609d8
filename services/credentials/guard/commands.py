"""`patchline guard`: what a machine may do about each client's credentials, every version of it with who and when."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer
import yaml

from chassis import commands
from services.credentials.guard import store_commands
from services.credentials.guard.document import global_policy_of, guard_policy_of
from services.credentials.guard.options import Client, Global, Json, Reason, chosen, said, stop_without_client
from services.credentials.guard.policy import STRICT, GlobalPolicy, GuardPolicy

guard_app: Final = typer.Typer(
    no_args_is_help=True, help="What a machine may do about each client's credentials. Nothing, until a file says so."
)

Policy = Annotated[Path, typer.Argument(help="A YAML file; docs/credentials-guard.md lists its fields.")]


@guard_app.command("set")
def set_policy(
    file: Policy, *, client: Client = None, everyone: Global = False, reason: Reason = "", as_json: Json = False
) -> None:
    """Make a policy the client's newest. What the file leaves out has its default; the same again changes nothing.

    Example: patchline guard set acme.yaml --client "Acme Dental" --reason "agreed with the owner on 3 November"
    """
    chosen(client, everyone=everyone)
    try:
        content = file.read_bytes()
    except OSError as error:
        commands.stop(f"{file} cannot be read: {error.strerror}", commands.WRONG_USE)
    row = commands.run(_set(content, client, reason))
    if row is None:
        stop_without_client(client)
    commands.show([row], title="Policy", as_json=as_json)


async def _set(content: bytes, client: str | None, reason: str) -> dict[str, object] | None:
    policy = global_policy_of(content) if client is None else guard_policy_of(content)
    document = _document(policy)
    async with store_commands.operating() as tx:
        tenant = await store_commands.tenant_of(tx, client)
        if tenant is None:
            return None
        version, is_new = await store_commands.add(tx, tenant, document, said(reason))
    return {"client": client or "all", "version": version, "is_new": is_new, **_headline(policy)}


def _document(policy: GuardPolicy | GlobalPolicy) -> dict[str, Any]:
    """Return what `policy` says as it is kept: sets in order, so that the same document is the same text."""
    document: dict[str, Any] = policy.model_dump(mode="json")
    for name, value in policy:
        if isinstance(value, frozenset):
            document[name] = sorted(value)
    if isinstance(policy, GuardPolicy):
        document["hygiene"]["off"] = sorted(policy.hygiene.off)
    return document


def _headline(policy: GuardPolicy | GlobalPolicy) -> dict[str, object]:
    if isinstance(policy, GlobalPolicy):
        return {"per_hour": policy.per_hour}
    return {"mode": policy.mode, "reset_persons": policy.reset_persons, "per_hour": policy.caps.per_hour}


@guard_app.command("show")
def show_policy(*, client: Client = None, everyone: Global = False, as_json: Json = False) -> None:
    """Show what holds for a client now, as a file that `guard set` takes.

    Example: patchline guard show --client "Acme Dental" > acme.yaml
    """
    chosen(client, everyone=everyone)
    found = commands.run(_newest(client))
    if found is None:
        stop_without_client(client)
    if as_json:
        sys.stdout.write(json.dumps(found, default=str, indent=2) + "\n")
        return
    about = f"version {found['version']}, set by {found['set_by']} at {found['set_at']}"
    if not found["version"]:
        about = "nobody described it yet: the strictest policy holds"
    sys.stdout.write(f"# {client or 'all clients'}: {about}\n" + written(found["document"]))


def written(document: Mapping[str, Any]) -> str:
    """Return a document as YAML that `guard set` reads."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


async def _newest(client: str | None) -> dict[str, Any] | None:
    async with store_commands.operating() as tx:
        tenant = await store_commands.tenant_of(tx, client)
        if tenant is None:
            return None
        row = await store_commands.newest(tx, tenant)
    if row is not None:
        return dict(row)
    return {
        "version": 0,
        "document": _document(GlobalPolicy() if client is None else STRICT),
        "reason": None,
        "set_by": None,
        "set_at": None,
    }


@guard_app.command("history")
def show_history(*, client: Client = None, everyone: Global = False, as_json: Json = False) -> None:
    """List the versions of a client's policy, newest first, and what each changed.

    Example: patchline guard history --client "Acme Dental"
    """
    chosen(client, everyone=everyone)
    rows = commands.run(_history(client))
    if rows is None:
        stop_without_client(client)
    if not as_json:
        rows = [{name: value for name, value in row.items() if name != "document"} for row in rows]
    commands.show(rows, title="Policy", as_json=as_json)


async def _history(client: str | None) -> list[dict[str, Any]] | None:
    async with store_commands.operating() as tx:
        tenant: UUID | None = await store_commands.tenant_of(tx, client)
        if tenant is None:
            return None
        rows = await store_commands.history(tx, tenant)
    first = _document(GlobalPolicy() if client is None else STRICT)
    before = [*(row["document"] for row in rows[1:]), first]
    return [row | {"changed": ", ".join(changed(old, row["document"]))} for row, old in zip(rows, before, strict=True)]


def changed(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> list[str]:
    """Return the fields that two documents say differently, by their path, in order."""
    names: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            names += changed(old, new, f"{within}{name}.")
        elif old != new:
            names.append(f"{within}{name}")
    return names
