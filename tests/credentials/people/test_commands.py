"""`patchline approver` and `patchline case approve|refuse`, as people type them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer
from typer.testing import CliRunner, Result

from chassis import commands
from services.credentials.people import keys
from services.credentials.people.commands_case import approve, refuse
from services.credentials.people.keys import Costs
from services.credentials.people.records import Asking, RequestState
from tests.credentials.people.conftest import Room
from tests.credentials.people.test_keys import CHEAP, PASSPHRASE

Patchline = Callable[..., Result]
Question = Callable[..., Asking]


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(f"{PASSPHRASE}\n")
    return file


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """A key file of somebody, and its public key; cheap, because each of these tests opens it."""
    file = tmp_path / "key.json"
    return file, keys.make(file, PASSPHRASE, CHEAP)


@pytest.fixture
def case_commands(patchline: Patchline) -> Patchline:
    """Run `patchline case approve|refuse`."""
    assert patchline is not None
    app = typer.Typer()
    app.command("approve")(approve)
    app.command("refuse")(refuse)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


async def run(command: Patchline, *arguments: str) -> Result:
    return await asyncio.to_thread(command, *arguments)


async def rows(command: Patchline, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    answer = await run(command, *arguments, "--json")
    assert answer.exit_code == code, answer.output
    found: list[dict[str, Any]] = json.loads(answer.stdout)
    return found


def enrol(public_key: str, *more: str, name: str = "Ada Ahn", mail: str = "ada@msp.example") -> tuple[str, ...]:
    return ("enroll", name, "--mail", mail, "--public-key", public_key, *more)


@pytest.mark.usefixtures("room")
class TestApprovers:
    async def test_a_key_is_made_and_its_person_enrolled_listed_and_revoked(
        self, patchline: Patchline, passphrase: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keys, "USUAL", CHEAP)
        monkeypatch.setattr(keys.make, "__defaults__", (CHEAP,))
        file = tmp_path / "new.json"
        [made] = await rows(patchline, "key", str(file), "--passphrase-file", str(passphrase))

        [enrolled] = await rows(
            patchline, *enrol(made["public_key"], "--account", "Ada@ACME.example", "--client", "Acme Dental")
        )
        [listed] = await rows(patchline, "list")
        [revoked] = await rows(patchline, "revoke", "ada@msp.example", "--why", "left")

        assert made["key"] == enrolled["key"] == listed["key"]
        assert (listed["clients"], listed["accounts"]) == ("Acme Dental", ["ada@acme.example"])
        assert listed["enrolled_by"].count("@") == 1
        assert revoked["name"] == "Ada Ahn"
        assert await rows(patchline, "list") == []
        [gone] = await rows(patchline, "list", "--all")
        assert gone["revoked_why"] == "left"

    async def test_who_is_enrolled_under_another_name_is_not_a_second_person(
        self, patchline: Patchline, key: tuple[Path, str], tmp_path: Path
    ) -> None:
        other = keys.make(tmp_path / "other.json", PASSPHRASE, CHEAP)
        await rows(patchline, *enrol(key[1], "--account", "ada@acme.example"))

        same_key = await run(patchline, *enrol(key[1], name="Bo", mail="bo@msp.example"))
        same_account = await run(
            patchline, *enrol(other, "--account", "ADA@acme.example", name="Bo", mail="b@x.example")
        )

        for answer in (same_key, same_account):
            assert answer.exit_code == commands.WRONG_USE
            assert "two people are two people" in answer.stderr

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            pytest.param(enrol("AAAA"), "not a public key", id="no key"),
            pytest.param(enrol("A" * 43 + "=", mail="nobody"), "is not an address", id="no address"),
            pytest.param(enrol("A" * 43 + "=", "--client", "Nobody Ltd"), "no client called", id="no such client"),
            pytest.param(enrol("A" * 43 + "=", "--role", "owner"), "an owner is one client's", id="an owner of all"),
        ],
    )
    async def test_what_is_wrong_is_said(self, patchline: Patchline, arguments: tuple[str, ...], says: str) -> None:
        answer = await run(patchline, *arguments)

        assert (answer.exit_code, says in answer.stderr) == (commands.WRONG_USE, True), answer.output

    async def test_nobody_is_revoked_who_is_not_there(self, patchline: Patchline) -> None:
        answer = await run(patchline, "revoke", "nobody", "--why", "left")

        assert (answer.exit_code, "nobody enrolled is called" in answer.stderr) == (commands.NO, True)


class TestDeciding:
    @pytest.fixture
    async def asked(self, room: Room, patchline: Patchline, key: tuple[Path, str], question: Question) -> None:
        await rows(patchline, *enrol(key[1]))
        await room.ask(question(needed=1, hours=24 * 365 * 10))

    @staticmethod
    async def counting(room: Room, command: Patchline, *arguments: str, code: int = 0) -> dict[str, Any]:
        """Run a command beside the service that counts."""
        stopping = asyncio.Event()
        service = asyncio.create_task(room.deciding.run(stopping))
        try:
            [row] = await rows(command, *arguments, code=code)
        finally:
            stopping.set()
            await service
        return row

    @pytest.mark.usefixtures("asked")
    async def test_a_key_says_who_decides(
        self, room: Room, case_commands: Patchline, case: UUID, *, key: tuple[Path, str], passphrase: Path
    ) -> None:
        row = await self.counting(
            room,
            case_commands,
            "approve",
            str(case)[:13],
            "--key",
            str(key[0]),
            "--passphrase-file",
            str(passphrase),
            "--yes",
        )

        assert (row["counted"], row["approver"], row["question"]) == (True, "Ada Ahn", "granted")
        assert (await room.state(case)).state is RequestState.GRANTED

    @pytest.mark.usefixtures("asked")
    async def test_a_no_is_counted_too(
        self, room: Room, case_commands: Patchline, case: UUID, *, key: tuple[Path, str], passphrase: Path
    ) -> None:
        row = await self.counting(
            room,
            case_commands,
            "refuse",
            str(case),
            "--key",
            str(key[0]),
            "--passphrase-file",
            str(passphrase),
            "--yes",
        )

        assert (row["counted"], row["question"]) == (True, "refused")

    @pytest.mark.usefixtures("asked")
    async def test_without_the_service_it_is_kept_and_said(
        self, room: Room, case_commands: Patchline, case: UUID, *, key: tuple[Path, str], passphrase: Path
    ) -> None:
        answer = await run(
            case_commands, "approve", str(case), "--key", str(key[0]), "--passphrase-file", str(passphrase), "--yes",
            "--wait", "0",
        )  # fmt: skip

        assert (answer.exit_code, "your decision is kept" in answer.stderr) == (commands.UNREACHABLE, True), (
            answer.output
        )
        assert await room.deciding.look() == 1
        assert (await room.state(case)).state is RequestState.GRANTED

    @pytest.mark.usefixtures("asked")
    async def test_a_wrong_passphrase_decides_nothing(
        self, room: Room, case_commands: Patchline, case: UUID, *, key: tuple[Path, str], tmp_path: Path
    ) -> None:
        (tmp_path / "wrong").write_text("something else")

        answer = await run(
            case_commands,
            "approve",
            str(case),
            "--key",
            str(key[0]),
            "--passphrase-file",
            str(tmp_path / "wrong"),
            "--yes",
        )

        assert (answer.exit_code, "passphrase is wrong" in answer.stderr) == (commands.WRONG_USE, True)
        assert await room.deciding.look() == 0

    @pytest.mark.usefixtures("asked")
    async def test_who_is_not_enrolled_is_told_so(self, case_commands: Patchline, case: UUID, tmp_path: Path) -> None:
        keys.make(tmp_path / "stranger.json", PASSPHRASE, Costs(CHEAP.operations, CHEAP.memory_bytes))

        answer = await run(case_commands, "approve", str(case), "--key", str(tmp_path / "stranger.json"), "--yes")

        assert (answer.exit_code, "nobody who is enrolled" in answer.stderr) == (commands.NO, True)

    @pytest.mark.usefixtures("asked")
    @pytest.mark.parametrize("wanted", ["00000000", "0000"])
    async def test_a_case_without_a_question_is_none(
        self, case_commands: Patchline, key: tuple[Path, str], wanted: str
    ) -> None:
        answer = await run(case_commands, "approve", wanted, "--key", str(key[0]), "--yes")

        assert answer.exit_code == commands.WRONG_USE
        assert "0 cases with a question" in answer.stderr or "at least eight characters" in answer.stderr

    @pytest.mark.usefixtures("asked")
    async def test_without_yes_it_shows_what_is_asked_and_takes_a_no_for_an_answer(
        self, room: Room, case: UUID, key: tuple[Path, str], *, passphrase: Path, case_commands: Patchline
    ) -> None:
        answer = await run(
            case_commands, "approve", str(case), "--key", str(key[0]), "--passphrase-file", str(passphrase)
        )

        assert answer.exit_code != 0
        assert "root@acme.example" in answer.output
        assert await room.deciding.look() == 0
