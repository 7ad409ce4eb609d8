"""`patchline policy`: what was agreed with each client, every version of it with who, when and why."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, NoReturn

import typer
import yaml

from chassis import commands
from services.compliance.policies import preset, store_commands
from services.compliance.policies.commands_diff import diff
from services.compliance.policies.commands_levels import show_levels
from services.compliance.policies.commands_lint import lint, show_lint
from services.compliance.policies.compile import elapsed, in_force, normalised
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.lint import lint_of
from services.compliance.policies.options import Client, File, Json, moment_of, read, tenant_named
from services.compliance.policies.preset import Preset
from services.compliance.policies.rules_diff import changed_fields
from services.compliance.policies.rules_lint import Lint, record
from services.compliance.policies.store_commands import Kept, Said
from services.compliance.typist import now, typist

policy_app: Final = typer.Typer(
    no_args_is_help=True, help="What was agreed with each client, and whether it can be met."
)
policy_app.command("lint")(lint)
policy_app.command("diff")(diff)
policy_app.command("levels")(show_levels)

REASON_CHARACTERS: Final = 1000


@policy_app.command()
def apply(
    file: File,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads the history. A must.")],
    accept_infeasible: Annotated[
        str | None, typer.Option("--accept-infeasible", help="Why it is to hold although it cannot be met.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a policy file the client's newest version, unless the linter proves that it cannot be met.

    It holds from its valid_from on, within a second; the client's obligations are decided anew then. The same file
    again changes nothing. Exit code 1: it cannot be met, and nobody accepted that.

    Example: patchline policy apply northwind.yaml --reason "agreed with the owner on 3 November"
    """
    document, presets = read(file)
    why = _said(reason, "--reason")
    accepted = None if accept_infeasible is None else _said(accept_infeasible, "--accept-infeasible")
    found = lint_of(document, presets, now=now())
    if not found.is_feasible and accepted is None:
        _refuse(found, as_json=as_json)
    said = Said(
        by=typist(),
        reason=why,
        at=now(),
        feasible=found.is_feasible,
        accepted=None if found.is_feasible else accepted,
        lint=record(found),
    )
    row = commands.run(_recorded(document, presets, said))
    commands.show([{**row, "warnings": len(found.warnings)}], title="Policy", as_json=as_json)


async def _recorded(document: PolicyDocument, presets: tuple[Preset, ...], said: Said) -> dict[str, object]:
    async with store_commands.operating() as tx:
        tenant = await tenant_named(tx, document.client)
        before = [each.version for each in await store_commands.versions(tx, tenant)]
        version, is_new = await store_commands.add(tx, tenant, document, presets, said=said)
    hidden = [
        str(each.version)
        for each in before
        if is_new and each.document.valid_from > said.at and each.document.valid_from >= document.valid_from
    ]
    return {
        "client": document.client,
        "version": version,
        "is_new": is_new,
        "valid_from": document.valid_from,
        "holds": _holds(document, said.at),
        "feasible": said.feasible,
        "replaces_before_it_held": ", ".join(hidden) or None,
    }


def _holds(document: PolicyDocument, at: datetime) -> str:
    if document.holds_at(at):
        return "now"
    return "not yet" if at < document.valid_from else "no more"


def _said(text: str, option: str) -> str:
    said = text.strip()
    if not said or len(said) > REASON_CHARACTERS:
        commands.stop(f"{option}: say why, in at most {REASON_CHARACTERS} characters", commands.WRONG_USE)
    return said


def _refuse(found: Lint, *, as_json: bool) -> NoReturn:
    if as_json:
        sys.stdout.write(json.dumps(record(found), indent=2) + "\n")
    else:
        show_lint(found)
    commands.stop("it cannot be met, so it was not applied; mend it, or say --accept-infeasible and why", commands.NO)


At = Annotated[str | None, typer.Option("--at", help="What holds at this moment (ISO 8601 with offset); default: now.")]
Known = Annotated[str | None, typer.Option("--known", help="As it was known at this moment; default: now.")]


