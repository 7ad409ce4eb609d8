"""Service levels and installations as a real database tells of them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from chassis.postgres import prepare_connection
from patchline.main import app
from services.compliance.policies.store_commands_installs import Installs, installs
from tests.builders import ACME, BIRCH
from tests.compliance.house import House, asset_changed, client_in
from tests.compliance.policies.linted import small
from tests.compliance.stories import JAN, booted, gone, hour, listed, reported

ADD_CLIENT = "INSERT INTO gateway.client VALUES ($1, $2, 'UTC', NULL, NULL, now(), now()) ON CONFLICT DO NOTHING"
EXCLUDE = """
    INSERT INTO compliance.exclusion (exclusion_id, tenant_id, patches, reason, approver, valid_from, until,
                                      recorded_at, recorded_by)
    VALUES ($1, $1, $2, 'released without notice', 'Dana Owner', $3, $4, $3, 'operator')
"""
SEE_ALL = "SELECT set_config('patchline.tenants', array_to_string(gateway.all_tenants(), ','), false)"
FEBRUARY = datetime(2025, 2, 3, tzinfo=UTC)


@pytest.fixture
async def january(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> House:
    """One server that was patched in time, one that never was, and the operator's way to the database in February."""
    admin = await asyncpg.connect(house.database.admin)
    for tenant, name in ((ACME, "Acme Dental"), (BIRCH, "Birch Law")):
        await admin.execute(ADD_CLIENT, tenant, name)
    await admin.execute("DELETE FROM compliance.exclusion")
    await admin.close()
    await house.hear(client_in("UTC"), client_in("UTC", tenant=BIRCH, name="Birch Law"))
    await house.hear(asset_changed(), asset_changed("dc02"), listed(0), reported(1), booted(2), gone(3))
    await house.settle()
    await house.pass_time(20 * 24)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", house.database.operator)
    monkeypatch.setenv("PATCHLINE_CLOCK_OFFSET_SECONDS", str((FEBRUARY - datetime.now(UTC)).total_seconds()))
    return house


async def run(*arguments: str) -> Result:
    """Type a command: in a thread, because commands have a loop of their own."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["policy", *arguments])


async def levels(month: str, client: str = "Acme Dental") -> dict[str, Any]:
    done = await run("levels", "--client", client, "--month", month, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.usefixtures("january")
async def test_a_month_is_counted_from_what_is_known_now() -> None:
    [servers] = (await levels("2025-01"))["levels"]

    assert (servers["os_family"], servers["tier"], servers["promised"]) == ("windows", "server", 95.0)
    assert servers["attainment"] == {"percent": 50.0, "met": 1, "late": 1, "excepted": 0}
    assert (servers["mean"]["percent"], servers["kept"]) == (50.0, False)
    days = sorted(servers["mean"]["days"])
    assert (days[0], days[-1], len(days)) == ("2025-01-14", "2025-01-31", 18)


@pytest.mark.usefixtures("january")
async def test_a_deadline_counts_in_the_month_into_which_it_falls() -> None:
    [servers] = (await levels("2025-02"))["levels"]

    assert servers["attainment"] == {"percent": None, "met": 0, "late": 0, "excepted": 0}
    assert (await levels("2024-12"))["levels"] == []


async def test_an_excluded_release_is_counted_with_and_without(january: House) -> None:
    admin = await asyncpg.connect(january.database.admin)
    begin, end = datetime(2025, 1, 14, tzinfo=UTC), datetime(2025, 1, 16, tzinfo=UTC)
    await admin.execute(EXCLUDE, ACME, [f"kb{JAN}"], begin, end)
    await admin.close()

    [servers] = (await levels("2025-01"))["levels"]

    assert servers["attainment_with_excluded"] == {"percent": 50.0, "met": 1, "late": 1, "excepted": 0}
    assert servers["attainment"] == {"percent": None, "met": 0, "late": 0, "excepted": 0}
    assert min(servers["mean_with_excluded"]["days"]) == "2025-01-14"
    assert min(servers["mean"]["days"]) == "2025-01-16"


@pytest.mark.usefixtures("january")
async def test_one_client_never_sees_another() -> None:
    assert (await levels("2025-01", client="Birch Law"))["levels"] == []


@pytest.mark.usefixtures("january")
async def test_the_month_so_far_ends_now() -> None:
    done = await run("levels", "--client", "Acme Dental", "--json")

    found = json.loads(done.stdout)
    assert found["month"] == "2025-02"
    assert sorted(found["levels"][0]["mean"]["days"]) == ["2025-02-01", "2025-02-02"]


@pytest.mark.usefixtures("january")
async def test_wrong_words_are_refused() -> None:
    for month in ("2025-13", "0000-01", "9999-12"):
        assert (await run("levels", "--client", "Acme Dental", "--month", month)).exit_code == 2
    assert "there is no client called 'Nobody'" in (await run("levels", "--client", "Nobody")).stderr


async def test_an_installation_lasts_from_the_first_report_to_the_restart(january: House) -> None:
    nights = [48 * (night + 1) for night in range(10)]
    for night in nights:
        await january.hear(reported(night), reported(night + 0.25, "5049984"), booted(night + 0.5))
    await january.hear(reported(600), booted(600 + 30))

    operator = await asyncpg.connect(january.database.operator)
    await prepare_connection(operator)
    await operator.execute(SEE_ALL)
    seen = await installs(operator, "Acme Dental", hour(24))
    others = await installs(operator, "Birch Law", hour(24))
    later = await installs(operator, "Acme Dental", hour(nights[1]))
    await operator.close()

    assert seen == Installs(10, timedelta(minutes=30))
    assert others == Installs(0, None)
    assert later == Installs(9, None)


async def test_the_linter_takes_what_was_seen(january: House, tmp_path: Path) -> None:
    for night in range(10):
        await january.hear(reported(48 * night + 48), booted(48 * night + 53))
    file = tmp_path / "policy.yaml"
    file.write_bytes(small(client="Acme Dental"))

    done = await run("lint", str(file), "--from-history")

    assert "nine of ten installations seen here took up to 5 h" in done.stdout
