"""Exceptions at work on a real database: what operators insert, what the loop decides, what is published."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg

from chassis.postgres import Connection, prepare_connection
from contracts.envelope import Envelope
from contracts.events.approver import OwnerEnrolled, OwnerRevoked
from contracts.events.event import Event
from contracts.events.ticket import TicketOpened
from services.compliance.exceptions import store_commands, store_commands_exclusion
from services.compliance.exceptions.loop import Exceptions
from services.compliance.exceptions.records import Exclusion, Request, Signoff
from services.compliance.policies.store_policies import PolicyShelf
from services.compliance.policy import DEFAULT_1
from services.compliance.store_commands import see_all_tenants
from tests.builders import ACME, event
from tests.compliance.exceptions.asking import KEY_TEXT, NORA, TICKET, asked, signed
from tests.compliance.house import House, client_in

TABLES = (
    "exception_timer",
    "exception_chapter",
    "exception_revocation",
    "exception",
    "exception_signoff",
    "exception_ticket",
    "exception_request",
    "exclusion_end",
    "exclusion",
    "owner_revocation",
    "owner_key",
)


def enrolled(approver: UUID = NORA, *, tenant: UUID = ACME, sequence: int = 1) -> Envelope:
    """Return that Nora is Acme's owner."""
    told = OwnerEnrolled(
        approver=str(approver), name="Nora West", public_key=KEY_TEXT, enrolled_at=asked().requested_at
    )
    return event(told, subject=f"owner/{approver}", source="patchline/credentials", tenant=tenant, sequence=sequence)


def unenrolled(room: "Room", approver: UUID = NORA) -> Envelope:
    """Return that she is so no longer, as of now."""
    told = OwnerRevoked(approver=str(approver), revoked_at=room.house.now)
    return event(told, subject=f"owner/{approver}", source="patchline/credentials", sequence=2)


def ticketed(exception: UUID, number: str = TICKET, *, kind: str = "exception", tenant: UUID = ACME) -> Envelope:
    """Return that a request has a ticket."""
    told = TicketOpened(
        ticket=f"pl-{kind}-x-g1",
        kind=kind,
        subject=str(exception),
        generation=1,
        external=number,
        title="Exception",
        devices=0,
    )
    return event(told, subject=told.ticket, source="patchline/ticketing", tenant=tenant, sequence=1)


@dataclass
class Room:
    """The loop of exceptions in a house, and the operator at its command line."""

    house: House

    def __post_init__(self) -> None:
        self.loop = Exceptions(self.house.on, PolicyShelf(), DEFAULT_1)

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[Connection]:
        """Yield one transaction of the operator's role."""
        connection = await asyncpg.connect(self.house.database.operator)
        await prepare_connection(connection)
        try:
            async with connection.transaction():
                await see_all_tenants(connection)
                await connection.execute("SELECT set_config('patchline.tenants', $1, true)", str(ACME))
                yield connection
        finally:
            await connection.close()

    async def ask(self, **changes: Any) -> Request:
        """Ask for an exception from now on, and have it looked at."""
        now = self.house.now
        ordinary = {"valid_from": now, "requested_at": now, "until": now + timedelta(days=30)}
        request = asked(**{**ordinary, **changes})
        async with self.operator() as tx:
            await store_commands.ask(tx, request)
        await self.settle()
        return request

    async def sign(self, request: Request, **changes: Any) -> Signoff:
        """Bring what the owner signs now, and have it judged."""
        named = await self.bring(request, **changes)
        await self.settle()
        return named

    async def bring(self, request: Request, **changes: Any) -> Signoff:
        """Bring what the owner signs now; nobody looks at it yet."""
        found = signed(request, **{"at": self.house.now, **changes})
        named = Signoff(
            id=uuid5(request.id, found.signature.hex()),
            exception_id=request.id,
            tenant_id=request.tenant_id,
            statement=found.statement,
            signature=found.signature,
            brought_at=self.house.now,
        )
        async with self.operator() as tx:
            await store_commands.bring(tx, named, by="ada@console")
        return named

    async def answer(self, signoff: Signoff) -> tuple[bool, str | None] | None:
        """Return what became of it."""
        async with self.operator() as tx:
            return await store_commands.answered(tx, signoff.id)

    async def granted(self, **changes: Any) -> Request:
        """Ask for an exception, have it ticketed and signed."""
        request = await self.ask(**changes)
        await self.house.hear(client_in("America/New_York"), enrolled(), ticketed(request.id))
        signoff = await self.sign(request)
        assert await self.answer(signoff) == (True, None)
        return request

    async def revoke(self, request: Request, why: str = "patched after all") -> None:
        """Take an exception back, and have that looked at."""
        async with self.operator() as tx:
            await store_commands.revoke(tx, request, why=why, at=self.house.now, by="ada@console")
        await self.settle()

    async def exclude(self, exclusion: Exclusion) -> None:
        """Leave updates out of the service level."""
        async with self.operator() as tx:
            await store_commands_exclusion.add(tx, exclusion, by="ada@console")
        await self.settle()

    async def include(self, exclusion: Exclusion) -> None:
        """Let them count again."""
        async with self.operator() as tx:
            why = "rolled out at last"
            await store_commands_exclusion.end(
                tx, exclusion.id, exclusion.tenant_id, why=why, at=self.house.now, by="ada@console"
            )
        await self.settle()

    async def settle(self) -> None:
        """Do everything that waits."""
        while await self.loop.look():
            continue
        await self.house.settle()

    async def pass_time(self, **lapse: float) -> None:
        """Let time pass, and what becomes true by it."""
        self.house.now += timedelta(**lapse)
        await self.settle()

    async def told(self) -> list[Event]:
        """Return what was published about exceptions and exclusions, in order."""
        return [each.data for each in await self.house.published() if each.data.TYPE.startswith("exc")]

    async def types(self) -> list[str]:
        """Return the types of it."""
        return [each.TYPE.split(".")[1] for each in await self.told()]

    async def empty(self) -> None:
        """Forget everything."""
        admin = await asyncpg.connect(self.house.database.admin)
        for table in TABLES:
            await admin.execute(f"DELETE FROM compliance.{table}")
        await admin.close()
