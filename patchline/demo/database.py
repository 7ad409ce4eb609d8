"""What the database says to those who may ask: a reader for all clients, and the operator about what waits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import SET_TENANTS, prepare_connection
from chassis.settings import with_password
from simulators.fleet import SOURCES
from simulators.ledger import Cell, Owed


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObligation:
    """One obligation as a reader sees it."""

    cell: Cell
    state: str
    failures: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """What waits for a mapping: how many events of one organisation, and why."""

    source: str
    organisation: str
    reason: str
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """A source whose API does not answer: how many polls failed in a row, and how the last one did."""

    source: str
    failures: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """All that the database was asked."""

    obligations: Mapping[Owed, StoredObligation]
    parked: Sequence[Parked]
    unknown_codes: Mapping[str, int]
    silent: Sequence[Silent]
    lost_webhooks: Mapping[str, int] = field(default_factory=dict)


OBLIGATIONS: Final[LiteralString] = """
    SELECT asset.source, asset.device, obligation.product, obligation.train, client.name AS client,
           obligation.os_family, obligation.tier, obligation.severity, obligation.state, obligation.failures,
           obligation.why
    FROM compliance.obligation
    JOIN compliance.asset USING (asset_id)
    JOIN compliance.client ON client.tenant_id = obligation.tenant_id
"""
PARKED: Final[LiteralString] = """
    SELECT source, coalesce(organisation, '') AS organisation, reason, count(*) AS events
    FROM gateway.parked
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
"""
UNKNOWN_CODES: Final[LiteralString] = (
    "SELECT code, sum(count)::bigint AS count FROM gateway.unknown_code WHERE source = ANY($1::text[]) GROUP BY code"
)
SILENT: Final[LiteralString] = """
    SELECT source, failures, coalesce(last_error, '') AS reason FROM gateway.poll_state WHERE failures > 0 ORDER BY 1
"""
LOST: Final[LiteralString] = "SELECT source, lost_webhooks FROM gateway.poll_state WHERE lost_webhooks > 0"
POLLED: Final[LiteralString] = """
    SELECT count(*) FROM gateway.poll_state WHERE source = ANY($1::text[]) AND last_succeeded_at >= $2
"""
UNFINISHED: Final[LiteralString] = """
    SELECT count(*) FROM ticketing.intent WHERE state IN ('pending', 'leased', 'uncertain')
"""


async def have_polled(settings: Mapping[str, str], sources: Sequence[str], since: datetime) -> bool:
    """Return whether a poll of each of `sources` that began at `since` or later was kept."""
    connection = await _connected(settings, "OPERATOR")
    try:
        count: int = await connection.fetchval(POLLED, list(sources), since)
        return count == len(sources)
    finally:
        await connection.close()


async def unfinished(settings: Mapping[str, str], tenants: Sequence[UUID]) -> int:
    """Return how many acts at the tracker are not done yet."""
    connection = await _connected(settings, "READER")
    try:
        async with connection.transaction():
            await connection.fetchval(SET_TENANTS, _list(tenants))
            count: int = await connection.fetchval(UNFINISHED)
            return count
    finally:
        await connection.close()


async def stored(settings: Mapping[str, str], tenants: Sequence[UUID]) -> Stored:
    """Return what is stored about `tenants`, and what waits at the gateway for anyone."""
    reader = await _connected(settings, "READER")
    operator = await _connected(settings, "OPERATOR")
    try:
        async with reader.transaction():
            await reader.fetchval(SET_TENANTS, _list(tenants))
            obligations = {_owed(row): _obligation(row) for row in await reader.fetch(OBLIGATIONS)}
        parked = [Parked(**row) for row in await operator.fetch(PARKED)]
        codes = {
            row["code"]: row["count"]
            for row in await operator.fetch(UNKNOWN_CODES, [source.full_name for source in SOURCES])
        }
        silent = [Silent(**row) for row in await operator.fetch(SILENT)]
        lost = {row["source"]: row["lost_webhooks"] for row in await operator.fetch(LOST)}
    finally:
        await reader.close()
        await operator.close()
    return Stored(obligations=obligations, parked=parked, unknown_codes=codes, silent=silent, lost_webhooks=lost)


async def _connected(settings: Mapping[str, str], role: str) -> "asyncpg.Connection[asyncpg.Record]":
    file = Path(settings[f"PATCHLINE_{role}_PASSWORD_FILE"])
    dsn = with_password(settings[f"PATCHLINE_{role}_URL"], file)
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=30)
    await prepare_connection(connection)
    return connection


def _list(tenants: Sequence[UUID]) -> str:
    return ",".join(str(tenant) for tenant in tenants)


def _owed(row: asyncpg.Record) -> Owed:
    return Owed(row["source"], row["device"], row["product"], row["train"])


def _obligation(row: asyncpg.Record) -> StoredObligation:
    cell = Cell(row["client"], row["os_family"], row["tier"], row["severity"])
    return StoredObligation(cell=cell, state=row["state"], failures=row["failures"], why=row["why"])
