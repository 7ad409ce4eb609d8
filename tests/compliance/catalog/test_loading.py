"""Loading feeds into a real database: versions are kept, obligations follow, and the same again changes nothing."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from chassis.postgres import Connection, transaction
from contracts import ids
from patchline.main import app
from services.compliance import store_commands_newest, store_intelligence
from services.compliance.catalog.feeds.found import File
from services.compliance.catalog.intelligence import Feed
from services.compliance.catalog.model import Catalog
from services.compliance.store_catalog import CatalogShelf
from tests.compliance.catalog import files
from tests.compliance.catalog.files import needs_public_data, public
from tests.compliance.house import House, asset_changed
from tests.compliance.stories import listed

WS2022 = "Windows Server 2022"


@pytest.fixture
async def folder(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    admin = await asyncpg.connect(house.database.admin)
    await admin.execute("TRUNCATE compliance.feed_version, compliance.feed_fact")
    await admin.execute("UPDATE compliance.feed_applied SET id = 0")
    await admin.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", house.database.operator)
    return tmp_path


pytestmark = pytest.mark.usefixtures("house")


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def load(folder: Path, kind: str, *given: File) -> list[dict[str, Any]]:
    for each in given:
        (folder / each.name).write_text(each.text)
    done = await run("catalog", "load", *(str(folder / each.name) for each in given), "--format", kind, "--json")
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


async def windows(folder: Path) -> list[dict[str, Any]]:
    return await load(folder, "windows-kb", File("kbs.csv", files.KBS), File("edges.csv", files.EDGES))


async def test_a_list_of_kbs_joins_the_catalog_that_is_there(house: House, folder: Path) -> None:
    [first] = await windows(folder)
    [again] = await windows(folder)

    async with transaction(house.pool) as tx:
        catalog = await house.shelf.newest(tx)
    requirement = catalog.requirements[ids.requirement_id(WS2022, "cumulative")]
    names = [each.name for each in requirement.releases]
    assert (first["is_new"], again["is_new"], again["catalog_version"]) == (True, False, first["catalog_version"])
    assert names.index("KB5900001") < names.index("KB5049983")
    assert requirement.superseders["KB5900001"] == {"KB5900002", "KB5900003", "KB5900004"}
    assert requirement.release("KB5900004").cves == ("CVE-2024-90004", "CVE-2024-90005")
    assert not requirement.release("KB5900003").release_confirmed


async def test_what_feeds_say_reaches_decisions_and_old_versions_are_kept(house: House, folder: Path) -> None:
    await windows(folder)
    await load(folder, "kev", files.kev())
    await load(folder, "epss", files.epss("CVE-2024-90002,0.4,0.9", "CVE-2000-0001,0.1,0.2"))
    await load(folder, "ssvc", files.record())
    await load(folder, "cvss", File("v.csv", f"cve,vector\nCVE-2024-90002,{files.WORST}\n"))
    await load(folder, "epss", files.epss("CVE-2024-90002,0.2,0.8", model="v2026.02.01", day="2026-02-03"))

    async with transaction(house.pool) as tx:
        catalog = await house.shelf.newest(tx)
        kept = await tx.fetch("SELECT feed, label FROM feed_version WHERE feed = 'epss' ORDER BY id")
    requirement = catalog.requirements[ids.requirement_id(WS2022, "cumulative")]
    risk = catalog.risk(requirement.release("KB5900002"))
    assert (risk.epss, risk.cvss, risk.exploitation, risk.ransomware) == (0.2, 9.8, "active", True)
    assert (risk.automatable, risk.technical_impact_total) == (True, True)
    assert risk.kev_added_at is not None
    assert f"{risk.kev_added_at:%Y-%m-%d %H:%M}" == "2026-02-01 00:00"
    assert "epss v2026.02.01 of 2026-02-03" in risk.versions
    assert [row["label"] for row in kept] == ["v2026.01.01 of 2026-02-02", "v2026.02.01 of 2026-02-03"]


class Interrupted:
    """A connection on which somebody else's question comes in before what feeds say is read."""

    def __init__(self, tx: Connection, question: Callable[[], Awaitable[None]]) -> None:
        self._tx = tx
        self._question = question

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        if statement == store_intelligence.LABELS:
            await self._question()
        return await self._tx.fetch(statement, *arguments)


async def test_who_asks_while_a_catalog_is_read_is_told_what_feeds_say_too(house: House, folder: Path) -> None:
    await windows(folder)
    await load(folder, "kev", files.kev())
    shelf, told = CatalogShelf(), list[Catalog]()
    async with house.pool.acquire() as connection, connection.transaction():
        await shelf.newest(connection)
        known = await store_commands_newest.newest_document(connection)
    assert known is not None
    await house.add_catalog(known.model_copy(update={"name": "the same by another name"}))

    async def ask() -> None:
        async with transaction(house.pool) as other:
            told.append(await shelf.newest(other))

    async with transaction(house.pool) as tx:
        told.append(await shelf.newest(Interrupted(tx, ask)))  # type: ignore[arg-type]  # as a connection does

    release = told[0].requirements[ids.requirement_id(WS2022, "cumulative")].release("KB5900002")
    assert [each.label.split("#")[0] for each in told] == ["the same by another name"] * 2
    assert [each.risk(release).ransomware for each in told] == [True, True]


