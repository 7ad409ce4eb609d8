"""Two people agree through the running product, one by the link in a mail, one with a key; the audit can be checked."""

import asyncio
import json
import re
from datetime import timedelta
from email.message import Message
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from contracts import ids
from services.credentials.people import approvals
from services.credentials.people.records import RequestState
from services.credentials.records import Cause
from tests.flow.world import World, run_cli, until

ACME = ids.tenant_id("Acme")
PEOPLE = {"Ada": "ada@msp.example", "Bo": "bo@msp.example"}


@pytest.fixture(scope="module")
def keys(world: World) -> dict[str, Path]:
    """The key files of two people who are enrolled, and a door that knows approval links."""
    run_cli(world.stack.home, "source", "add", "approval", "links")  # another module's tests may have done so
    passphrase = world.stack.home / "passphrase"
    passphrase.write_text("correct horse battery")
    files = {}
    for name, mail in PEOPLE.items():
        files[name] = world.stack.home / f"{name}.json"
        [made] = world.cli("approver", "key", str(files[name]), "--passphrase-file", str(passphrase))
        world.cli("approver", "enroll", name, "--mail", mail, "--public-key", made["public_key"], "--client", "Acme")
    return files


async def asked(world: World, case: UUID) -> None:
    """Ask about a case, as its handler does."""
    now = world.now()
    cause = Cause(id=uuid4(), received_at=now)
    question = approvals.asking(
        tenant=ACME, case=case, login="root@acme.example", names=[], why="an account with power", needed=2, hours=4,
        cause=cause, now=now,
    )  # fmt: skip
    connection = await asyncpg.connect(world.stack.around.database, server_settings={"search_path": "credentials"})
    async with connection.transaction():
        assert len(await approvals.ask(connection, [question], now=now)) == 1
    await connection.close()


async def standing(world: World, case: UUID) -> tuple[RequestState, int]:
    connection = await asyncpg.connect(world.stack.around.database, server_settings={"search_path": "credentials"})
    found = (await approvals.standing(connection, [case], now=world.now()))[case]
    await connection.close()
    return found.state, found.given


def mails_about(world: World, case: UUID) -> list[Message]:
    assert world.stack.parts.mail is not None
    return [each for each in world.stack.parts.mail.kept() if f"approval.{case}." in str(each["Message-ID"])]


def link_in(mail: Message) -> str:
    text = mail.get_payload(decode=True)
    assert isinstance(text, bytes)
    [link] = re.findall(r"http\S+/approvals/\S+", text.decode())
    return str(link)


def post(link: str, decision: str) -> httpx.Response:
    place, _, token = link.rpartition("/")
    return httpx.post(place, data={"token": token, "decision": decision}, timeout=10, trust_env=False)


def test_a_link_and_a_key_of_two_people_grant_it_once(world: World, keys: dict[str, Path], tmp_path: Path) -> None:
    case = uuid4()
    asyncio.run(asked(world, case))

    until("both are invited", lambda: len(mails_about(world, case)) == 2)
    link = next(link_in(each) for each in mails_about(world, case) if each["To"] == PEOPLE["Ada"])
    seen = [httpx.get(link, timeout=10, trust_env=False).status_code for _ in range(2)]
    before = asyncio.run(standing(world, case))
    until("the door knows links", lambda: post(link, "approve").status_code == 202)
    until("the link counts", lambda: asyncio.run(standing(world, case)) == (RequestState.OPEN, 1))
    assert post(link, "refuse").status_code == 202
    [decided] = world.cli(
        "case", "approve", str(case), "--key", str(keys["Bo"]), "--passphrase-file",
        str(world.stack.home / "passphrase"), "--yes",
    )  # fmt: skip

    assert (seen, before) == ([200, 200], (RequestState.OPEN, 0)), "opening a link decides nothing"
    assert (decided["counted"], decided["question"], decided["given"]) == (True, "granted", 2)
    assert asyncio.run(standing(world, case)) == (RequestState.GRANTED, 2)
    file = tmp_path / "acme.jsonl"
    assert run_cli(world.stack.home, "audit", "export", "--tenant", "Acme", "--to", str(file)).returncode == 0
    entries = [entry for entry in map(json.loads, file.read_text().splitlines()) if entry["key"] == str(case)]
    evidence = [dict(entry["evidence"]) for entry in entries if entry["type"] == "case.approval_counted.v1"]
    assert [(each["way"], each["name"]) for each in evidence] == [("link", "Ada"), ("key", "Bo")]
    assert world.cli("audit", "verify", str(file))[0]["whole"] is True


def test_a_changed_link_is_refused_and_a_foreign_one_counts_nothing(world: World, keys: dict[str, Path]) -> None:
    assert keys
    case = uuid4()
    asyncio.run(asked(world, case))
    until("both are invited", lambda: len(mails_about(world, case)) == 2)
    link = link_in(mails_about(world, case)[0])
    changed = link[:-1] + ("A" if link[-1] != "A" else "B")

    assert httpx.get(changed, timeout=10, trust_env=False).status_code == 401
    assert post(changed, "approve").status_code == 401
    assert asyncio.run(standing(world, case)) == (RequestState.OPEN, 0)
    rows = asyncio.run(world.rows("SELECT expires_at FROM credentials.request WHERE case_id = $1", case))
    assert rows[0]["expires_at"] - world.now() > timedelta(hours=3)
