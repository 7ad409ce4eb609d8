"""Priorities at work on a real database: what machines lack, what feeds say, what was agreed, what is decided."""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from chassis.postgres import Connection, prepare_connection
from contracts import ids
from contracts.envelope import Envelope
from services.compliance.catalog.bundled import BUNDLED
from services.compliance.catalog.document import document
from services.compliance.catalog.entries import CatalogDocument
from services.compliance.policies.store_policies import PolicyShelf
from services.compliance.policy import DEFAULT_1, Policy, Regime, Rule, When
from services.compliance.priority.loop import Priorities
from services.compliance.priority.triages import Triages
from services.compliance.store_commands import see_all_tenants
from tests.builders import ACME
from tests.compliance.house import House, asset_changed, client_in
from tests.compliance.stories import SERVER_2022, A, listed

CVE = "CVE-2025-10001"
REQUIREMENT = ids.requirement_id(SERVER_2022.name, "cumulative")
ASSET = ids.asset_id(A, "dc01")
OPEN_TABLES = ("priority_mark", "priority_retagged", "priority_standing", "forensic_triage")
CLOSED_TABLES = ("priority_decision", "priority_override", "triage_record", "feed_fact", "feed_version")


class Agreed(PolicyShelf):
    """Holds policies that nobody recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.by_tenant: dict[UUID, Policy] = {}

    async def policies_for(self, _tx: Connection, tenants: Collection[UUID], _now: datetime) -> Mapping[UUID, Policy]:
        return {tenant: self.by_tenant[tenant] for tenant in tenants if tenant in self.by_tenant}


def directive(id_: str = "acme-1") -> Policy:
    """Return a policy in which what is exploited and can be reached needs a triage first."""
    row = Rule(id="exploited", when=When(kev=True, exposed=True), within=None, extra=("forensic_triage",))
    return replace(DEFAULT_1, id=id_, regimes=(*DEFAULT_1.regimes, Regime(id="cisa-bod-26-04", rules=(row,))))


def with_cve() -> CatalogDocument:
    """Return the catalog that comes along; the January release of the server fixes a vulnerability."""
    content = json.loads(BUNDLED.read_text())
    [train, *_] = next(each for each in content["products"] if each["product"] == SERVER_2022.name)["trains"]
    train["releases"][-1]["cves"] = [CVE]
    return document(json.dumps(content))


def tagged(*tags: str, device: str = "dc01", sequence: int = 1) -> Envelope:
    """Return inventory's record of a server with these tags."""
    told = asset_changed(device, sequence=sequence)
    return told._replace(data=told.data.model_copy(update={"tags": tags}))


@dataclass
class Room:
    """The loops of priorities and triages in a house."""

    house: House
    agreed: Agreed = field(default_factory=Agreed)

    def __post_init__(self) -> None:
        self.house.shelf.policies = self.agreed
        self.priorities = Priorities(self.house.on, self.house.shelf, DEFAULT_1)
        self.triages = Triages(self.house.on)

    async def look(self) -> int:
        """Count figures and look once, a second later, at what changed; return how many decisions are logged by now."""
        self.house.now += timedelta(seconds=1)
        await self.house.figures.publish()
        await self.priorities.look()
        [row] = await self.house.rows("SELECT count(*) AS decisions FROM priority_decision")
        return int(row["decisions"])

    async def lacking(self, *tags: str) -> None:
        """Let Acme's server with these tags lack the January release."""
        await self.house.hear(client_in("UTC"), tagged(*tags), listed(0))

    async def feed(self, kind: str, label: str, **told: Any) -> None:
        """Load what a feed says of the vulnerability."""
        async with self.operator() as tx:
            id_ = await tx.fetchval("SELECT coalesce(max(id), 0) + 1 FROM compliance.feed_version")
            await tx.execute(
                "INSERT INTO compliance.feed_version (id, feed, label, origin, sha256, entries, loaded_at)"
                " VALUES ($1, $2, $3, 'test', '', 1, $4)",
                id_,
                kind,
                label,
                self.house.now,
            )
            columns = "".join(f", {name}" for name in told)
            values = "".join(f", ${number}" for number in range(3, 3 + len(told)))
            await tx.execute(
                f"INSERT INTO compliance.feed_fact (id, cve{columns}) VALUES ($1, $2{values})", id_, CVE, *told.values()
            )

    async def log(self) -> list[dict[str, Any]]:
        """Return every decision, oldest first."""
        return await self.house.rows("SELECT * FROM priority_decision ORDER BY number")

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Connection]:
        """Yield one transaction of the operator's role, who sees Acme."""
        connection = await asyncpg.connect(self.house.database.operator)
        await prepare_connection(connection)
        try:
            async with connection.transaction():
                await see_all_tenants(connection)
                await connection.execute("SELECT set_config('patchline.tenants', $1, true)", str(ACME))
                yield connection
        finally:
            await connection.close()

    async def empty(self) -> None:
        """Forget what earlier tests left; what is only ever added to is emptied by the administrator."""
        admin = await asyncpg.connect(self.house.database.admin)
        for table in (*OPEN_TABLES, *CLOSED_TABLES):
            await admin.execute(f"DELETE FROM compliance.{table}")
        await admin.close()
