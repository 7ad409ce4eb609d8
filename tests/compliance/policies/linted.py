"""Policies to lint: the playbook's own, and small ones that say only what a test is about."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.compliance.policies.lint import lint_of
from services.compliance.policies.reading import policy_of
from services.compliance.policies.rules_feasible import From, Measure, Proof
from services.compliance.policies.rules_lint import Lint
from services.compliance.zones import use_shipped_zones

use_shipped_zones()
PLAYBOOK = Path(__file__).resolve().parents[3] / "docs" / "policies" / "playbook.yaml"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def playbook(*, zone: str = "America/New_York", without: str = "") -> Lint:
    """Lint the playbook's table; `without` names a part of the file to leave out."""
    text = PLAYBOOK.read_text(encoding="utf-8").replace("America/New_York", zone)
    if without:
        head, _, rest = text.partition(f"\n{without}:\n")
        lines = rest.splitlines(keepends=True)
        kept = next((place for place, line in enumerate(lines) if not line.startswith(" ")), len(lines))
        text = head + "\n" + "".join(lines[kept:])
    document, presets = policy_of(text.encode())
    return lint_of(document, presets, now=NOW)


def small(**parts: Any) -> bytes:
    """Return a policy for servers alone: critical within 24 hours, sent and restarted on Sundays unless said else."""
    said: dict[str, Any] = {
        "client": "Acme",
        "valid_from": "2026-12-01T00:00:00+00:00",
        "zone": "America/New_York",
        "sla": [{"tiers": ["server"], "severities": ["critical"], "due": "PT24H"}],
        "windows": {"sunday": {"rule": "FREQ=WEEKLY;BYDAY=SU", "start": "02:00", "duration": "PT4H"}},
        "deployment": {"server": {"any_time": True}},
        "reboot": {"server": {"kind": "scheduled", "windows": ["sunday"]}},
        **parts,
    }
    return yaml_of(said).encode()


def yaml_of(said: Any, indent: int = 0) -> str:
    """Return plain values in the strict part of YAML that policies are written in."""
    pad = "  " * indent
    match said:
        case dict() if said:
            return "".join(_entry(pad, name, value, indent) for name, value in said.items())
        case list() if said:
            return "".join(f"{pad}-\n{yaml_of(each, indent + 1)}" for each in said)
        case bool():
            return f"{pad}{str(said).lower()}\n"
        case str():
            return f'{pad}"{said}"\n'
        case _:
            return f"{pad}{said if said is not None else 'null'}\n" if said != {} else f"{pad}{{}}\n"


def _entry(pad: str, name: str, value: Any, indent: int) -> str:
    inner = yaml_of(value, indent + 1)
    return f"{pad}{name}:\n{inner}" if isinstance(value, dict | list) and value else f"{pad}{name}: {inner.strip()}\n"


def linted(**parts: Any) -> Lint:
    """Lint such a policy."""
    document, presets = policy_of(small(**parts))
    return lint_of(document, presets, now=NOW)


def proof(found: Lint, measure: Measure, of: From = From.CALENDAR, *, with_rings: bool = False, row: str = "") -> Proof:
    """Return the one proof of a policy that is about this."""
    [one] = [
        each
        for each in found.proofs
        if (each.measure, each.of, each.with_rings) == (measure, of, with_rings) and row in each.cell.rule.id
    ]
    return one