@policy_app.command()
def show(
    *,
    client: Client,
    version: Annotated[int | None, typer.Option("--version", help="This version, whether it holds or not.")] = None,
    at: At = None,
    known: Known = None,
    as_json: Json = False,
) -> None:
    """Show the policy that holds for a client, as a file that `policy apply` takes.

    Example: patchline policy show --client "Northwind Dental" --at 2026-12-01T00:00:00-05:00 > northwind.yaml
    """
    moment, known_at = moment_of(at, "--at"), moment_of(known, "--known")
    kept = [each for each in commands.run(_versions(client)) if each.version.recorded_at <= known_at]
    if version is not None:
        found = next((each for each in kept if each.version.version == version), None)
    else:
        holding = in_force([each.version for each in kept], moment)
        found = next((each for each in kept if each.version is holding), None)
    if found is None:
        commands.stop(f"no policy of {client!r} holds then: the built-in one does", commands.NO)
    shown = _shown(found, moment)
    document = normalised(found.version.document)
    if as_json:
        sys.stdout.write(json.dumps({**shown, "document": document, "lint": found.lint}, default=str, indent=2) + "\n")
        return
    about = "".join(f"# {name}: {' '.join(str(value).split())}\n" for name, value in shown.items() if value is not None)
    sys.stdout.write(about + written(document))


def _shown(kept: Kept, at: datetime) -> dict[str, object]:
    version = kept.version
    return {
        "policy": version.policy_id,
        "version": version.version,
        "digest": version.digest,
        "holds": version.document.holds_at(at),
        "recorded_at": version.recorded_at,
        "recorded_by": version.recorded_by,
        "reason": version.reason,
        "feasible": kept.feasible,
        "accepted": kept.accepted,
    }


def written(document: Mapping[str, Any]) -> str:
    """Return a document as YAML that `policy apply` reads."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, default_flow_style=None, width=100)


async def _versions(client: str) -> list[Kept]:
    async with store_commands.operating() as tx:
        return await store_commands.versions(tx, await tenant_named(tx, client))


@policy_app.command()
def history(*, client: Client, as_json: Json = False) -> None:
    """List the versions of a client's policy, newest first: who, when, why, from when, and what each changed.

    Example: patchline policy history --client "Northwind Dental"
    """
    kept = commands.run(_versions(client))
    holding = in_force([each.version for each in kept], now())
    commands.show(
        [
            {
                "version": each.version.version,
                "holds": each.version is holding,
                "valid_from": each.version.document.valid_from,
                "valid_until": each.version.document.valid_until,
                "recorded_at": each.version.recorded_at,
                "recorded_by": each.version.recorded_by,
                "reason": each.version.reason,
                "feasible": each.feasible,
                "accepted": each.accepted,
                "changed": _changed(kept[place + 1] if place + 1 < len(kept) else None, each),
            }
            for place, each in enumerate(kept)
        ],
        title="Policy",
        as_json=as_json,
    )


def _changed(before: Kept | None, after: Kept) -> str:
    if before is None:
        return "first"
    fields = changed_fields(normalised(before.version.document), normalised(after.version.document))
    return ", ".join(fields) or "presets"


@policy_app.command()
def presets(
    name: Annotated[str | None, typer.Argument(help="Show this one whole, with what is not confirmed of it.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the presets that come along: whose they are, whether they are in force, and what they ask for.

    Example: patchline policy presets ce-3.3-danzell
    """
    if name is None:
        every = [each for each in map(preset.shipped, preset.NAMES) if each is not None]
        commands.show([_headline(each) for each in every], title="Presets", as_json=as_json)
        return
    found = preset.shipped(name)
    if found is None:
        commands.stop(f"there is no preset called {name!r}; see: patchline policy presets", commands.NO)
    sys.stdout.write(json.dumps(normalised(found), indent=2) + "\n" if as_json else written(normalised(found)))


def _headline(each: Preset) -> dict[str, object]:
    return {
        "preset": each.id,
        "title": each.title,
        "authority": each.authority,
        "status": "PROPOSED" if each.status == "proposed" else each.status,
        "from": each.effective_from,
        "until": each.effective_until,
        "rows": len(each.rules),
        "shortest": _shortest(each),
        "exceptions": each.exceptions.allowed,
        "unconfirmed": len(each.unconfirmed),
    }


def _shortest(each: Preset) -> str | None:
    return min((row.due for row in each.rules if row.due is not None), key=elapsed, default=None)