async def test_only_assets_of_which_something_else_is_told_are_decided_anew(house: House, folder: Path) -> None:
    await windows(folder)
    await house.hear(asset_changed(), asset_changed("ws01", build="19045.1", os_name="Windows 10 Pro"))
    await house.hear(listed(0))
    await house.settle()
    waiting = "SELECT hostname FROM recheck JOIN asset USING (asset_id) ORDER BY hostname"

    await load(folder, "kev", files.kev())
    await house.rechecks._notice_feeds()
    async with transaction(house.pool) as tx:
        first = [row["hostname"] for row in await tx.fetch(waiting)]
    await house.settle()
    await load(folder, "kev", files.kev(version="2026.02.04"))
    await house.rechecks._notice_feeds()
    async with transaction(house.pool) as tx:
        again = [row["hostname"] for row in await tx.fetch(waiting)]

    assert (first, again) == (["DC01"], [])


async def test_status_tells_each_feed_with_its_version_age_and_count(folder: Path) -> None:
    await windows(folder)
    await load(folder, "kev", files.kev())

    [status] = json.loads((await run("catalog", "status", "--json")).stdout)
    shown = await run("catalog", "status")

    by_feed = {each["feed"]: each for each in status["feeds"]}
    assert (by_feed["kev"]["label"], by_feed["kev"]["entries"], by_feed["kev"]["versions"]) == ("2026.02.03", 1, 1)
    assert by_feed["kev"]["age_days"] > 0
    assert len(by_feed["kev"]["sha256"]) == 64
    assert by_feed["windows-kb"]["catalog_version"] == status["version"]
    assert "2026.02.03" in shown.stdout


async def test_what_satisfies_a_patch_and_what_is_known_of_a_vulnerability_can_be_asked(folder: Path) -> None:
    await windows(folder)
    await load(folder, "kev", files.kev())

    satisfied = json.loads((await run("catalog", "satisfies", "kb5900002", "--json")).stdout)
    [said] = json.loads((await run("catalog", "vulnerability", "CVE-2024-90002", "--json")).stdout)

    by_product = {each["product"]: each["satisfied_by"] for each in satisfied}
    assert by_product[WS2022] == ["KB5900002", "KB5900003", "KB5900004"]
    assert by_product["Windows 11 23H2 x64"] == ["KB5900002", "KB5900011"]
    assert (said["feed"], said["label"], said["ransomware"]) == (Feed.KEV, "2026.02.03", True)
    assert (await run("catalog", "satisfies", "KB9999999")).exit_code == 1
    assert (await run("catalog", "vulnerability", "CVE-1999-0001")).exit_code == 1


UNUSABLE = {
    "cut off": ("kev", files.kev(count=7), "says 7 entries and has 1"),
    "a name without end": (
        "windows-kb",
        File("kbs.csv", files.KBS.replace("Windows Whistler", "W" * 200)),
        "an entry's product: String should have at most 100 characters",
    ),
    "a day beyond all calendars": (
        "lifecycle",
        File("l.json", files.lifecycle().text.replace("2031-10-14", "9999-12-31")),
        "has a day beyond all calendars",
    ),
    "a field without end": ("cvss", File("v.csv", f"cve,vector\nCVE-2024-90002,{'x' * 200_000}\n"), "is no CSV: field"),
}


@pytest.mark.parametrize("unusable", UNUSABLE.values(), ids=UNUSABLE.keys())
async def test_a_file_that_cannot_be_used_changes_nothing(
    house: House, folder: Path, unusable: tuple[str, File, str]
) -> None:
    kind, file, reason = unusable
    (folder / file.name).write_text(file.text)

    done = await run("catalog", "load", str(folder / file.name), "--format", kind)

    assert (done.exit_code, reason in done.output) == (2, True), done.output
    async with transaction(house.pool) as tx:
        assert await tx.fetchval("SELECT count(*) FROM feed_version") == 0


async def test_the_operator_can_add_versions_and_change_none(house: House, folder: Path) -> None:
    await load(folder, "kev", files.kev())
    operator = await asyncpg.connect(house.database.operator)
    try:
        for statement in ("DELETE FROM compliance.feed_fact", "UPDATE compliance.feed_version SET label = 'x'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await operator.execute(statement)
    finally:
        await operator.close()


@needs_public_data
async def test_the_whole_real_list_and_its_graph_load_in_seconds(house: House, folder: Path) -> None:
    real = [public("wesng/windows_kb_2023_2026.csv"), public("wesng/kb_supersedence_edges.csv")]

    started = time.perf_counter()
    [loaded] = await load(folder, "windows-kb", *real)
    seconds = time.perf_counter() - started

    async with transaction(house.pool) as tx:
        catalog = await house.shelf.newest(tx)
    requirement = catalog.requirements[ids.requirement_id(WS2022, "cumulative")]
    assert (loaded["entries"], seconds < 20) == (607, True)
    assert {"KB5048654", "KB5094128"} <= requirement.superseders["KB5022291"]
