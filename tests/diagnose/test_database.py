"""What a bundle says of the database: counts and places, asked as the operator, and no word of a case."""

import json
from datetime import UTC, datetime
from uuid import UUID, uuid5

import asyncpg

from chassis.postgres import prepare_connection
from contracts import ids
from patchline.diagnose import database as asked
from patchline.journey import store
from tests.builders import ACME
from tests.parts import Database

AT = datetime(2026, 3, 10, 14, tzinfo=UTC)
CLIENT = "INSERT INTO gateway.client (tenant_id, name, zone, added_at, changed_at) VALUES ($1, 'Acme', 'UTC', $2, $2)"
BREAKER = """
    INSERT INTO credentials.breaker (tenant_id, state, why, moved_by, moved_at, moves)
    VALUES ($1, 'tripped', 'petra.klein was named', 'patchline', $2, 1)
"""
DIRECTORY = """
    INSERT INTO credentials.directory (name, tenant_id, kind, options, secret, every_seconds, added_at, next_at,
                                       failures, failed_at, last_error)
    VALUES ('acme-ad', $1, 'active-directory', '{"bind": "hidden-option"}', 'acme-ad', 900, $2, $2, 1, $2,
            'bind of petra.klein@acme.example refused, password: Samba-pass-1')
"""
CASE = """
    INSERT INTO credentials.exposure_case (case_id, tenant_id, identity_key, number, login, kind, privileged, strength,
        evidence_at, session, decision, rule, why, dry_run, feed, source, cause_id, occurred_at, received_at, opened_at)
    VALUES ($1, $2, 'key', 1, 'petra.klein', 'person', false, 'real', $3, false, 'reset', 'plain', 'because', false,
            'spycloud', 'exposure/spycloud/main', $1, $3, $3, $3)
"""
STEP = """
    INSERT INTO credentials.case_step (case_id, step, tenant_id, state, due_at)
    VALUES ($1, 'notified', $2, 'parked', $3)
"""


async def test_cases_breakers_and_directories_are_counted_and_no_person_is_named(database: Database) -> None:
    case = uuid5(ids.NAMESPACE, "a case")
    await _have(database, case)
    connection = await asyncpg.connect(database.operator)
    try:
        await prepare_connection(connection)
        async with connection.transaction(readonly=True):
            await store.see_all(connection)
            files = await asked.tables(connection)
    finally:
        await connection.close()

    found = {name: json.loads(text) for name, text in files.items()}
    [step] = found["database/steps.json"]
    assert (step["step"], step["state"], step["cases"]) == ("notified", "parked", 1)
    assert [each["state"] for each in found["database/breakers.json"]] == ["tripped", "tripped"]
    assert [each["failures"] for each in found["database/directories.json"]] == [1]
    assert {each["schema"] for each in found["database/migrations.json"]} >= {"credentials", "ticketing"}
    text = "\n".join(files.values())
    assert not [word for word in ("petra", "Samba-pass-1", "hidden-option", str(case)) if word in text]


async def _have(database: Database, case: UUID) -> None:
    connection = await asyncpg.connect(database.admin)
    try:
        await connection.execute(CLIENT, ACME, AT)
        for tenant in (ACME, ids.EVERYONE):
            await connection.execute(BREAKER, tenant, AT)
        await connection.execute(DIRECTORY, ACME, AT)
        await connection.execute(CASE, case, ACME, AT)
        await connection.execute(STEP, case, ACME, AT)
    finally:
        await connection.close()
