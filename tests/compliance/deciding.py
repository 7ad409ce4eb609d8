"""What people decide about a client, as they do it: a policy applied, a machine attested, an exception granted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from chassis.postgres import Connection, prepare_connection
from contracts import ids
from services.compliance import store_attestations
from services.compliance.policies import store_commands
from services.compliance.policies.notices import PolicyNotices
from services.compliance.policies.reading import policy_of
from services.compliance.rules_rows import Attestation
from tests.builders import ACME
from tests.compliance.exceptions.room import TABLES, Room
from tests.compliance.house import House
from tests.compliance.stories import JAN, SERVER_2022, A

SERVER = ids.asset_id(A, "dc01")
CUMULATIVE = ids.requirement_id(SERVER_2022.name, "cumulative")
DECIDED = ("attestation", *TABLES, "policy_version")


def policy(*, critical: str = "PT24H", tickets: bool = True, more: str = "") -> str:
    """Return a client's policy: servers, by severity; every breach a ticket."""
    return f"""
client: Acme Dental
zone: UTC
valid_from: 2024-01-01T00:00:00Z
sla:
  - {{tiers: [server], severities: [critical], due: {critical}}}
  - {{due: P30D}}
breaches: {{tickets: {str(tickets).lower()}}}
{more}
"""


class People:
    """The operator of a house, and the owner who signs."""

    def __init__(self, house: House) -> None:
        """Decide about Acme."""
        self.house = house
        self.room = Room(house)

    async def forget(self) -> None:
        """Let nothing have been decided by anyone."""
        connection = await asyncpg.connect(self.house.database.admin)
        for table in DECIDED:
            await connection.execute(f"DELETE FROM compliance.{table}")
        await connection.execute("UPDATE compliance.policy_noticed SET number = 0, noticed_at = '1970-01-01Z'")
        await connection.close()

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Connection]:
        """Yield one transaction of the operator's role, who sees Acme."""
        connection = await asyncpg.connect(self.house.database.operator)
        await prepare_connection(connection)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('patchline.tenants', $1, true)", str(ACME))
                yield connection
        finally:
            await connection.close()

    async def apply(self, text: str) -> None:
        """Apply a policy, and let everything be decided by it."""
        document, presets = policy_of(text.encode())
        said = store_commands.Said(
            by="ada@console", reason="agreed", at=self.house.now, feasible=True, accepted=None, lint={}
        )
        async with self.operator() as tx:
            await store_commands.add(tx, ACME, document, presets, said=said)
        await PolicyNotices(self.house.on).notice()
        await self.house.settle()

    async def attest(self, *, release: str = f"KB{JAN}", by: str = "Dana Fox", number: int = 1) -> None:
        """Attest a release on the server, and let that be noticed."""
        await self.say(release=release, by=by, number=number)
        await self.house.settle()

    async def say(self, *, release: str = f"KB{JAN}", by: str = "Dana Fox", number: int = 1) -> None:
        """Attest it, and let nobody notice yet."""
        word = Attestation(
            id=UUID(int=number),
            tenant_id=ACME,
            asset_id=SERVER,
            requirement_id=CUMULATIVE,
            release=release,
            attested_at=self.house.now,
            attested_by=by,
            reason="its agent is broken",
            evidence="ab" * 32,
            evidence_name="console.png",
        )
        async with self.operator() as tx:
            await store_attestations.add(tx, word, self.house.now)
