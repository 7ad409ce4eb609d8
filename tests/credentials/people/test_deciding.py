"""Signed statements: believed for their signature alone, counted once; questions whose time is over are ended."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from nacl.signing import SigningKey

from contracts.events.credential import ApprovalCounted
from services.credentials.people.deciding import NOT_SIGNED
from services.credentials.people.records import Asking, RequestState
from tests.builders import ACME
from tests.credentials.people.conftest import Room

Question = Callable[..., Asking]
ANSWERS = "SELECT state, answer FROM statement WHERE tenant_id = $1 ORDER BY brought_at, statement_id"


async def answers(room: Room) -> list[tuple[str, str | None]]:
    return [tuple(row) for row in await room.pool.fetch(ANSWERS, ACME)]


async def test_two_people_with_their_keys_grant_it(room: Room, case: UUID, question: Question) -> None:
    ada, bo = await room.enroll("Ada"), await room.enroll("Bo")
    await room.ask(question())

    await room.sign(case, ada)
    await room.sign(case, bo)
    assert await room.deciding.look() == 2

    assert [each.state for each in room.verdicts] == [RequestState.GRANTED]
    counted = [each.data for each in await room.told() if isinstance(each.data, ApprovalCounted)]
    assert [(each.given, each.approve) for each in counted] == [(1, True), (2, True)]
    lines = [row["line"] for row in await room.pool.fetch("SELECT line FROM audit_entry WHERE tenant_id = $1", ACME)]
    mine = [line for line in lines if str(case) in line]
    assert len(mine) == 2
    assert all("patchline.approval" in line and '"signature"' in line for line in mine), "the evidence can be checked"


async def test_a_statement_that_is_brought_again_counts_once(room: Room, case: UUID, question: Question) -> None:
    ada = await room.enroll("Ada")
    await room.ask(question())
    await room.sign(case, ada)
    await room.deciding.look()

    await room.sign(case, ada)
    room.now += timedelta(seconds=1)
    await room.sign(case, ada, approve=False)
    await room.deciding.look()

    assert await answers(room) == [("counted", None), ("refused", "this person has decided about it already")]
    assert (await room.state(case)).given == 1


async def test_another_key_is_not_believed_and_its_neighbour_is(room: Room, case: UUID, question: Question) -> None:
    ada, bo = await room.enroll("Ada"), await room.enroll("Bo")
    await room.ask(question())

    await room.sign(case, ada, key=SigningKey(b"x" * 32))
    room.now += timedelta(seconds=1)
    await room.sign(case, bo)
    await room.deciding.look()

    assert await answers(room) == [("refused", NOT_SIGNED), ("counted", None)]
    assert (await room.state(case)).by == (bo.id,)


async def test_a_signed_yes_cannot_be_brought_as_a_no(room: Room, case: UUID, question: Question) -> None:
    ada = await room.enroll("Ada")
    await room.ask(question())
    await room.sign(case, ada)
    async with room.operating() as tx:
        signature = await tx.fetchval("SELECT signature FROM credentials.statement WHERE tenant_id = $1", ACME)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with tx.transaction():
                await tx.execute("UPDATE credentials.statement SET approve = false")
        await tx.execute(
            "INSERT INTO credentials.statement SELECT gen_random_uuid(), tenant_id, request_id, approver_id, false, "
            "decided_at, signature, brought_at + interval '1 s', 'thief' FROM credentials.statement "
            "WHERE signature = $1",
            signature,
        )

    await room.deciding.look()

    assert await answers(room) == [("counted", None), ("refused", NOT_SIGNED)]


async def test_whoever_brings_a_statement_cannot_answer_it(room: Room, case: UUID, question: Question) -> None:
    ada = await room.enroll("Ada")
    await room.ask(question())
    request = await room.asked(case)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with room.operating() as tx:
            await tx.execute(
                "INSERT INTO credentials.approval VALUES ($1, $2, $3, true, 'key', $1, now())",
                request.id,
                ada.id,
                ACME,
            )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with room.operating() as tx:
            await tx.execute("UPDATE credentials.request SET state = 'granted'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with room.operating() as tx:
            await tx.execute("UPDATE credentials.approver SET public_key = $1", b"y" * 32)


async def test_nobody_who_could_write_to_kafka_reads_the_digests_of_links(room: Room) -> None:
    for role in ("patchline_operator", "patchline_reader"):
        connection = await asyncpg.connect(room.database.of(role))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT digest FROM credentials.link")
        await connection.close()


async def test_the_exposed_account_does_not_decide_even_with_a_key(room: Room, case: UUID, question: Question) -> None:
    root = await room.enroll("Root", accounts=["Root.Admin@ACME.example"])
    await room.ask(question())

    await room.sign(case, root)
    await room.deciding.look()

    assert await answers(room) == [("refused", "the exposed account is this person's own")]


async def test_a_question_whose_time_is_over_is_ended_once(room: Room, case: UUID, question: Question) -> None:
    await room.enroll("Ada")
    await room.ask(question())
    assert await room.deciding.look() == 0

    room.now += timedelta(hours=4)
    assert await room.deciding.look() == 1
    assert await room.deciding.look() == 0

    assert [(each.case, each.state, each.why) for each in room.verdicts] == [
        (case, RequestState.EXPIRED, "nobody answered in time")
    ]
