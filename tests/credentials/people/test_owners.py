"""Whoever verifies what owners sign is told whose signature counts: each enrolment and revocation once per client."""

import base64
from datetime import timedelta
from uuid import UUID

import asyncpg
from nacl.signing import SigningKey

from chassis.postgres import transaction
from contracts.events.approver import OwnerEnrolled, OwnerRevoked
from services.credentials import telling
from services.credentials.people import keys, owners, store_commands
from services.credentials.people.records import Approver, Role
from services.credentials.records import Fact
from tests.builders import ACME, BIRCH, NOON
from tests.credentials.people.conftest import Room

NORA = bytes(SigningKey(b"nora".ljust(32)).verify_key)


async def enrol(room: Room, *tenants: UUID, role: Role = Role.OWNER, key: bytes = NORA) -> UUID:
    new = Approver(
        id=keys.approver_id(key),
        name="Nora West",
        mail="nora@acme.example",
        accounts=frozenset(),
        tenants=frozenset(tenants),
        public_key=key,
        enrolled_at=NOON,
        enrolled_by="ada@console",
        role=role,
    )
    connection = await asyncpg.connect(room.database.operator)
    async with connection.transaction():
        await store_commands.enroll(connection, new)
    await connection.close()
    return new.id


async def revoke(room: Room) -> None:
    connection = await asyncpg.connect(room.database.operator)
    async with connection.transaction():
        await store_commands.revoke(
            connection, "nora@acme.example", at=NOON + timedelta(hours=1), by="ada@console", why="sold the practice"
        )
    await connection.close()


async def told(room: Room) -> list[Fact]:
    async with transaction(room.pool) as tx:
        facts = await owners.news(tx, now=room.now, most=10)
        await telling.tell(tx, facts)
    return facts


async def test_an_enrolled_owner_is_told_once_to_each_client_with_the_key(room: Room) -> None:
    owner = await enrol(room, ACME, BIRCH)

    facts = await told(room)

    key = base64.b64encode(NORA).decode()
    expected = OwnerEnrolled(approver=str(owner), name="Nora West", public_key=key, enrolled_at=NOON)
    assert {fact.tenant: fact.event for fact in facts} == {ACME: expected, BIRCH: expected}
    assert {fact.by for fact in facts} == {"ada@console"}
    assert await told(room) == []


async def test_a_revoked_owner_is_told_after_the_enrolment(room: Room) -> None:
    owner = await enrol(room, ACME)
    await revoke(room)

    facts = await told(room)

    assert [type(fact.event) for fact in facts] == [OwnerEnrolled, OwnerRevoked]
    assert facts[1].event == OwnerRevoked(approver=str(owner), revoked_at=NOON + timedelta(hours=1))
    assert await told(room) == []


async def test_who_decides_about_resets_signs_no_exceptions(room: Room) -> None:
    await enrol(room, ACME, role=Role.APPROVER)

    assert await told(room) == []
