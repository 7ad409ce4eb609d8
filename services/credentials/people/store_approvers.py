"""Enrolled people, as this service reads them; `store_commands` writes them."""

from collections.abc import Collection
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.credentials.people.records import Approver, Role

APPROVERS: Final[LiteralString] = """
    SELECT approver_id, name, mail, accounts, tenants, role, public_key, enrolled_at, enrolled_by, revoked_at
    FROM approver
    WHERE approver_id = ANY($1::uuid[])
"""
ENROLLED: Final[LiteralString] = """
    SELECT approver_id, name, mail, accounts, tenants, role, public_key, enrolled_at, enrolled_by, revoked_at
    FROM approver
    WHERE revoked_at IS NULL
"""


async def load(tx: Connection, ids: Collection[UUID]) -> dict[UUID, Approver]:
    """Return these people, revoked ones too."""
    return {row["approver_id"]: approver_of(row) for row in await tx.fetch(APPROVERS, sorted(ids))}


async def load_enrolled(tx: Connection) -> list[Approver]:
    """Return everyone who is enrolled now."""
    return [approver_of(row) for row in await tx.fetch(ENROLLED)]


def approver_of(row: asyncpg.Record) -> Approver:
    """Return the person in one row."""
    return Approver(
        id=row["approver_id"],
        name=row["name"],
        mail=row["mail"],
        accounts=frozenset(row["accounts"]),
        tenants=None if row["tenants"] is None else frozenset(row["tenants"]),
        public_key=row["public_key"],
        enrolled_at=row["enrolled_at"],
        enrolled_by=row["enrolled_by"],
        revoked_at=row["revoked_at"],
        role=Role(row["role"]),
    )
