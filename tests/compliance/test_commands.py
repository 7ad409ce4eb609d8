"""What an operator types: load, look, and be refused a figure that would say nothing."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from contracts.events.event import Tier
from patchline.main import app
from tests.builders import ACME, BIRCH
from tests.compliance.house import House, asset_changed, bundled, client_in
from tests.compliance.said import reader_failed
from tests.compliance.stories import booted, gone, listed, reported

ADD_CLIENT = "INSERT INTO gateway.client VALUES ($1, $2, 'UTC', NULL, NULL, now(), now()) ON CONFLICT DO NOTHING"


@pytest.fixture
async def filled(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two clients with servers, one of which is proven, and the operator's way to the database."""
    admin = await asyncpg.connect(house.database.admin)
    for tenant, name in ((ACME, "Acme Dental"), (BIRCH, "Birch Law")):
        await admin.execute(ADD_CLIENT, tenant, name)
    await admin.close()
    await house.hear(client_in("UTC"), client_in("UTC", tenant=BIRCH, name="Birch Law"))
    await house.hear(asset_changed(), listed(0), reported(1), booted(2), gone(3), reader_failed(1))
    await house.hear(asset_changed("dc02"), asset_changed("ws01", build="26100.1", tier=Tier.WORKSTATION, os_name="11"))
    await house.hear(asset_changed("bx01", tenant=BIRCH))
    await house.settle()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", house.database.operator)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def answer(*arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def typed(*arguments: str) -> Any:
    """Return the answer where a loop is running already."""
    return await asyncio.to_thread(answer, *arguments)


pytestmark = pytest.mark.usefixtures("filled")


def test_loading_says_what_is_in_it_and_whether_it_is_new(tmp_path: Path) -> None:
    file = tmp_path / "ours.json"
    file.write_text(bundled(without=["macOS 14"]).model_dump_json())

    [new] = answer("catalog", "load", str(file))
    [again] = answer("catalog", "load", str(file))
    [status] = answer("catalog", "status")
    [back] = answer("catalog", "load")

    assert (new["is_new"], again["is_new"], back["is_new"]) == (True, False, True)
    assert (again["version"], back["version"]) == (new["version"], new["version"] + 1)
    assert (status["version"], status["applied"]) == (new["version"], False)
    assert new["builds_unconfirmed"] > 0


