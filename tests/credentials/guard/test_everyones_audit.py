"""What was done about all clients together is in an audit of its own, which can be exported like a client's."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from services.credentials.audit.commands import export, verify_audit
from tests.credentials.guard.conftest import Room
from tests.credentials.guard.typed import Typed, run
from tests.parts import Database

APP = typer.Typer()
APP.command("export")(export)
APP.command("verify")(verify_audit)


async def test_a_kill_switch_for_all_is_in_it_with_who_and_why(
    typed: Typed, room: Room, database: Database, *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(typed, "breaker", "kill", "--global", "--reason", "look into it")
    room.later(1)
    await room.look()
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", database.operator)
    file = tmp_path / "all.jsonl"

    def exported(*arguments: str) -> Result:
        return CliRunner().invoke(APP, list(arguments))

    await run(exported, "export", "--tenant", "All clients", "--to", str(file))

    verified = await run(exported, "verify", str(file), "--json")
    assert json.loads(verified.stdout)[0]["whole"] is True
    shown = (await run(exported, "export", "--tenant", "All clients")).stdout
    assert "look into it" in shown
    assert '"by":"operator ' in shown
