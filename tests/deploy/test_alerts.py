"""The alert rules name metrics that exist, and lead to a page that says what to do."""

import re
from pathlib import Path

import pytest

from chassis.telemetry import Count, Duration, Level

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy" / "alerts" / "patchline.yml"
FIELD = re.compile(r"^ +(?:- )?(alert|expr|for|labels|annotations|summary|runbook):(?: (.*))?$")
OURS = re.compile(r"\b(?:patchline|messaging|http_client)_[a-z_]+\b")
PARTS = ("_bucket", "_sum", "_count")


def _rules() -> list[dict[str, str]]:
    """Return the rules as written: every line is a comment, the frame, or one known field."""
    rules: list[dict[str, str]] = []
    for line in RULES.read_text().splitlines():
        if re.fullmatch(r"#.*|groups:|  - name: [a-z-]+|    rules:", line):
            continue
        field = FIELD.fullmatch(line)
        assert field, line
        if field[1] == "alert":
            rules.append({})
        assert field[1] not in rules[-1], line
        rules[-1][field[1]] = field[2] or ""
    return rules


def _exported() -> set[str]:
    names = {f"{each.replace('.', '_')}_total" for each in Count}
    names |= {f"{each.replace('.', '_')}_seconds{part}" for each in Duration for part in PARTS}
    return names | {each.replace(".", "_") for each in Level}


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: rule["alert"])
def test_a_rule_is_whole_and_about_metrics_that_exist(rule: dict[str, str]) -> None:
    named = set(OURS.findall(rule["expr"]))

    assert named
    assert named <= _exported()
    assert rule["labels"] in {"{severity: critical}", "{severity: warning}"}
    assert rule["summary"][0] == rule["summary"][-1] == '"'
    assert rule["expr"].count("(") == rule["expr"].count(")")


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: rule["alert"])
def test_a_rule_leads_to_a_heading_of_the_runbook(rule: dict[str, str]) -> None:
    document, _, anchor = rule["runbook"].partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / document).read_text(), flags=re.MULTILINE)

    assert anchor in {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_promises_of_the_audit_are_among_them() -> None:
    assert {"PatchlineAuditGap", "PatchlineAuditSilent"} <= {rule["alert"] for rule in _rules()}
