"""The audit on a real database: only ever added to, once, in one chain, whoever writes at the same time."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
import typer
from typer.testing import CliRunner, Result

from chassis import commands
from chassis.postgres import Pool, open_pool, transaction
from services.credentials.audit import store_audit
from services.credentials.audit.commands import export, verify_audit
from tests.credentials.audit.facts import fact
from tests.parts import Database

ENTRIES = "SELECT number, line, hash FROM audit_entry WHERE tenant_id = $1 ORDER BY number"


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    pool = await open_pool(database.writer("credentials"), size=8, application="tests")
    yield pool
    await pool.close()


@pytest.fixture
async def tenant(database: Database) -> UUID:
    """A client of this test alone: nothing of an audit can be emptied."""
    tenant = uuid4()
    admin = await asyncpg.connect(database.admin)
    await admin.execute(
        "INSERT INTO gateway.client (tenant_id, name, zone, added_at, changed_at) VALUES ($1, $2, 'UTC', now(), now())",
        tenant,
        f"Client {tenant}",
    )
    await admin.close()
    return tenant


async def add(pool: Pool, tenant: UUID, *numbers: int) -> int:
    async with transaction(pool) as tx:
        return await store_audit.append(tx, [fact(number, tenant=tenant) for number in numbers])


class TestKeeping:
    async def test_facts_are_kept_in_their_order(self, pool: Pool, tenant: UUID) -> None:
        await add(pool, tenant, 1, 2)
        await add(pool, tenant, 3)

        rows = await pool.fetch(ENTRIES, tenant)

        assert [json.loads(row["line"])["evidence"][0][1] for row in rows] == ["reading 1", "reading 2", "reading 3"]
        assert json.loads(rows[2]["line"])["previous"] == rows[1]["hash"]

    async def test_a_repeat_adds_nothing(self, pool: Pool, tenant: UUID) -> None:
        assert [await add(pool, tenant, 1, 2), await add(pool, tenant, 2, 1), await add(pool, tenant, 2, 3, 3)] == [
            2,
            0,
            1,
        ]

        assert [row["number"] for row in await pool.fetch(ENTRIES, tenant)] == [1, 2, 3]

    async def test_clients_have_chains_of_their_own(self, pool: Pool, tenant: UUID) -> None:
        other = uuid4()

        async with transaction(pool) as tx:
            await store_audit.append(tx, [fact(1, tenant=tenant), fact(1, tenant=other), fact(2, tenant=tenant)])

        assert [row["number"] for row in await pool.fetch(ENTRIES, tenant)] == [1, 2]
        assert [row["number"] for row in await pool.fetch(ENTRIES, other)] == [1]

    async def test_what_is_rolled_back_leaves_no_gap(self, pool: Pool, tenant: UUID) -> None:
        await add(pool, tenant, 1)
        async with pool.acquire() as connection:
            attempt = connection.transaction()
            await attempt.start()
            await store_audit.append(connection, [fact(2, tenant=tenant)])
            await attempt.rollback()

        await add(pool, tenant, 3)

        assert [row["number"] for row in await pool.fetch(ENTRIES, tenant)] == [1, 2]

    async def test_many_at_once_make_one_chain(self, pool: Pool, tenant: UUID, patchline: "Patchline") -> None:
        await asyncio.gather(*(add(pool, tenant, number, number + 100) for number in range(20)))

        answer = await asyncio.to_thread(patchline, "verify", "--tenant", str(tenant), "--json")

        [row] = json.loads(answer.stdout)
        assert (row["whole"], row["entries"]) == (True, 40)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("UPDATE credentials.audit_entry SET line = '{}'", id="update"),
        pytest.param("DELETE FROM credentials.audit_entry", id="delete"),
        pytest.param("TRUNCATE credentials.audit_entry", id="truncate"),
        pytest.param("UPDATE credentials.audit_head SET number = 0", id="head back"),
        pytest.param("UPDATE credentials.audit_head SET hash = 'x'", id="head changed"),
        pytest.param("DELETE FROM credentials.audit_head", id="head gone"),
    ],
)
@pytest.mark.parametrize("role", ["writer", "operator", "admin"])
async def test_nothing_can_be_changed(
    database: Database, pool: Pool, tenant: UUID, *, statement: str, role: str
) -> None:
    await add(pool, tenant, 1)
    url = {"writer": database.writer("credentials"), "operator": database.operator, "admin": database.admin}[role]
    connection = await asyncpg.connect(url)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)

    await connection.close()


Patchline = Callable[..., Result]


@pytest.fixture
def patchline(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Patchline:
    """Run `patchline audit export|verify`."""
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", database.operator)
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command("export")(export)
    app.command("verify")(verify_audit)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


class TestCommands:
    @pytest.fixture
    async def exported(self, pool: Pool, tenant: UUID, patchline: Patchline, tmp_path: Path) -> tuple[Path, str]:
        """An export of three entries, and the head that was noted."""
        await add(pool, tenant, 1, 2, 3)
        file = tmp_path / "audit.jsonl"
        answer = await asyncio.to_thread(patchline, "export", "--tenant", f"Client {tenant}", "--to", str(file))
        assert answer.exit_code == 0, answer.output
        return file, answer.stderr.rpartition(" ")[2].strip()

    @staticmethod
    async def verified(patchline: Patchline, *arguments: str, code: int) -> dict[str, Any]:
        answer = await asyncio.to_thread(patchline, "verify", *arguments, "--json")
        assert answer.exit_code == code, answer.output
        [row] = json.loads(answer.stdout)
        assert isinstance(row, dict)
        return row

    async def test_an_export_is_verified_without_a_server(
        self, exported: tuple[Path, str], patchline: Patchline, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PATCHLINE_OPERATOR_URL")

        row = await self.verified(patchline, str(exported[0]), "--head", exported[1], code=0)

        assert (row["whole"], row["entries"], row["head"]) == (True, 3, exported[1])

    async def test_the_first_broken_entry_is_named(self, exported: tuple[Path, str], patchline: Patchline) -> None:
        lines = exported[0].read_text().splitlines(keepends=True)
        exported[0].write_text("".join([lines[0], lines[1].replace("reading 2", "reading 9"), lines[2]]))

        row = await self.verified(patchline, str(exported[0]), code=commands.NO)

        assert (row["line"], row["broken"]) == (2, "line 2: its content is not what its hash was made of")

    async def test_a_file_whose_end_is_cut_off_is_told_from_a_whole_one_by_the_head(
        self, exported: tuple[Path, str], patchline: Patchline
    ) -> None:
        lines = exported[0].read_text().splitlines(keepends=True)
        exported[0].write_text("".join(lines[:2]))

        row = await self.verified(patchline, str(exported[0]), "--head", exported[1], code=commands.NO)

        assert row["broken"] == "line 3: the newest are missing: 2 entries are here, 3 were noted"

    @pytest.mark.usefixtures("exported")
    async def test_an_administrator_who_changes_an_entry_is_found_out(
        self, patchline: Patchline, database: Database, tenant: UUID
    ) -> None:
        assert (await self.verified(patchline, "--tenant", str(tenant), code=0))["entries"] == 3
        admin = await asyncpg.connect(database.admin)
        await admin.execute("ALTER TABLE credentials.audit_entry DISABLE TRIGGER ALL")
        await admin.execute(
            "UPDATE credentials.audit_entry SET line = replace(line, 'reading 2', 'reading 9') WHERE tenant_id = $1",
            tenant,
        )

        changed = await self.verified(patchline, "--tenant", str(tenant), code=commands.NO)
        await admin.execute("UPDATE credentials.audit_entry SET line = 'x' WHERE tenant_id = $1 AND number = 1", tenant)
        garbled = await self.verified(patchline, "--tenant", str(tenant), code=commands.NO)
        await admin.execute("DELETE FROM credentials.audit_entry WHERE tenant_id = $1", tenant)
        gone = await self.verified(patchline, "--tenant", str(tenant), code=commands.NO)
        await admin.execute("ALTER TABLE credentials.audit_entry ENABLE TRIGGER ALL")
        await admin.close()

        assert (changed["line"], garbled["line"]) == (2, 1)
        assert gone["broken"] == "line 1: the newest are missing: 0 entries are here, 3 were noted"

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(("verify", "none.jsonl"), "No such file", id="no file"),
            pytest.param(("verify", "none.jsonl", "--head", "3"), "is not NUMBER:HASH", id="no head"),
            pytest.param(("verify", "--head", f"3:{'0' * 64}"), "name it with --tenant", id="whose head"),
            pytest.param(("verify", "--tenant", "Nobody"), "no client called 'Nobody'", id="nobody's audit"),
            pytest.param(("export", "--tenant", "Nobody"), "no client called 'Nobody'", id="nobody's export"),
        ],
    )
    async def test_wrong_use_is_said(self, patchline: Patchline, arguments: tuple[str, ...], says: str) -> None:
        answer = await asyncio.to_thread(patchline, *arguments)

        assert (answer.exit_code, says in answer.stderr) == (commands.WRONG_USE, True), answer.output
