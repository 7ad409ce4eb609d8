"""`patchline policy diff`: what another policy means, before it counts."""

import json
import sys
from typing import Final

from rich.console import Console

from chassis import commands
from services.compliance.policies import store_commands
from services.compliance.policies.compile import compiled, in_force, normalised
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.options import File, Json, read, tenant_named
from services.compliance.policies.preset import Preset
from services.compliance.policies.preview import Move, Preview, preview
from services.compliance.policies.rules_diff import CellChange, changed_cells, changed_fields
from services.compliance.policy import DEFAULT_1
from services.compliance.typist import now

WORDS: Final = {
    Move.EARLIER: "deadline becomes earlier",
    Move.LATER: "deadline becomes later",
    Move.CLOCK_BEGINS: "gets a deadline",
    Move.CLOCK_ENDS: "loses its deadline",
    Move.OVERDUE_AT_ONCE: "is overdue at once",
    Move.LEAVES_POPULATION: "leaves the population",
}


def diff(file: File, *, as_json: Json = False) -> None:
    """Show what a policy file would change: fields, cells, and how many open obligations' deadlines move. Nothing does.

    It is compared with the policy that holds for the client now, or the built-in one.

    Example: patchline policy diff northwind.yaml
    """
    document, presets = read(file)
    before, fields, cells, moved = commands.run(_compared(document, presets))
    moves = {move.value: moved.moves[move] for move in Move}
    if as_json:
        said = {
            "client": document.client,
            "before": before,
            "fields": fields,
            "cells": [_cell(each) for each in cells],
            "open_obligations": moved.open,
            "moves": moves,
        }
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
        return
    sys.stdout.write(f"{document.client}: compared with {before}\n")
    if fields:
        sys.stdout.write(f"fields that differ: {', '.join(fields)}\n")
    commands.show([_cell(each) for each in cells], title="Cells", as_json=False)
    commands.show(
        [{"open obligation": WORDS[move], "count": moved.moves[move]} for move in Move if moved.moves[move]],
        title=f"Of {moved.open} open obligations",
        as_json=False,
    )


def _cell(each: CellChange) -> dict[str, object]:
    return {
        "tier": each.tier.value,
        "severity": each.severity.value,
        "who": each.who or "all",
        "before": each.before,
        "after": each.after,
    }


async def _compared(
    document: PolicyDocument, presets: tuple[Preset, ...]
) -> tuple[str, list[str], list[CellChange], Preview]:
    async with store_commands.operating() as tx:
        tenant = await tenant_named(tx, document.client)
        versions = [each.version for each in await store_commands.versions(tx, tenant)]
        holding = in_force(versions, now())
        after = compiled(document, presets, tenant_id=tenant)
        before, fields = DEFAULT_1, list[str]()
        if holding is not None:
            before = compiled(holding.document, holding.presets, id_=holding.policy_id)
            fields = changed_fields(normalised(holding.document), normalised(document))
        await store_commands.read_as_compliance(tx)
        with Console(stderr=True).status("deciding") as status:
            moved = await preview(
                tx, tenant, after, now(), show=lambda seen: status.update(f"{seen} assets decided as they would be")
            )
    return before.id, fields, changed_cells(before, after), moved
