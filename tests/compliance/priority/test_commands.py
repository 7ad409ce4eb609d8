"""What an operator types: what comes first, a word instead of a table's, the log as evidence, a triage's steps."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from patchline.main import app
from services.compliance.priority.tables import BOD_26_04, DEPLOYER
from tests.builders import ACME
from tests.compliance.priority.room import Room, directive

CLIENT = ("--client", "Acme Dental")
SERVER = "Windows Server 2022/cumulative"
ADD_CLIENT = "INSERT INTO gateway.client VALUES ($1, $2, 'UTC', NULL, NULL, now(), now()) ON CONFLICT DO NOTHING"


def later(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


@pytest.fixture
async def looked(room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Room:
    """A client with an exposed server that lacks what is exploited; everything was looked at once, a minute ago."""
    admin = await asyncpg.connect(room.house.database.admin)
    await admin.execute(ADD_CLIENT, ACME, "Acme Dental")
    await admin.close()
    room.house.now = datetime.now(UTC) - timedelta(minutes=1)
    await room.lacking("internet-facing")
    await room.feed("kev", "2025.01.14", kev_added_at=room.house.now - timedelta(hours=1))
    await room.look()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", room.house.database.operator)
    return room


@pytest.fixture
async def triaged(looked: Room) -> Room:
    """The same, after the client agreed to the directive."""
    looked.agreed.by_tenant[ACME] = directive()
    await looked.look()
    return looked


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def answer(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def typed(*arguments: str) -> Any:
    """Return the same where a loop runs already: a command runs one of its own."""
    return await asyncio.to_thread(answer, *arguments)


@pytest.mark.usefixtures("looked")
def test_what_is_open_is_listed_with_what_is_not_known() -> None:
    [row] = answer("priority", "list", *CLIENT)

    assert (row["outcome"], row["machines"], row["open"]) == ("immediate", "server exposed", 1)
    assert row["verdict"]["unknown"] == ["automatable", "human_impact"]
    assert answer("priority", "list", *CLIENT, "--outcome", "defer") == []
    assert "automatable, human_impact" in run("priority", "list").stdout
    assert run("priority", "list", "--client", "Nobody").exit_code == 1


async def test_an_override_holds_at_the_next_look_and_is_ended_by_word(looked: Room) -> None:
    why = ("--reason", "the vendor tells of a broken update")

    [told] = await typed("priority", "override", SERVER, *CLIENT, "--outcome", "defer", "--until", later(24), *why)
    looked.house.now = datetime.now(UTC) - timedelta(seconds=1)  # looking takes one
    await looked.look()
    [ended] = await typed("priority", "override", SERVER, *CLIENT, "--end", "--reason", "the update is mended")
    looked.house.now = datetime.now(UTC) - timedelta(seconds=1)  # looking takes one
    await looked.look()

    decisions = await typed("priority", "show", SERVER, *CLIENT)
    assert (told["table"], ended["ended"]) == (DEPLOYER, DEPLOYER)
    assert [each["outcome"] for each in decisions] == ["immediate", "defer", "immediate"]
    assert decisions[1]["decided_by"].startswith("operator ")
    words = await typed("priority", "overrides", *CLIENT)
    assert [each["outcome"] for each in words] == ["defer", None]
    assert "the vendor tells" in (await asyncio.to_thread(run, "priority", "overrides", *CLIENT)).stdout
    assert (await asyncio.to_thread(run, "priority", "override", SERVER, *CLIENT, "--end", *why)).exit_code == 1


@pytest.mark.usefixtures("looked")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((SERVER, "--outcome", "defer"), 2, "every override ends"),
        ((SERVER, "--outcome", "defer", "--until", "2020-01-01T00:00:00Z"), 2, "is over"),
        ((SERVER, "--outcome", "defer", "--until", "2150-01-01"), 2, "has no offset"),
        ((SERVER, "--outcome", "soon", "--until", "2150-01-01T00:00:00Z"), 2, "no table has the outcome 'soon'"),
        ((SERVER, "--end", "--outcome", "defer", "--until", "2150-01-01T00:00:00Z"), 2, "--end takes neither"),
        (("Windows Server 2022", "--outcome", "defer", "--until", "2150-01-01T00:00:00Z"), 2, "is no requirement"),
        (("Amiga/cumulative", "--outcome", "defer", "--until", "2150-01-01T00:00:00Z"), 1, "no catalog has"),
    ],
    ids=["no end", "past", "no offset", "no outcome", "both", "no train", "not in a catalog"],
)
def test_an_override_that_says_too_little_is_refused(arguments: tuple[str, ...], code: int, says: str) -> None:
    refused = run("priority", "override", *arguments, *CLIENT, "--reason", "because")

    assert (refused.exit_code, says in refused.stderr) == (code, True), refused.stderr
    assert answer("priority", "overrides", *CLIENT) == []


@pytest.mark.usefixtures("looked")
def test_the_log_is_exported_as_evidence(tmp_path: Path) -> None:
    file = tmp_path / "log.json"

    done = run("priority", "export", *CLIENT, "--out", str(file))

    told = json.loads(file.read_text())
    assert done.exit_code == 0
    assert sha256(file.read_bytes()).hexdigest() in done.stdout
    assert told["cites"][0] == "45 CFR 164.308(a)(1)(ii)(A)"
    [decision] = told["decisions"]
    assert {"inputs", "policy", "catalog", "table_id", "verdict", "override", "decided_by", "decided_at"} <= set(
        decision
    )
    assert decision["inputs"]["versions"] == ["kev 2025.01.14"]
    assert {each["table"] for each in told["tables"]} >= {DEPLOYER, BOD_26_04}
    assert json.loads(run("priority", "export", *CLIENT, "--since", later(1)).stdout)["decisions"] == []


def test_tables_are_listed_and_shown_whole() -> None:
    assert {each["table"]: each["rows"] for each in answer("priority", "tables")}[BOD_26_04] == 16
    assert len(answer("priority", "tables", DEPLOYER)) == 72
    assert run("priority", "tables", "nobodys").exit_code == 1


async def test_steps_of_a_triage_are_recorded_and_close_it(triaged: Room, tmp_path: Path) -> None:
    image = tmp_path / "dc01.raw"
    image.write_bytes(b"memory")
    record = ("triage", "record", "DC01", "--note", "safe 3", "--step")

    await typed(*record, "scoping")
    [kept] = await typed(*record, "evidence", "--evidence", str(image), "--requirement", SERVER)
    await typed(*record, "decision", "--found", "none")
    [before] = await typed("triage", "list", *CLIENT)
    triaged.house.now = datetime.now(UTC)
    await triaged.look()

    assert kept["evidence"] == sha256(b"memory").hexdigest()
    assert [each["step"] for each in before["records"]] == ["scoping", "evidence", "decision"]
    assert await typed("triage", "list", *CLIENT) == []
    [closed] = await typed("triage", "list", *CLIENT, "--closed")
    assert closed["standing"]["finding"] == "none"
    assert (await asyncio.to_thread(run, *record, "scoping")).exit_code == 1


@pytest.mark.usefixtures("triaged")
@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--step", "evidence"), 2, "needs --evidence"),
        (("--step", "decision"), 2, "a decision needs it"),
        (("--step", "scoping", "--found", "none"), 2, "--found belongs to --step decision"),
        (("--step", "scoping", "--at", "2150-01-01T00:00:00Z"), 2, "that is not yet"),
        (("--step", "evidence", "--evidence", "nowhere.raw"), 2, "cannot be read"),
        (("--step", "scoping", "--requirement", "Windows 11 24H2/cumulative"), 1, "no triage is under way"),
    ],
    ids=["no file", "no finding", "finding too early", "not yet", "no such file", "another requirement"],
)
def test_a_step_that_says_too_little_is_refused(arguments: tuple[str, ...], code: int, says: str) -> None:
    refused = run("triage", "record", "DC01", "--note", "safe 3", *arguments)

    assert (refused.exit_code, says in refused.stderr) == (code, True), refused.stderr
    [triage] = answer("triage", "list")
    assert triage["records"] == []
