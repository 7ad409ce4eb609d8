"""Monitors at work on a real database: a policy is applied, batches come in, time passes, facts go out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import asyncpg

from chassis.postgres import Connection, prepare_connection
from contracts.events.event import Event
from services.compliance.monitors.agreements import Agreements
from services.compliance.monitors.looks import Looks
from services.compliance.monitors.passing import Passing
from services.compliance.monitors.silence import Silence
from services.compliance.policies import store_commands
from services.compliance.policies.notices import PolicyNotices
from services.compliance.policies.store_policies import PolicyShelf
from tests.builders import ACME
from tests.compliance.house import House
from tests.compliance.monitors.agreeing import POLICY, document_of

E = TypeVar("E", bound=Event)

TABLES = (
    "monitor_agreed",
    "monitor_touched",
    "monitor_watch",
    "monitor_state",
    "monitor_history",
    "reboot_word",
    "reboot",
    "window_watch",
    "window_missed",
    "source_word",
    "source_watch",
    "policy_version",
)


@dataclass
class Room:
    """The loops of the monitors in a house, and the operator who applies policies."""

    house: House
    agreements: Agreements = field(default_factory=lambda: Agreements(PolicyShelf()))

    def __post_init__(self) -> None:
        self.looks = Looks(self.house.on, self.agreements, most=2)
        self.silence = Silence(self.house.on, self.agreements)
        self.passing = Passing(self.house.on, self.agreements, most=1)
        self.notices = PolicyNotices(self.house.on)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Connection]:
        connection = await asyncpg.connect(self.house.database.operator)
        await prepare_connection(connection)
        async with connection.transaction():
            await connection.execute("SELECT set_config('patchline.tenants', $1, true)", str(ACME))
            yield connection
        await connection.close()

    async def apply(self, text: str = POLICY) -> None:
        """Apply a policy as the operator does, and let the service follow it."""
        said = store_commands.Said(
            by="ada@console", reason="a test", at=self.house.now, feasible=True, accepted=None, lint={}
        )
        async with self.operator() as tx:
            await store_commands.add(tx, ACME, document_of(text), (), said=said)
        await self.settle()

    async def settle(self) -> None:
        """Let everything be decided, looked at, listened to and judged that is to be at this moment."""
        await self.notices.notice()
        await self.house.settle()
        for work in (self.looks.look, self.silence.listen, self.passing.judge):
            while await work():
                continue

    async def at(self, moment: datetime) -> None:
        """Let time pass until then, and what becomes true by it."""
        self.house.now = moment
        await self.settle()

    async def told(self, kind: type[E]) -> list[E]:
        """Return what was published of one kind, in order."""
        return await self.house.told(kind)

    async def empty(self) -> None:
        """Forget everything about monitors and policies."""
        connection = await asyncpg.connect(self.house.database.admin)
        await connection.execute(f"TRUNCATE {', '.join(f'compliance.{each}' for each in TABLES)}")
        await connection.execute("UPDATE compliance.policy_noticed SET number = 0, noticed_at = '1970-01-01 00:00+00'")
        await connection.close()
