"""What the tests of the gateway share."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from patchline.local import ports
from services.gateway.keys.sealing import new_sealing_key
from tests.gateway.own_kafka import OwnKafka, running_own_kafka
from tests.gateway.spooled import Tables
from tests.parts import Database


@pytest.fixture(scope="module")
def sealing_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sealing") / "sealing.key"
    file.write_text(new_sealing_key())
    return file


@pytest.fixture
def command_line(database: Database, sealing_key_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHLINE_HOME", str(tmp_path))
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", database.operator)
    monkeypatch.setenv("PATCHLINE_SEALING_KEY_FILE", str(sealing_key_file))
    monkeypatch.setenv("PATCHLINE_GATEWAY_URL", "https://hooks.example.com")


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address that refuses every connection. Its port is held: a part of another test process cannot take it."""
    with socket.socket() as held:
        held.bind((ports.LOOPBACK, 0))
        yield f"{ports.LOOPBACK}:{held.getsockname()[1]}"


@pytest.fixture(scope="session")
async def own_kafka() -> AsyncIterator[OwnKafka]:
    async with running_own_kafka() as own:
        yield own


@pytest.fixture
async def tables(database: Database) -> AsyncIterator[Tables]:
    connection = await asyncpg.connect(database.admin)
    tables = Tables(connection)
    await tables.empty()
    yield tables
    await connection.close()
