"""`patchline policy lint`: whether a policy can be met at all, before it counts."""

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from chassis import commands
from services.compliance.clocks.durations import MalformedDuration, exact, spelled
from services.compliance.policies import store_commands
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.lint import lint_of
from services.compliance.policies.options import File, Json, read
from services.compliance.policies.rules_drawing import drawing, in_svg, in_text, outcome
from services.compliance.policies.rules_feasible import From, Proof, Verdict, decisive
from services.compliance.policies.rules_lint import CALENDAR, Lint, record
from services.compliance.policies.rules_words import duration_in_words
from services.compliance.policies.store_commands_installs import FEWEST, Installs, installs
from services.compliance.typist import now

HISTORY: Final = timedelta(days=180)


def lint(
    file: File,
    *,
    svg: Annotated[Path | None, typer.Option(help="Draw the way of each worst release into this file.")] = None,
    p90: Annotated[str | None, typer.Option(help="How long nine of ten installations take, such as PT40M.")] = None,
    from_history: Annotated[bool, typer.Option("--from-history", help="Read --p90 from the client's history.")] = False,
    any_instant: Annotated[
        bool, typer.Option("--any-instant", help="Say no also where only a release off the calendar is too late.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tell whether a policy can be met from the worst release of the vendor's calendar, and from any instant.

    Exit code 1: it cannot. Nothing is stored, and no part needs to run, unless --from-history asks for it.

    Example: patchline policy lint northwind.yaml --p90 PT40M --svg northwind.svg
    """
    document, presets = read(file)
    install = _install(p90, document) if p90 is not None or from_history else None
    found = lint_of(document, presets, now=now(), install=install)
    if svg is not None:
        zone = ZoneInfo(found.zone)
        _write(svg, in_svg([drawing(each, zone) for each in decisive(found.proofs)]))
    if as_json:
        sys.stdout.write(json.dumps(record(found), indent=2) + "\n")
    else:
        show_lint(found)
    if not found.is_feasible or (any_instant and _late_at_any_instant(found)):
        raise SystemExit(commands.NO)


def _write(svg: Path, drawn: str) -> None:
    try:
        svg.write_text(drawn, encoding="utf-8")
    except OSError as error:
        commands.stop(f"--svg: {svg} cannot be written: {error.strerror}", commands.WRONG_USE)


def _install(p90: str | None, document: PolicyDocument) -> timedelta | None:
    if p90 is not None:
        try:
            return exact(p90)
        except MalformedDuration as error:
            commands.stop(f"--p90: {error}", commands.WRONG_USE)
    seen = commands.run(_installs(document.client))
    if seen.p90 is None:
        sys.stderr.write(f"patchline: {seen.seen} installations were seen; {FEWEST} are needed for --from-history\n")
    return seen.p90


async def _installs(client: str) -> Installs:
    async with store_commands.operating() as tx:
        return await installs(tx, client, now() - HISTORY)


def _late_at_any_instant(found: Lint) -> bool:
    return any(each.of is From.ANY_INSTANT and each.verdict is Verdict.NOT_MET for each in found.proofs)


def show_lint(found: Lint) -> None:
    """Print what was found for people: a table, the way of each release that is too late, and what to know."""
    out = sys.stdout.write
    out(f"{found.client}, {found.zone}: releases from {found.horizon.start:%Y-%m-%d} to {found.horizon.end:%Y-%m-%d}\n")
    commands.show(_rows(found), title=f"Can it be met? Vendor's calendar: {CALENDAR}", as_json=False)
    zone = ZoneInfo(found.zone)
    for proof in _drawn(found):
        out("\n" + "\n".join(in_text(drawing(proof, zone))) + "\n")
    for tier, pairs in groupby(found.empty, key=lambda pair: pair[0]):
        out(f"left empty: {tier}: {', '.join(severity for _, severity in pairs)}: no row, so no clock\n")
    for who in sorted({who for proof in found.proofs for who in proof.waits_for}):
        out(f"if people act: {who}; nothing was agreed about how long that may take\n")
    for warned in found.warnings:
        out(f"warning: {warned.text}\n")
    out(f"{_conclusion(found)}\n")


def _rows(found: Lint) -> list[dict[str, object]]:
    """Return a row for each cell, measure and way through the rings; the two kinds of release side by side."""
    rows: dict[tuple[object, ...], dict[str, object]] = {}
    for proof in found.proofs:
        cell = proof.cell
        key = (cell, proof.measure, proof.with_rings)
        row = rows.setdefault(
            key,
            {
                "tier": cell.tier,
                "severities": ", ".join(cell.severities),
                "row": f"{cell.regime}: {cell.rule.id}",
                "within": spelled(cell.rule.within) if cell.rule.within else "",
                "from": cell.rule.starts.replace("_", " "),
                "measure": f"{proof.measure}{', after every ring' if proof.with_rings else ''}",
                From.CALENDAR.value: "",
                From.ANY_INSTANT.value: "",
            },
        )
        row[proof.of.value] = outcome(proof)
    return list(rows.values())


def _drawn(found: Lint) -> Iterator[Proof]:
    """Yield the ways to draw, once each: the worst releases that are too late, as if without rings first."""
    seen = set()
    for proof in found.proofs:
        key = (proof.cell.tier, proof.cell.rule.within, proof.measure, proof.of, proof.with_rings)
        if proof.of is From.CALENDAR and proof.verdict is Verdict.NOT_MET and key not in seen:
            seen.add(key)
            yield proof


def _conclusion(found: Lint) -> str:
    if found.is_feasible:
        return "it can be met" + (", if people act in time" if _depends(found) else "")
    worst = [proof.worst.late for proof in found.infeasible]
    known = [each for each in worst if each is not None]
    least = f", by up to {duration_in_words(max(known))}" if known and len(known) == len(worst) else ""
    return f"it cannot be met: {len(found.infeasible)} of {len(decisive(found.proofs))} cells are late{least}"


def _depends(found: Lint) -> bool:
    return any(each.verdict is Verdict.DEPENDS for each in decisive(found.proofs))
