"""Typing `patchline source` and `patchline client`, and looking at what came of it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
from typer.testing import CliRunner, Result

from services.gateway.commands import client_app, source_app
from services.gateway.keys.sealing import read_sealing_key
from services.gateway.registry import sources, store_sources
from tests.parts import Database


def source(*words: str) -> Result:
    """Type `patchline source ...`."""
    return CliRunner().invoke(source_app, words)


def client(*words: str) -> Result:
    """Type `patchline client ...`."""
    return CliRunner().invoke(client_app, words)


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    answer: list[dict[str, Any]] = json.loads(result.stdout)
    return answer


def queried(dsn: str, query: str, *arguments: object) -> list[asyncpg.Record]:
    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    return asyncio.run(ask())


def believed(database: Database, sealing_key_file: Path) -> sources.SourceByPath:
    async def read() -> list[sources.StoredSource]:
        connection = await asyncpg.connect(database.writer("gateway"))
        try:
            return await store_sources.delivering(connection)
        finally:
            await connection.close()

    return sources.known(asyncio.run(read()), read_sealing_key(sealing_key_file), {})[0]
