"""What an operator types: apply, look, compare, and be refused what cannot be met."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from patchline.main import app
from tests.compliance.house import asset_changed, client_in
from tests.compliance.policies.files import file_of
from tests.compliance.policies.room import Room
from tests.compliance.stories import hour, listed

IN_TIME = {
    "regimes": [],
    "sla": [{"tiers": ["server"], "due": "P14D"}],
    "deployment": {"server": {"any_time": True}},
    "windows": {"sunday": {"rule": "FREQ=WEEKLY;BYDAY=SU", "start": "02:00", "duration": "PT4H"}},
    "reboot": {"server": {"kind": "scheduled", "windows": ["sunday"]}},
}


@pytest.fixture
def typed(room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Room:
    """The operator's way to the database, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", room.house.database.operator)
    return room


def run(*arguments: str, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["policy", *arguments])
    assert done.exit_code == code, done.output
    return done


def answer(*arguments: str, code: int = 0) -> Any:
    return json.loads(run(*arguments, "--json", code=code).stdout)


def saved(**fields: Any) -> str:
    Path("acme.yaml").write_bytes(file_of(**{**IN_TIME, **fields}))
    return "acme.yaml"


@pytest.mark.usefixtures("typed")
def test_a_file_becomes_a_version_once() -> None:
    [new] = answer("apply", saved(), "--reason", "agreed")
    [again] = answer("apply", saved(), "--reason", "agreed")

    assert (new["version"], new["is_new"], new["holds"], new["feasible"]) == (1, True, "now", True)
    assert (again["version"], again["is_new"]) == (1, False)


@pytest.mark.usefixtures("typed")
def test_what_is_shown_is_a_file_that_can_be_applied() -> None:
    run("apply", saved(), "--reason", "agreed\nwith the owner: on paper")

    Path("shown.yaml").write_text(run("show", "--client", "Acme Dental").stdout, encoding="utf-8")
    [again] = answer("apply", "shown.yaml", "--reason", "agreed")

    assert (again["version"], again["is_new"]) == (1, False)


@pytest.mark.usefixtures("typed")
def test_what_cannot_be_met_is_refused_unless_somebody_accepts_that() -> None:
    file = saved(sla=[{"tiers": ["server"], "severities": ["critical"], "due": "PT24H"}])

    refused = run("apply", file, "--reason", "agreed", code=1)
    [accepted] = answer("apply", file, "--reason", "agreed", "--accept-infeasible", "the owner knows")
    [kept] = answer("history", "--client", "Acme Dental")

    assert "it cannot be met" in refused.output
    assert (accepted["feasible"], kept["accepted"]) == (False, "the owner knows")


@pytest.mark.usefixtures("typed")
def test_history_tells_who_when_why_and_what_changed() -> None:
    run("apply", saved(), "--reason", "first")
    run("apply", saved(title="Agreed again", exceptions={"longest": "P30D"}), "--reason", "shorter exceptions")

    newest, oldest = answer("history", "--client", "Acme Dental")

    assert (newest["changed"], newest["reason"], newest["holds"]) == (
        "exceptions.longest, title",
        "shorter exceptions",
        True,
    )
    assert (oldest["changed"], oldest["holds"]) == ("first", False)
    assert newest["recorded_by"].startswith("operator ")


@pytest.mark.usefixtures("typed")
def test_a_policy_is_shown_as_of_and_as_known() -> None:
    run("apply", saved(valid_from="2025-01-16T00:00:00-05:00"), "--reason", "first")

    early = run("show", "--client", "Acme Dental", "--at", "2025-01-16T04:59:59Z", code=1)
    unknown = run("show", "--client", "Acme Dental", "--known", "2025-01-16T05:00:00Z", code=1)
    held = answer("show", "--client", "Acme Dental", "--at", "2025-01-16T05:00:00Z")
    [kept] = [answer("show", "--client", "Acme Dental", "--version", "1")]

    assert "the built-in one does" in early.output + unknown.output
    assert held["version"] == kept["version"] == 1
    assert held["document"]["sla"][0]["due"] == "P14D"


@pytest.mark.usefixtures("typed")
def test_one_that_was_to_hold_later_and_is_hidden_is_named() -> None:
    run("apply", saved(valid_from="2031-01-01T00:00:00-05:00"), "--reason", "for 2031")

    [sooner] = answer("apply", saved(), "--reason", "from now on")

    assert sooner["replaces_before_it_held"] == "1"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        pytest.param(["apply", "none.yaml", "--reason", "x"], 2, "cannot be read", id="no file"),
        pytest.param(["apply", "acme.yaml", "--reason", " "], 2, "say why", id="no reason"),
        pytest.param(["apply", "birch.yaml", "--reason", "x"], 2, "no client called 'Birch'", id="no client"),
        pytest.param(["show", "--client", "Acme Dental"], 1, "the built-in one does", id="nothing applied"),
        pytest.param(["show", "--client", "Acme Dental", "--at", "noon"], 2, "is no moment", id="no moment"),
        pytest.param(["show", "--client", "Acme Dental", "--at", "2025-01-01"], 2, "has no offset", id="no offset"),
        pytest.param(
            ["show", "--client", "Acme Dental", "--at", "0001-01-01T00:00:00+05:00"], 2, "--at: write", id="before all"
        ),
        pytest.param(["presets", "ce"], 1, "no preset called 'ce'", id="no preset"),
    ],
)
@pytest.mark.usefixtures("typed")
def test_a_wrong_use_is_told_in_one_line(arguments: list[str], code: int, told: str) -> None:
    saved()
    Path("birch.yaml").write_bytes(file_of(**{**IN_TIME, "client": "Birch"}))

    assert told in run(*arguments, code=code).output


def test_presets_are_listed_with_their_status() -> None:
    every = {each["preset"]: each for each in answer("presets")}

    assert every["hipaa-nprm-2025"]["status"] == "PROPOSED"
    assert every["cisa-bod-22-01"]["status"] == "revoked"
    assert every["cisa-bod-26-04"]["rows"] == 16
    assert answer("presets", "pci-4.0.1-6.3.3")["rules"][0]["due"] == "P1M"


async def test_a_diff_tells_which_deadlines_would_move_and_moves_none(typed: Room) -> None:
    await typed.house.hear(client_in("UTC"), asset_changed(), asset_changed("dc02"), listed(0))
    before = await typed.due_at()

    found = await asked("diff", saved(valid_from=hour(0).isoformat()))

    assert found["before"] == "default-1"
    assert found["open_obligations"] == 2
    assert found["moves"]["later"] == 2
    assert found["moves"]["overdue_at_once"] == 0
    assert {
        "tier": "server",
        "severity": "critical",
        "who": "all",
        "before": "PT24H from release",
        "after": "P14D from release",
    } in found["cells"]
    assert await typed.due_at() == before
    assert await typed.house.rows("SELECT * FROM policy_version") == []


async def asked(*arguments: str) -> Any:
    """Type a command while the test's own loop runs."""
    return await asyncio.to_thread(answer, *arguments)
