"""`patchline migrate`: the administrator's password comes from a file, and roles get theirs from one each."""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner

from patchline.main import app
from patchline.schemas import LOGIN_ROLES
from tests.parts import ROLE_PASSWORD, Database, named


@pytest.fixture
async def empty(postgres_server: str) -> str:
    """URL of a database with nothing in it; it goes with the server."""
    name = f"empty_{uuid4().hex[:8]}"
    connection = await asyncpg.connect(postgres_server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return named(postgres_server, name)


async def test_an_empty_database_is_made_whole_with_passwords_from_files(empty: str, tmp_path: Path) -> None:
    parts = urlsplit(empty)
    without_password = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}"))
    for role in LOGIN_ROLES:
        (tmp_path / role).write_text(f"{ROLE_PASSWORD}\n")
    (tmp_path / "admin").write_text(unquote(parts.password or ""))
    words = ["migrate", "--url", without_password, "--password-file", f"{tmp_path}/admin", "--passwords", str(tmp_path)]

    first = await asyncio.to_thread(CliRunner().invoke, app, words)
    second = await asyncio.to_thread(CliRunner().invoke, app, words)

    assert first.exit_code == 0, first.output
    assert "nothing to do" in second.output
    connection = await asyncpg.connect(Database(empty).writer("inventory"))
    assert await connection.fetchval("SELECT count(*) FROM asset") == 0
    await connection.close()


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    words = ["migrate", "--url", "postgresql://admin@127.0.0.1:9/x", "--password-file", str(tmp_path / "none")]

    answer = CliRunner().invoke(app, words)

    assert answer.exit_code == 2
    assert str(tmp_path / "none") in answer.stderr
