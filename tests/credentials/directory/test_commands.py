"""`patchline directory`, `identity` and `offboarding`, as an operator types them."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
import typer
from typer.testing import CliRunner, Result

from chassis.http import Unavailable
from contracts.events.credential import HygieneChanged
from services.credentials.directory.commands import directory_app
from services.credentials.directory.commands_identity import identity_app
from services.credentials.directory.commands_offboarding import offboarding_app
from services.credentials.guard.policy import GuardPolicy, Hygiene
from tests.builders import ACME, BIRCH
from tests.credentials.directories import KeptDirectory, account
from tests.credentials.directory.conftest import Room
from tests.parts import Database

Patchline = Callable[..., Result]
APPS: dict[str, typer.Typer] = {"directory": directory_app, "identity": identity_app, "offboarding": offboarding_app}
LDAP = ("--kind", "openldap", "--secret", "acme.password", "--set", "url=ldaps://ldap.acme.example")
MORE = ("--set", "user=cn=patchline,dc=acme", "--set", "ca=ca.pem", "--set", "base=dc=acme")
KIM = account("kim", mfa=False)
ADA = account("ada", privileges=("Domain Admins",), eligible=("Enterprise Admins",))


@pytest.fixture
async def patchline(room: Room, database: Database, monkeypatch: pytest.MonkeyPatch) -> Patchline:
    """Run a command as the operator does, with the gateway knowing both clients, at the present moment."""
    room.now = datetime.now(UTC)
    admin = await asyncpg.connect(database.admin)
    await admin.executemany(
        "INSERT INTO gateway.client (tenant_id, name, zone, added_at, changed_at) "
        "VALUES ($1, $2, 'Europe/Berlin', now(), now()) ON CONFLICT DO NOTHING",
        [(ACME, "Acme Dental"), (BIRCH, "Birch Law")],
    )
    await admin.close()
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", database.operator)
    return lambda app, *arguments: CliRunner().invoke(APPS[app], list(arguments))


async def typed(patchline: Patchline, *arguments: str, code: int = 0) -> Result:
    answer = await asyncio.to_thread(patchline, *arguments)
    assert answer.exit_code == code, answer.output
    return answer


async def rows(patchline: Patchline, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((await typed(patchline, *arguments, "--json")).stdout)
    return found


async def read(room: Room, name: str, directory: KeptDirectory) -> None:
    room.there[name] = directory
    room.now = datetime.now(UTC)
    await room.read_due()


async def test_a_directory_is_added_read_and_listed(patchline: Patchline, room: Room) -> None:
    await typed(patchline, "directory", "add", "acme-ldap", "--client", "Acme Dental", *LDAP, *MORE, "--every", "5m")
    await read(room, "acme-ldap", KeptDirectory.of(KIM, ADA))

    [listed] = await rows(patchline, "directory", "list", "--client", "Acme Dental")

    assert (listed["directory"], listed["accounts"], listed["privileged"], listed["every_seconds"]) == (
        "acme-ldap",
        2,
        1,
        300,
    )
    assert listed["fresh_at"] is not None
    assert (await rows(patchline, "directory", "list", "--client", "Birch Law")) == []


WRONG = [
    pytest.param(("Acme Dental", *LDAP), 2, "base", id="a setting is missing"),
    pytest.param(("Acme Dental", *LDAP, *MORE, "--set", "colour=red"), 2, "colour", id="a setting is unknown"),
    pytest.param(("Acme Dental", *LDAP, *MORE, "--set", "base"), 2, "NAME=VALUE", id="a setting has no value"),
    pytest.param(("Acme Dental", *LDAP, *MORE, "--every", "5"), 2, "like 15m", id="no unit of time"),
    pytest.param(("Acme Dental", *LDAP, *MORE, "--every", "59s"), 2, "at least 1m", id="too often"),
    pytest.param(("Nobody", *LDAP, *MORE), 1, "no client called", id="no such client"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), WRONG)
async def test_what_is_wrong_about_a_directory_is_named(
    patchline: Patchline, arguments: tuple[str, ...], code: int, words: str
) -> None:
    answer = await typed(patchline, "directory", "add", "acme-ldap", "--client", *arguments, code=code)

    assert words in answer.output


async def test_a_name_belongs_to_one_directory(patchline: Patchline) -> None:
    await typed(patchline, "directory", "add", "ours", "--client", "Acme Dental", *LDAP, *MORE)

    await typed(patchline, "directory", "add", "ours", "--client", "Birch Law", *LDAP, *MORE, code=1)
    await typed(patchline, "directory", "add", "No Name", "--client", "Birch Law", *LDAP, *MORE, code=2)


async def test_a_directory_is_changed_and_switched_off_and_forgotten(patchline: Patchline, room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.pool.execute(
        "UPDATE directory SET options = $1", {"url": "ldaps://a", "user": "u", "ca": "c", "base": "b"}
    )
    await room.read_due()

    await typed(patchline, "directory", "change", "acme-ad", "--set", "url=ldaps://b", "--every", "2h")
    changed = await room.state("acme-ad")
    await typed(patchline, "directory", "change", "acme-ad", "--off")
    await typed(patchline, "directory", "sync", "acme-ad", code=1)
    await typed(patchline, "directory", "remove", "acme-ad")

    assert (changed["options"]["url"], changed["options"]["user"], changed["every_seconds"]) == ("ldaps://b", "u", 7200)
    assert await room.found("kim@acme.example") == []
    for gone in (("change", "acme-ad", "--off"), ("remove", "acme-ad"), ("sync", "acme-ad")):
        await typed(patchline, "directory", *gone, code=1)
    await typed(patchline, "directory", "change", "acme-ad", code=2)


async def test_a_sync_waits_until_the_directory_was_read(patchline: Patchline, room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    waiting = asyncio.create_task(rows(patchline, "directory", "sync", "acme-ad"))
    while not waiting.done():
        room.now = datetime.now(UTC)
        await room.read_due()
        await asyncio.sleep(0.1)

    [done] = await waiting

    assert done["accounts"] == 1


async def test_a_sync_that_fails_says_why(patchline: Patchline, room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM, failure=Unavailable("the line broke")))
    waiting = asyncio.create_task(typed(patchline, "directory", "sync", "acme-ad", code=1))
    while not waiting.done():
        room.now = datetime.now(UTC)
        await room.read_due()
        await asyncio.sleep(0.1)

    assert "the line broke" in (await waiting).output


async def test_that_fewer_is_right_is_kept_for_the_next_reading(patchline: Patchline, room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))

    await typed(patchline, "directory", "sync", "acme-ad", "--no-wait", "--fewer-is-right")

    assert (await room.state("acme-ad"))["fewer_is_right"]


async def test_identities_are_listed_with_why_each_counts_as_what_it_does(patchline: Patchline, room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM, ADA, account("svc-scan")))
    await room.add("birch-ad", KeptDirectory.of(account("bob", "bob@birch.example")), tenant=BIRCH)
    await room.read_due()

    every = await rows(patchline, "identity", "list", "--client", "Acme Dental")
    programs = await rows(patchline, "identity", "list", "--client", "Acme Dental", "--kind", "service")
    powerful = await rows(patchline, "identity", "list", "--client", "Acme Dental", "--privileged")

    assert [row["login"] for row in every] == ["ada@acme.example", "kim@acme.example", "svc-scan@acme.example"]
    assert [(row["login"], row["why"]) for row in programs] == [
        ("svc-scan@acme.example", "its name says that a program uses it")
    ]
    assert [row["login"] for row in powerful] == ["ada@acme.example"]
    await typed(patchline, "identity", "list", "--client", "Nobody", code=1)


async def test_one_identity_is_shown_with_its_power(patchline: Patchline, room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM, ADA))
    await room.read_due()

    shown = await typed(patchline, "identity", "show", "ADA@acme.example", "--client", "Acme Dental")
    [by_id] = await rows(patchline, "identity", "show", "kim", "--client", "Acme Dental")

    assert "Domain Admins" in shown.output
    assert "Enterprise Admins (can take it)" in shown.output
    assert by_id["login"] == "kim@acme.example"
    await typed(patchline, "identity", "show", "kim", "--client", "Birch Law", code=1)


async def test_an_offboarding_is_done_item_by_item_with_who_did_it(patchline: Patchline, room: Room) -> None:
    await room.allow(GuardPolicy(hygiene=Hygiene(offboarding=("disable the account", "collect the key"))))
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    who = ("--client", "Acme Dental")

    begun = await rows(patchline, "offboarding", "start", "Kim@acme.example", *who, "--last-day", "2026-11-30")
    after = await rows(patchline, "offboarding", "done", "kim@acme.example", "2", *who, "--note", "in the safe")
    [listed] = await rows(patchline, "offboarding", "list")
    shown = await rows(patchline, "offboarding", "show", "kim@acme.example", *who)

    assert [row["item"] for row in begun] == ["disable the account", "collect the key"]
    assert (after[0]["done_by"], after[1]["note"]) == (None, "in the safe")
    assert after[1]["done_by"].startswith("operator ")
    assert shown == after
    assert (listed["done"], listed["items"], listed["live_accounts"], listed["todo"]) == (
        1,
        2,
        1,
        "1 disable the account",
    )
    assert listed["leaves_at"] == "2026-11-30 23:00:00+00:00"


async def test_what_was_done_is_not_done_again_by_somebody_else(patchline: Patchline, room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    who = ("--client", "Acme Dental")
    await typed(patchline, "offboarding", "start", "kim@acme.example", *who)
    before = await rows(patchline, "offboarding", "done", "kim@acme.example", "1", *who)

    await typed(patchline, "offboarding", "done", "kim@acme.example", "1", *who, "--note", "me", code=1)

    assert await rows(patchline, "offboarding", "show", "kim@acme.example", *who) == before


REFUSED = [
    pytest.param(("start", "nobody@acme.example"), 1, id="nobody has the login"),
    pytest.param(("start", "kim@acme.example", "--last-day", "tomorrow"), 2, id="no day"),
    pytest.param(("done", "kim@acme.example", "1"), 1, id="nobody is being offboarded"),
    pytest.param(("show", "kim@acme.example"), 1, id="nothing to show"),
    pytest.param(("call-off", "kim@acme.example"), 1, id="nothing to call off"),
]


@pytest.mark.parametrize(("arguments", "code"), REFUSED)
async def test_an_offboarding_that_makes_no_sense_is_refused(
    patchline: Patchline, room: Room, arguments: tuple[str, ...], code: int
) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()

    await typed(patchline, "offboarding", *arguments, "--client", "Acme Dental", code=code)


async def test_a_person_is_offboarded_once_until_it_is_called_off(patchline: Patchline, room: Room) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    kim = ("kim@acme.example", "--client", "Acme Dental")
    await typed(patchline, "offboarding", "start", *kim)
    await typed(patchline, "offboarding", "start", *kim, code=1)
    await typed(patchline, "offboarding", "done", *kim, "77", code=2)

    await typed(patchline, "offboarding", "call-off", *kim)
    await typed(patchline, "offboarding", "start", *kim)

    assert len(await rows(patchline, "offboarding", "list", "--called-off")) == 2
    assert len(await rows(patchline, "offboarding", "list")) == 1


async def test_who_left_is_told_until_the_account_is_disabled(patchline: Patchline, room: Room) -> None:
    quiet = frozenset({"no_mfa", "break_glass_missing"})
    directory = KeptDirectory.of(KIM)
    await room.allow(GuardPolicy(hygiene=Hygiene(enabled=True, off=quiet)))
    await room.add("acme-ad", directory)
    await room.read_due()
    await typed(patchline, "offboarding", "start", "kim@acme.example", "--client", "Acme Dental")

    await room.read_after(minutes=16)
    await room.look()
    alive = await room.told()
    directory.accounts_by_id["kim"] = replace(KIM, enabled=False)
    await room.read_after(minutes=16)
    await room.look()
    dead = await room.told()

    said = [each.data for each in (*alive, *dead)]
    assert [(each.monitor, each.failing) for each in said if isinstance(each, HygieneChanged)] == [
        ("offboarded_alive", True),
        ("offboarded_alive", False),
    ]


async def test_the_operator_cannot_undo_what_was_done(patchline: Patchline, room: Room, database: Database) -> None:
    await room.add("acme-ad", KeptDirectory.of(KIM))
    await room.read_due()
    await typed(patchline, "offboarding", "start", "kim@acme.example", "--client", "Acme Dental")
    await typed(patchline, "offboarding", "done", "kim@acme.example", "1", "--client", "Acme Dental")
    operator = await asyncpg.connect(database.operator)
    async with operator.transaction():
        await operator.execute("SELECT set_config('patchline.tenants', $1, true)", str(ACME))

        undone = await operator.execute("UPDATE credentials.offboarding_item SET done_by = 'x' WHERE number = 1")
        foreign = await operator.fetchval("SELECT count(*) FROM credentials.identity WHERE tenant_id <> $1", ACME)
    await operator.close()

    assert (undone, foreign) == ("UPDATE 0", 0)
