"""What the database itself refuses: an exception without ticket, signer, control or end; any change of one."""

import asyncpg
import pytest

from contracts import ids
from tests.builders import ACME, BIRCH
from tests.compliance.exceptions.asking import EXCEPTION
from tests.compliance.exceptions.room import Room, enrolled

OTHER = ids.tenant_id("Cedar Vet")
COPY = """
    INSERT INTO exception (exception_id, tenant_id, lane, requirement_id, asset_ids, controls, valid_from, until,
                           renewal, ticket, approver_id, statement, signature, signed_at, granted_at)
    SELECT {} FROM exception WHERE exception_id <> $1
"""
COLUMNS = {
    "exception_id": "$1::uuid",
    "tenant_id": "tenant_id",
    "lane": "lane",
    "requirement_id": "requirement_id",
    "asset_ids": "asset_ids",
    "controls": "controls",
    "valid_from": "valid_from",
    "until": "until",
    "renewal": "renewal",
    "ticket": "ticket",
    "approver_id": "approver_id",
    "statement": "statement",
    "signature": "signature",
    "signed_at": "signed_at",
    "granted_at": "granted_at",
}
WITHOUT = {
    "no ticket": {"ticket": "NULL"},
    "an empty ticket": {"ticket": "''"},
    "no signature": {"signature": "NULL"},
    "half a signature": {"signature": "substr(signature, 1, 32)"},
    "no signer": {"approver_id": "NULL"},
    "a signer who is nobody's owner": {"approver_id": "'00000000-0000-0000-0000-000000000009'::uuid"},
    "the owner of another client": {"tenant_id": f"'{BIRCH}'::uuid"},
    "nothing that was signed": {"statement": "''"},
    "no moment of signing": {"signed_at": "NULL"},
    "no control": {"controls": "'[]'::jsonb"},
    "controls that are none": {"controls": "NULL"},
    "a control without words": {"controls": """'[{"kind": "other", "text": ""}]'::jsonb"""},
    "controls that are no list": {"controls": """'{"kind": "other"}'::jsonb"""},
    "no end": {"until": "NULL"},
    "an end that never comes": {"until": "'infinity'"},
    "an end before its beginning": {"until": "valid_from"},
    "an end before it was granted": {"until": "granted_at"},
    "everything of everyone": {"requirement_id": "NULL"},
    "no machine": {"asset_ids": "'{}'::uuid[]"},
}


async def _second_request(room: Room) -> object:
    """Have one exception that was granted, and a request beside it that no exception was made of."""
    await room.granted()
    await room.house.hear(enrolled(tenant=OTHER))
    later = await room.ask(id=ids.asset_id("a", "request"), asset_ids=(ids.asset_id("another", "machine"),))
    return later.id


@pytest.mark.parametrize("changes", WITHOUT.values(), ids=WITHOUT.keys())
async def test_an_incomplete_exception_cannot_be_stored(room: Room, changes: dict[str, str]) -> None:
    other = await _second_request(room)
    sql = COPY.format(", ".join({**COLUMNS, **changes}.values()))

    async with room.house.pool.acquire() as connection:
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)):
            await connection.execute(sql, other)


NONSENSE = {
    "a control of no kind": """controls = '[{"kind": "hope", "text": "x"}]'""",
    "a control without a kind": """controls = '[{"text": "x"}]'""",
    "a control whose words are none": """controls = '[{"kind": "other", "text": 7}]'""",
    "a control that is no control": "controls = '[7]'",
    "no control": "controls = '[]'",
    "a beginning that never was": "valid_from = '-infinity'",
    "an end in another age": "until = '9000-01-01'",
    "a machine without a name": "machines = ARRAY['']",
    "a name that no event takes": "title = repeat('x', 513)",
    "a renewal of nothing": "renewal = 1",
    "everything of everyone": "requirement_id = NULL",
}


@pytest.mark.parametrize("change", NONSENSE.values(), ids=NONSENSE.keys())
async def test_what_the_service_could_not_read_cannot_be_asked_for(room: Room, change: str) -> None:
    await room.ask()

    async with room.house.pool.acquire() as connection:
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)):
            await connection.execute(f"UPDATE exception_request SET {change}")


async def test_a_complete_one_can(room: Room) -> None:
    other = await _second_request(room)

    async with room.house.pool.acquire() as connection:
        await connection.execute(COPY.format(", ".join(COLUMNS.values())), other)

    assert len(await room.house.rows("SELECT FROM exception")) == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE exception SET until = until + interval '1 day'",
        "DELETE FROM exception",
        "UPDATE exception_chapter SET why = 'another'",
        "DELETE FROM exception_chapter",
    ],
)
async def test_the_service_itself_changes_nothing_that_was_granted(room: Room, sql: str) -> None:
    await room.granted()

    async with room.house.pool.acquire() as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO compliance.exception SELECT * FROM compliance.exception",
        "UPDATE compliance.exception_signoff SET state = 'counted'",
        "UPDATE compliance.exception_request SET until = until + interval '1 day'",
        "DELETE FROM compliance.exception_request",
        "INSERT INTO compliance.owner_key SELECT * FROM compliance.owner_key",
        "INSERT INTO compliance.exception_ticket SELECT * FROM compliance.exception_ticket",
        "UPDATE compliance.exclusion SET until = until + interval '1 day'",
        "DELETE FROM compliance.exception_revocation",
    ],
)
async def test_an_operator_can_ask_and_bring_and_revoke_but_not_grant(room: Room, sql: str) -> None:
    await room.granted()

    async with room.operator() as tx:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute(sql)


OF_ANOTHER = {
    "a signature": """
        INSERT INTO compliance.exception_signoff (signoff_id, exception_id, tenant_id, statement, signature, brought_at,
                                                  brought_by)
        VALUES (gen_random_uuid(), $1, $2, 'x', decode(repeat('00', 64), 'hex'), now(), 'eve')
    """,
    "a revocation": """
        INSERT INTO compliance.exception_revocation (exception_id, tenant_id, why, revoked_at, revoked_by)
        VALUES ($1, $2, 'x', now(), 'eve')
    """,
}


@pytest.mark.parametrize("sql", OF_ANOTHER.values(), ids=OF_ANOTHER.keys())
async def test_an_operator_who_sees_one_client_touches_no_exception_of_another(room: Room, sql: str) -> None:
    await room.granted()

    async with room.operator() as tx:
        await tx.execute("SELECT set_config('patchline.tenants', $1, true)", str(BIRCH))
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await tx.execute(sql, EXCEPTION, BIRCH)


async def test_an_operator_who_sees_one_client_sees_no_other(room: Room) -> None:
    await room.granted()

    async with room.operator() as tx:
        await tx.execute("SELECT set_config('patchline.tenants', $1, true)", str(BIRCH))
        found = await tx.fetch("SELECT exception_id FROM compliance.exception_request")

    assert found == []
    assert await room.house.rows("SELECT tenant_id FROM exception WHERE exception_id = $1", EXCEPTION) == [
        {"tenant_id": ACME}
    ]
