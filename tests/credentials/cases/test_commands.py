"""`patchline case`: what people see of cases and do about them, as the operator's role, with its exit codes."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from chassis import commands
from services.credentials.cases.commands import case_app
from services.credentials.cases.releasing import Releasing
from tests.builders import client_changed
from tests.credentials.room import SPYCLOUD, Room, exposed

Typed = Callable[..., Any]


@pytest.fixture
def typed(room: Room) -> Typed:
    """Type a command at the moment of the room; the answer's exit code and, with --json, its rows."""

    async def run(*arguments: str) -> Result:
        offset = (room.now - datetime.now(UTC)).total_seconds()
        environment = {
            "PATCHLINE_OPERATOR_URL": room.database.operator,
            "PATCHLINE_CLOCK_OFFSET_SECONDS": str(offset),
        }
        return await asyncio.to_thread(CliRunner(env=environment).invoke, case_app, list(arguments))

    return run


async def rows(typed: Typed, *arguments: str) -> list[dict[str, Any]]:
    answer = await typed(*arguments, "--json")
    assert answer.exit_code == commands.OK, answer.output
    found: list[dict[str, Any]] = json.loads(answer.output)
    return found


async def test_cases_are_listed_with_what_they_wait_for(room: Room, typed: Typed) -> None:
    await room.hear(exposed(), exposed("ada@acme.example"), client_changed("Acme Dental", sequence=1))
    await room.settle(seconds=61)

    [ada] = [row for row in await rows(typed, "list", "--state", "open") if row["login"] == "ada@acme.example"]

    assert (ada["client"], ada["decision"], ada["next"]) == ("Acme Dental", "ask", "invalidated")
    assert ada["waits_for"] == "waits for people to agree"
    assert (await typed("list")).exit_code == commands.OK
    assert (await typed("list", "--client", "Nobody")).exit_code == commands.NO


async def test_a_case_shows_its_exposures_and_the_proof_of_every_step(room: Room, typed: Typed) -> None:
    await room.hear(exposed())
    await room.finish()
    [listed] = await rows(typed, "list", "--state", "closed")

    [case] = await rows(typed, "show", listed["case"])

    assert [step["step"] for step in case["steps"]][-1] == "closed"
    assert case["found"][0]["form"] == "plaintext"
    assert (await typed("show", listed["case"])).exit_code == commands.OK
    assert (await typed("show", "12345678")).exit_code == commands.WRONG_USE


async def test_what_is_parked_is_tried_again(room: Room, typed: Typed) -> None:
    await room.allow(owner={})
    await room.hear(exposed())
    await room.finish()
    [parked] = await rows(typed, "list", "--state", "parked")
    await room.allow()

    [again] = await rows(typed, "retry", parked["case"])
    await room.finish()

    assert again["step"] == "notified"
    assert len(room.mail.letters) == 1
    assert (await typed("retry", "--all")).exit_code == commands.NO
    assert (await typed("retry")).exit_code == commands.WRONG_USE


async def test_a_person_tells_the_owner(room: Room, typed: Typed) -> None:
    await room.allow(owner={})
    await room.hear(exposed())
    await room.finish()
    [parked] = await rows(typed, "list", "--state", "parked")

    await rows(typed, "told", parked["case"], "--how", "by phone at 10:15")
    await room.finish()

    [closed] = await rows(typed, "list", "--state", "closed")
    assert closed["case"] == parked["case"]
    assert (await typed("told", parked["case"], "--how", "again")).exit_code == commands.NO


async def test_what_is_held_is_listed_and_released(room: Room, typed: Typed) -> None:
    await room.hear(exposed(named=10_000), exposed("ben@acme.example", named=10_000))

    [held] = await rows(typed, "held")
    assert (held["source"], held["exposures"], held["accounts"]) == (SPYCLOUD, 2, 2)
    [released] = await rows(typed, "release", SPYCLOUD, "--client", "Acme Dental")
    await Releasing(room.on).look()

    assert released["released"] == 2
    assert len(await room.cases()) == 2
    assert await rows(typed, "held") == []
    assert (await typed("release", SPYCLOUD, "--client", "Acme Dental")).exit_code == commands.NO
