"""`patchline ticket`: what was raised, what is stuck, and another try."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from chassis.postgres import Connection
from contracts.events.obligation import State
from services.ticketing.adapters.roundup import Words
from services.ticketing.commands import ticket_app
from tests.builders import ACME, BIRCH, client_changed
from tests.parts import Database
from tests.ticketing.desk import Desk, Room
from tests.ticketing.findings import state_changed

Patchline = Callable[..., Result]


@pytest.fixture
async def patchline(database: Database, monkeypatch: pytest.MonkeyPatch) -> Patchline:
    """Run a command as the operator does, with the gateway knowing both clients."""
    admin = await asyncpg.connect(database.admin)
    await admin.executemany(
        "INSERT INTO gateway.client (tenant_id, name, zone, added_at, changed_at) "
        "VALUES ($1, $2, 'UTC', now(), now()) ON CONFLICT DO NOTHING",
        [(ACME, "Acme Dental"), (BIRCH, "Birch Law")],
    )
    await admin.close()
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", database.operator)
    return lambda *arguments: CliRunner().invoke(ticket_app, list(arguments))


async def rows(patchline: Patchline, *arguments: str) -> list[dict[str, Any]]:
    answer = await asyncio.to_thread(patchline, "list", "--json", *arguments)
    assert answer.exit_code == 0, answer.output
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


@pytest.fixture
async def one_of_each(room: Room, requirement: str) -> None:
    """A ticket that is open, one that is parked, and one whose client nobody knows yet."""
    await room.done(
        client_changed("Acme Dental", sequence=1), state_changed("a", State.FAILED, 1, requirement=requirement)
    )
    refusing = room.tracker(words=Words(open_status="no such status"))
    await room.done(state_changed("a", State.FAILED, 1, requirement=f"{requirement} 2"), tracker=refusing)
    await refusing.close()
    await room.handle(state_changed("b", State.FAILED, 1, requirement=requirement, tenant=BIRCH))


@pytest.fixture
async def operator(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """The operator, inside a transaction that names both clients."""
    connection = await asyncpg.connect(database.operator)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("SELECT set_config('patchline.tenants', $1, true)", f"{ACME},{BIRCH}")
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.mark.usefixtures("one_of_each")
class TestList:
    async def test_all_tickets_with_what_they_wait_for(self, patchline: Patchline) -> None:
        listed = await rows(patchline)

        assert sorted((row["client"], str(row["todo"]), row["state"]) for row in listed) == sorted(
            [
                ("Acme Dental", "None", "open"),
                ("Acme Dental", "parked: open", "open"),
                (str(BIRCH), "open", "open"),
            ]
        )
        waiting = next(row for row in listed if row["client"] == str(BIRCH))
        assert waiting["reason"] == "waits until the client is known"

    async def test_the_parked_ones_with_the_reason(self, patchline: Patchline) -> None:
        [parked] = await rows(patchline, "--state", "parked")

        assert (parked["number"], parked["failing"], parked["failures"]) == (None, 1, 1)
        assert "'no such status' is not a status" in parked["reason"]

    async def test_the_waiting_ones(self, patchline: Patchline) -> None:
        [waiting] = await rows(patchline, "--state", "waiting")

        assert waiting["client"] == str(BIRCH)

    async def test_those_of_one_client(self, patchline: Patchline) -> None:
        assert {row["client"] for row in await rows(patchline, "--client", "Acme Dental")} == {"Acme Dental"}

    async def test_an_unknown_client_is_said_to_be_one(self, patchline: Patchline) -> None:
        answer = await asyncio.to_thread(patchline, "list", "--client", "Nobody")

        assert answer.exit_code == 1
        assert "no client called 'Nobody'" in answer.output

    async def test_a_table_for_people(self, patchline: Patchline) -> None:
        answer = await asyncio.to_thread(patchline, "list")

        assert answer.exit_code == 0
        assert "Tickets" in answer.stdout


@pytest.mark.usefixtures("one_of_each")
class TestRetry:
    async def test_a_parked_ticket_is_tried_again_and_opens(self, patchline: Patchline, room: Room, desk: Desk) -> None:
        [parked] = await rows(patchline, "--state", "parked")

        answer = await asyncio.to_thread(patchline, "retry", parked["ticket"], "--json")
        await room.done()

        assert [row["ticket"] for row in json.loads(answer.stdout)] == [parked["ticket"]]
        assert desk.issue(parked["ticket"]).status == "unread"
        assert await rows(patchline, "--state", "parked") == []

    async def test_all_at_once(self, patchline: Patchline, room: Room) -> None:
        answer = await asyncio.to_thread(patchline, "retry", "--all")
        await room.done()

        assert answer.exit_code == 0
        assert await rows(patchline, "--state", "parked") == []

    async def test_what_is_not_parked_is_left_alone(self, patchline: Patchline) -> None:
        [fine] = await rows(patchline, "--state", "waiting")

        answer = await asyncio.to_thread(patchline, "retry", fine["ticket"])

        assert answer.exit_code == 1
        assert "is not parked" in answer.output

    @pytest.mark.parametrize("arguments", [(), ("pl-x-g1", "--all")])
    async def test_one_or_all_must_be_said(self, patchline: Patchline, arguments: tuple[str, ...]) -> None:
        answer = await asyncio.to_thread(patchline, "retry", *arguments)

        assert answer.exit_code == 2

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE ticketing.intent SET state = 'done' WHERE state = 'parked'",
            "UPDATE ticketing.intent SET plan = NULL",
            "UPDATE ticketing.ticket SET state = 'closed'",
            "DELETE FROM ticketing.intent",
        ],
    )
    async def test_the_operator_can_change_nothing_else(self, operator: Connection, change: str) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await operator.execute(change)

    async def test_the_operator_cannot_hasten_what_is_not_parked(self, operator: Connection) -> None:
        hasten = "UPDATE ticketing.intent SET state = 'pending' WHERE state <> 'parked'"

        assert await operator.execute(hasten) == "UPDATE 0"
