"""A real PostgreSQL: durable, unprivileged, and back after a crash."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from patchline.local import PartUnavailable
from patchline.local.child import Child
from patchline.local.postgres import Postgres


class TestPostgres:
    @pytest.mark.parametrize("end", [Postgres.stop, Postgres.kill], ids=["stop", "crash"])
    async def test_rows_survive_a(self, postgres: Postgres, end: Callable[[Postgres], None]) -> None:
        table = f"kept_{end.__name__}"
        connection = await asyncpg.connect(postgres.url)
        await connection.execute(f"CREATE TABLE {table} AS SELECT 7 AS answer")

        await asyncio.to_thread(end, postgres)
        await asyncio.to_thread(postgres.start, print)

        connection = await asyncpg.connect(postgres.url)
        assert await connection.fetchval(f"SELECT answer FROM {table}") == 7
        await connection.close()

    async def test_is_durable_and_unprivileged(self, postgres: Postgres) -> None:
        connection = await asyncpg.connect(postgres.url)
        settings = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
        await connection.close()

        assert settings == ["on", "on"]
        assert owner(postgres) != 0

    async def test_refuses_a_wrong_password(self, postgres: Postgres) -> None:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(postgres.shown_url, password="wrong")

    def test_keeps_its_password_to_itself(self, postgres: Postgres) -> None:
        assert (postgres.place / "password").stat().st_mode & 0o777 == 0o600

    def test_starts_over_a_pid_file_that_names_another_process(
        self, postgres: Postgres, child_of: Callable[[str], Child]
    ) -> None:
        postgres.stop()
        stranger = child_of("import time; time.sleep(60)")
        stranger.start()
        (postgres.place / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{postgres.place}/data\n")

        postgres.start(print)

        assert stranger.is_running

    def test_does_not_start_beside_itself(self, postgres: Postgres) -> None:
        with pytest.raises(PartUnavailable, match="already runs on"):
            Postgres(postgres.place, port=0).start(print)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another account")
    def test_of_root_lives_elsewhere_if_its_account_cannot_reach_it(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        before = tmp_path.stat()
        told: list[str] = []
        postgres = Postgres(tmp_path / "postgres", port=0)
        try:
            postgres.start(told.append)
            postgres.stop()

            assert any(f"so its data are in {postgres.place}" in line for line in told)
            assert tmp_path.stat() == before
            assert list(tmp_path.iterdir()) == []
        finally:
            shutil.rmtree(postgres.place)

    async def test_a_follower_has_what_was_committed_and_takes_over_when_it_is_promoted(
        self, postgres: Postgres, home: Path
    ) -> None:
        connection = await asyncpg.connect(postgres.url)
        follower = await asyncio.to_thread(postgres.follower, home / "follower", print)
        try:
            await connection.execute("CREATE TABLE followed AS SELECT 7 AS answer")
            written = await connection.fetchval("SELECT pg_current_wal_lsn()::text")
            copied = await asyncpg.connect(follower.url)
            while not await copied.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written):
                await asyncio.sleep(0.05)
            await copied.fetchval("SELECT pg_promote()")

            await copied.execute("INSERT INTO followed VALUES (8)")

            assert await copied.fetchval("SELECT sum(answer) FROM followed") == 15
            assert await connection.fetchval("SELECT sum(answer) FROM followed") == 7
            await copied.close()
        finally:
            follower.stop()
        await connection.close()


def owner(part: Postgres) -> int:
    assert part.child is not None
    return Path(f"/proc/{part.child.pid}").stat().st_uid