def test_a_wrong_file_is_refused_by_entry_and_loads_nothing(tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    file.write_text(bundled().model_dump_json().replace('"kb":"5049983"', '"kb":"KB5049983"'))
    before = answer("catalog", "status")

    refused = run("catalog", "load", str(file))
    missing = run("catalog", "load", str(tmp_path / "none.json"))

    assert refused.exit_code == missing.exit_code == 2
    assert "product 'Windows Server 2022', train 'cumulative', release 'KB5049983', kb" in refused.stderr
    assert "cannot be read" in missing.stderr
    assert answer("catalog", "status") == before


def test_the_status_counts_what_is_parked() -> None:
    [status] = answer("catalog", "status")

    assert (status["patches_parked_for_catalog"], status["uncatalogued_failing"]) == (1, 1)
    assert (status["devices_without_asset"], status["patches_parked_for_inventory"]) == (0, 0)


def test_figures_of_every_cell_sum_to_their_population() -> None:
    rows = answer("figures")

    cells = {(row["client"], row["os_family"], row["tier"], row["severity"]): row for row in rows}
    acme = cells["Acme Dental", "windows", "server", "critical"]
    assert set(cells) == {
        ("Acme Dental", "windows", "server", "critical"),
        ("Acme Dental", "windows", "workstation", "critical"),
        ("Birch Law", "windows", "server", "critical"),
    }
    assert (acme["population"], acme["percent"]) == (2, 50.0)
    assert all(sum(row["counts"].values()) == row["population"] for row in rows)
    assert all(len(row["counts"]) == 10 and len(row["outside"]) == 3 for row in rows)


def test_figures_of_one_client_and_of_one_that_there_is_not() -> None:
    assert {row["client"] for row in answer("figures", "--client", "Birch Law")} == {"Birch Law"}

    unknown = run("figures", "--client", "Nobody")

    assert unknown.exit_code == 1
    assert "there is no client called 'Nobody'" in unknown.stderr


def test_one_figure_of_one_tier_is_given() -> None:
    [one] = answer("figures", "--client", "Acme Dental", "--os", "windows", "--tier", "server", "--single")

    assert (one["percent"], one["population"]) == (50.0, 2)


def test_a_blended_figure_is_refused_with_the_vector() -> None:
    refused = run("figures", "--client", "Acme Dental", "--single", "--json")
    for_people = run("figures", "--single")

    assert refused.exit_code == for_people.exit_code == 1
    body = json.loads(refused.stdout)
    assert body["over"] == ["tiers"]
    assert {row["tier"] for row in body["vector"]} == {"server", "workstation"}
    assert "percent" not in body
    assert "clients and tiers" in for_people.stderr


def test_obligations_are_listed_by_client_and_state() -> None:
    everything = answer("obligation", "list")
    verified = answer("obligation", "list", "--state", "VERIFIED")

    assert len(everything) == 4
    assert [(row["client"], row["device"], row["state"]) for row in verified] == [("Acme Dental", "dc01", "VERIFIED")]
    assert "DC01" in run("obligation", "list", "--client", "Acme Dental").stdout


def test_one_machine_shows_its_moments_transitions_and_witnesses() -> None:
    [shown] = answer("obligation", "show", "dc01")

    assert shown["obligation"]["state"] == "VERIFIED"
    assert "verified_at" in shown["obligation"]["moments"]
    assert [each["state"] for each in shown["history"]] == ["VERIFIED"]
    assert {each["saw"] for each in shown["witnesses"]} == {"booted", "no longer listed KB5049983"}
    assert run("obligation", "show", "DC01").exit_code == 0
    assert run("obligation", "show", "nobody").exit_code == 1


async def test_a_person_attests_what_no_reading_tells(house: House, tmp_path: Path) -> None:
    shown = tmp_path / "console.png"
    shown.write_bytes(b"a picture of a console")
    words = ("--by", "Dana Fox", "--reason", "its agent is broken", "--evidence", str(shown))
    at = ("--at", "2025-01-15T06:00:00")
    [owed] = [each for each in await typed("obligation", "show", "DC02") if each["obligation"]["train"] == "cumulative"]

    [done] = await typed("obligation", "attest", "DC02", "--requirement", "Windows Server 2022", *words, *at)
    [again] = await typed("obligation", "attest", "DC02", "--requirement", "Windows Server 2022", *words, *at)
    await house.settle()

    assert (done["is_new"], again["is_new"], done["release"]) == (True, False, "KB5049983")
    assert done["sha256"] == hashlib.sha256(b"a picture of a console").hexdigest()
    [after] = [
        each for each in await typed("obligation", "show", "DC02") if each["obligation"]["train"] == "cumulative"
    ]
    assert (owed["obligation"]["proof"], after["obligation"]["proof"]) == (None, "attested")
    assert [each["attested_by"] for each in after["attested"]] == ["Dana Fox"]
    assert after["judged_by"]["policy"] == "default-1"
    assert after["judged_by"]["sources_needed"] == 1
    figures = [
        each for each in await typed("figures", "--client", "Acme Dental", "--tier", "server") if each["attested"]
    ]
    assert [each["attested"] for each in figures] == [1]


@pytest.mark.parametrize(
    ("changes", "code", "why"),
    [
        ({"--requirement": "No Such Product"}, 1, "owes nothing like"),
        ({"--release": "KB1"}, 1, "has no release 'KB1'"),
        ({"--by": " "}, 2, "--by and --reason"),
        ({"--at": "2199-01-01T00:00:00"}, 2, "still to come"),
    ],
    ids=["another product", "another release", "nobody", "in the future"],
)
def test_what_cannot_be_attested_is_refused(changes: dict[str, str], code: int, why: str, tmp_path: Path) -> None:
    shown = tmp_path / "console.png"
    shown.write_bytes(b"a picture")
    options = {
        "--requirement": "Windows Server 2022",
        "--by": "Dana Fox",
        "--reason": "broken",
        "--evidence": str(shown),
        **changes,
    }

    refused = run("obligation", "attest", "DC02", *(word for option in options.items() for word in option))

    assert refused.exit_code == code
    assert why in refused.stderr
