"""Policies at work on a real database: recorded by the operator, noticed by the service, followed by decisions."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from chassis.postgres import prepare_connection
from contracts import ids
from services.compliance.policies import store_commands
from services.compliance.policies.notices import PolicyNotices
from services.compliance.policies.reading import policy_of
from services.compliance.policies.store_commands import Said
from tests.builders import ACME
from tests.compliance.house import House
from tests.compliance.policies.files import file_of
from tests.compliance.stories import SERVER_2022, A

ADD_CLIENT = "INSERT INTO gateway.client VALUES ($1, $2, 'UTC', NULL, NULL, now(), now()) ON CONFLICT DO NOTHING"
FORGET = """
    DELETE FROM policy_version;
    UPDATE policy_noticed SET noticed_at = '1970-01-01 00:00:00+00';
"""


@dataclass
class Room:
    """A house whose clients may have policies of their own."""

    house: House
    notices: PolicyNotices = field(init=False)

    def __post_init__(self) -> None:
        self.notices = PolicyNotices(self.house.on)

    async def empty(self) -> None:
        """Let nobody have a policy, and Acme be a client."""
        async with self.house.pool.acquire() as connection:
            await connection.execute(FORGET)
        admin = await asyncpg.connect(self.house.database.admin)
        await admin.execute(ADD_CLIENT, ACME, "Acme Dental")
        await admin.close()

    async def record(self, *, at: datetime | None = None, feasible: bool = True, **fields: Any) -> tuple[int, bool]:
        """Record a policy as `policy apply` does."""
        document, presets = policy_of(file_of(**fields))
        said = Said(
            by="operator jane@desk",
            reason="agreed",
            at=at or self.house.now,
            feasible=feasible,
            accepted=None if feasible else "the owner knows",
            lint={},
        )
        connection = await asyncpg.connect(self.house.database.operator)
        await prepare_connection(connection)
        try:
            async with connection.transaction():
                await connection.execute(store_commands.SEE_ALL)
                return await store_commands.add(connection, ACME, document, presets, said=said)
        finally:
            await connection.close()

    async def notice(self) -> None:
        """Do what the service does each second, and let everything be decided."""
        await self.notices.notice()
        await self.house.settle()

    async def due_at(self) -> datetime | None:
        """Return until when the server's cumulative update is due."""
        [row] = await self.house.rows(
            "SELECT due_at FROM obligation WHERE product = $1 AND asset_id = $2",
            SERVER_2022.name,
            ids.asset_id(A, "dc01"),
        )
        found: datetime | None = row["due_at"]
        return found
