"""What an author types before a policy counts; nothing needs to run."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner, Result

from patchline.main import app
from services.compliance.policies.rules_drawing import drawing, in_svg, in_text
from services.compliance.policies.rules_feasible import From, Measure, decisive
from services.compliance.zones import zone_of
from tests.compliance.policies.linted import PLAYBOOK, playbook, proof, small

MAY_2031 = datetime(2031, 5, 10, 12, tzinfo=UTC)
PICTURE = PLAYBOOK.parents[1] / "images" / "policy-lint.svg"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["policy", "lint", *map(str, arguments)])


def written(tmp_path: Path, **parts: Any) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_bytes(small(**parts))
    return file


def test_the_playbooks_own_table_is_refused_with_its_cell_instant_and_shortfall() -> None:
    done = run(PLAYBOOK)
    as_json = run(PLAYBOOK, "--json")

    assert done.exit_code == as_json.exit_code == 1
    assert "verified after the restart: 85 h too late" in done.stdout
    assert "restarted  Sun 2027-01-17 02:00 EST" in done.stdout
    assert "left empty: server: high, moderate, low, unknown" in done.stdout
    [late] = json.loads(as_json.stdout)["infeasible"]
    assert (late["row"], late["measure"], late["shortfall_hours"]) == ("core servers, critical", "verification", 85.0)
    assert late["worst_released_at"] == "2027-01-12T18:00:00+00:00"


def test_a_policy_that_can_be_met_says_so(tmp_path: Path) -> None:
    done = run(written(tmp_path, sla=[{"tiers": ["server"], "due": "P7D"}]))

    assert done.exit_code == 0
    assert done.stdout.endswith("it can be met\n")


def test_a_release_off_the_calendar_counts_if_that_is_asked(tmp_path: Path) -> None:
    file = written(tmp_path, sla=[{"tiers": ["server"], "due": "P5D"}])

    assert run(file).exit_code == 0
    assert run(file, "--any-instant").exit_code == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"client: [", "line 1"),
        (
            small(windows={"sunday": {"rule": "FREQ=WEEKLY;BYDAY=XX", "start": "02:00", "duration": "PT4H"}}),
            "sunday.rule",
        ),
        (small(zone="EST"), "zone"),
    ],
    ids=["no YAML", "a malformed window", "an abbreviated zone"],
)
def test_what_cannot_be_read_is_wrong_use(content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_bytes(content)

    done = run(file)

    assert done.exit_code == 2
    assert told in done.stderr


def test_a_length_that_is_none_is_wrong_use(tmp_path: Path) -> None:
    done = run(written(tmp_path), "--p90", "forty minutes")

    assert done.exit_code == 2
    assert "--p90" in done.stderr


def test_a_picture_that_cannot_be_written_is_wrong_use(tmp_path: Path) -> None:
    done = run(written(tmp_path), "--svg", tmp_path / "nowhere" / "lint.svg")

    assert done.exit_code == 2
    assert "--svg" in done.stderr


def test_an_installation_longer_than_its_window_is_warned_of(tmp_path: Path) -> None:
    assert "window sunday lasts 4 h; nine of ten" in run(written(tmp_path), "--p90", "PT5H").stdout


def test_the_picture_is_a_picture_and_draws_what_is_too_late(tmp_path: Path) -> None:
    picture = tmp_path / "lint.svg"

    run(PLAYBOOK, "--svg", picture)

    root = ET.fromstring(picture.read_text(encoding="utf-8"))  # noqa: S314 - written a line ago
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text and "85 h too late" in text for text in texts)
    assert "Sun 2027-01-17 02:00 EST" in texts


def test_the_picture_in_the_documentation_is_what_is_drawn_today() -> None:
    found = playbook()
    zone = zone_of(found.zone)
    assert zone is not None

    assert PICTURE.read_text(encoding="utf-8") == in_svg([drawing(each, zone) for each in decisive(found.proofs)])


def test_what_never_comes_is_drawn_as_far_as_it_gets() -> None:
    without_restart = proof(
        playbook(without="reboot"), Measure.VERIFICATION, From.CALENDAR, row="core servers", with_rings=True
    )
    zone = zone_of("America/New_York")
    assert zone is not None

    lines = list(in_text(drawing(without_restart, zone)))

    assert "never (restarted: no reboot rule names server, so never)" in lines[0]
    assert any(line.strip().startswith("sent to pilot") for line in lines)


def test_it_looks_from_the_clock_of_the_stack_though_no_part_is_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHLINE_HOME", str(tmp_path))
    monkeypatch.delenv("PATCHLINE_OPERATOR_URL", raising=False)
    monkeypatch.setenv("PATCHLINE_CLOCK_OFFSET_SECONDS", str((MAY_2031 - datetime.now(UTC)).total_seconds()))

    done = run(written(tmp_path, sla=[{"tiers": ["server"], "due": "P7D"}]))

    assert "releases from 2031-05-10" in done.stdout
