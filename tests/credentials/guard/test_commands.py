"""`patchline guard` and `patchline breaker`, as an operator types them."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from contracts.events.credential import BreakerMoved, CaseStep
from services.credentials.guard.records import EVERYONE, Held, Permit
from tests.builders import ACME, BIRCH, NOON
from tests.credentials.guard.conftest import Room
from tests.credentials.guard.typed import Typed, rows, run


def write(file: Path, text: str) -> str:
    """Make `text` all that a file says, and return where it is."""
    file.write_text(text)
    return str(file)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "acme.yaml"
    file.write_text("mode: live\nreset_persons: true\ncaps: {per_hour: 1}\nvip: [b, a]\n")
    return file


class TestGuard:
    async def test_a_policy_that_is_set_holds_at_once(self, typed: Typed, room: Room, policy: Path) -> None:
        [row] = await rows(typed, "guard", "set", str(policy), "--client", "Acme Dental", "--reason", "agreed")

        guarding = await room.guarding()
        assert (row["version"], row["is_new"], guarding.version) == (1, True, 1)
        assert (guarding.policy.mode, guarding.policy.caps.per_hour) == ("live", 1)
        assert (await room.guarding(BIRCH)).version == 0

    async def test_setting_the_same_again_adds_no_version(self, typed: Typed, policy: Path) -> None:
        await run(typed, "guard", "set", str(policy), "--client", "Acme Dental")
        same = write(policy, "vip: [a, b]\ncaps: {per_hour: 1}\nreset_persons: true\nmode: live\n")

        [row] = await rows(typed, "guard", "set", same, "--client", "Acme Dental")

        assert (row["version"], row["is_new"]) == (1, False)

    async def test_the_history_says_who_when_and_what_changed(self, typed: Typed, room: Room, policy: Path) -> None:
        await run(typed, "guard", "set", str(policy), "--client", "Acme Dental", "--reason", "agreed")
        room.later(60)
        changed = write(policy, "mode: dry_run\nreset_persons: true\ncaps: {per_hour: 1}\n")
        await run(typed, "guard", "set", changed, "--client", "Acme Dental")

        newest, first = await rows(typed, "guard", "history", "--client", "Acme Dental")

        assert (newest["version"], newest["changed"]) == (2, "mode, vip")
        assert (first["reason"], first["changed"]) == ("agreed", "caps.per_hour, mode, reset_persons, vip")
        assert first["set_by"].startswith("operator ")

    async def test_what_is_shown_can_be_set(self, typed: Typed, policy: Path, tmp_path: Path) -> None:
        await run(typed, "guard", "set", str(policy), "--client", "Acme Dental")
        shown = await run(typed, "guard", "show", "--client", "Acme Dental")

        [row] = await rows(
            typed, "guard", "set", write(tmp_path / "shown.yaml", shown.stdout), "--client", "Acme Dental"
        )

        assert row["is_new"] is False

    async def test_a_client_that_nobody_described_shows_the_strictest(self, typed: Typed) -> None:
        shown = json.loads((await run(typed, "guard", "show", "--client", "Birch Law", "--json")).stdout)

        assert (shown["version"], shown["document"]["mode"]) == (0, "dry_run")
        assert "nobody described it yet" in (await run(typed, "guard", "show", "--client", "Birch Law")).stdout

    async def test_all_clients_together_have_a_policy_of_their_own(self, typed: Typed, policy: Path) -> None:
        [row] = await rows(typed, "guard", "set", write(policy, "per_hour: 7\n"), "--global")

        assert (row["client"], row["per_hour"]) == ("all", 7)

    @pytest.mark.parametrize(
        ("arguments", "code", "told"),
        [
            pytest.param(["--client", "Nobody"], 1, "there is no client called 'Nobody'", id="no such client"),
            pytest.param([], 2, "name a client with --client, or say --global", id="nobody named"),
            pytest.param(["--client", "Acme Dental", "--global"], 2, "name a client", id="both named"),
            pytest.param(["--global"], 2, "mode: there is no such field", id="a client's file for all"),
            pytest.param(["--client", "Acme Dental", "--reason", "x" * 501], 2, "at most 500", id="a long reason"),
        ],
    )
    async def test_wrong_use_is_told(
        self, typed: Typed, policy: Path, *, arguments: list[str], code: int, told: str
    ) -> None:
        answer = await run(typed, "guard", "set", str(policy), *arguments, code=code)

        assert told in answer.stderr

    async def test_a_file_with_an_error_changes_nothing(self, typed: Typed, room: Room, policy: Path) -> None:
        wrong = write(policy, "caps: {per_our: 1}")

        answer = await run(typed, "guard", "set", wrong, "--client", "Acme Dental", code=2)

        assert "did you mean per_hour?" in answer.stderr
        assert (await room.guarding()).version == 0

    async def test_a_file_that_is_not_there(self, typed: Typed, tmp_path: Path) -> None:
        answer = await run(typed, "guard", "set", str(tmp_path / "none.yaml"), "--global", code=2)

        assert "cannot be read" in answer.stderr


class TestBreaker:
    async def test_a_kill_switch_acts_before_anybody_tells_of_it(self, typed: Typed, room: Room) -> None:
        await run(typed, "breaker", "kill", "--client", "Acme Dental", "--reason", "they called")

        for step in (CaseStep.INVALIDATED, CaseStep.REVOKED):
            assert await room.ask("ada", step=step) == Held("the client's breaker is killed: they called")
        assert isinstance(await room.ask("bob", tenant=BIRCH), Permit)

    async def test_one_for_all_stops_every_client(self, typed: Typed, room: Room) -> None:
        await run(typed, "breaker", "kill", "--global", "--reason", "look into it")

        assert isinstance(await room.ask("ada"), Held)
        assert isinstance(await room.ask("bob", tenant=BIRCH), Held)

    async def test_armed_again_the_count_begins_anew(self, typed: Typed, room: Room) -> None:
        await room.set_policy(caps={"per_hour": 1})
        await room.allowed("a", "b")
        room.later(1)

        await run(typed, "breaker", "arm", "--client", "Acme Dental", "--reason", "seen")
        room.later(1)

        assert await room.allowed("b", "c") == ["b"]

    async def test_what_was_named_before_does_not_trip_it_again(self, typed: Typed, room: Room) -> None:
        await room.arrive(*(f"person {n}" for n in range(30)))
        room.later(1)
        await run(typed, "breaker", "arm", "--client", "Acme Dental", "--reason", "an old list")
        room.later(1)

        await room.arrive("ada")

        assert await room.state() == "armed"

    async def test_moves_of_people_are_told_once_with_who_and_why(self, typed: Typed, room: Room) -> None:
        await run(typed, "breaker", "trip", "--client", "Acme Dental", "--reason", "a faulty export")
        room.later(1)
        await run(typed, "breaker", "arm", "--client", "Acme Dental", "--reason", "mended")
        for _ in range(3):
            await room.look()

        assert await room.moves() == [("tenant", "tripped", "a faulty export"), ("tenant", "armed", "mended")]
        [first, _] = await room.told(BreakerMoved)
        assert (first.tenant, first.subject) == (ACME, f"breaker/tenant/{ACME}")
        assert first.time - NOON < timedelta(seconds=30)
        entries = await room.pool.fetch("SELECT line FROM audit_entry WHERE tenant_id = $1", ACME)
        assert any("operator " in row["line"] and "a faulty export" in row["line"] for row in entries)

    async def test_what_a_machine_tripped_is_not_told_twice(self, room: Room) -> None:
        await room.arrive("ada", named=9999)

        await room.look()

        assert len(await room.moves()) == 1

    @pytest.mark.parametrize(
        ("before", "then", "stays"),
        [
            pytest.param([], "arm", "armed", id="armed already"),
            pytest.param(["trip"], "trip", "tripped", id="tripped already"),
            pytest.param(["kill"], "trip", "killed", id="killed does not become merely tripped"),
            pytest.param(["kill"], "kill", "killed", id="killed already"),
        ],
    )
    async def test_what_would_change_nothing_is_answered_with_no(
        self, typed: Typed, room: Room, *, before: list[str], then: str, stays: str
    ) -> None:
        for verb in before:
            await run(typed, "breaker", verb, "--global", "--reason", "first")

        answer = await run(typed, "breaker", then, "--global", "--reason", "second", code=1)

        assert f"the breaker is {stays}, and stays so" in answer.stderr
        assert await room.state(EVERYONE) == stays

    async def test_a_tripped_one_can_be_killed_and_a_machine_trips_no_killed_one(
        self, typed: Typed, room: Room
    ) -> None:
        await run(typed, "breaker", "trip", "--client", "Acme Dental", "--reason", "first")
        await run(typed, "breaker", "kill", "--client", "Acme Dental", "--reason", "second")

        await room.arrive("ada", named=9999)

        assert await room.state() == "killed"

    async def test_without_a_reason_nothing_moves(self, typed: Typed, room: Room) -> None:
        answer = await run(typed, "breaker", "kill", "--global", "--reason", "  ", code=2)

        assert "say why" in answer.stderr
        assert await room.state(EVERYONE) == "armed"

    async def test_the_status_shows_each_breaker_and_the_hour(self, typed: Typed, room: Room) -> None:
        await room.set_policy(caps={"per_hour": 2})
        await room.arrive("ada", "bob", "eve")
        await room.allowed("ada", "bob", "eve")

        everyone, acme, birch = await rows(typed, "breaker", "status")

        assert (everyone["client"], everyone["acted_in_hour"], everyone["named_in_hour"]) == ("(all clients)", 2, 3)
        assert (acme["client"], acme["state"], acme["by"]) == ("Acme Dental", "tripped", "patchline")
        assert acme["why"] == "more than 2 accounts in one hour"
        assert (birch["state"], birch["acted_in_hour"], birch["since"]) == ("armed", 0, None)

    async def test_the_status_of_one_client_shows_that_of_all_too(self, typed: Typed) -> None:
        shown = await rows(typed, "breaker", "status", "--client", "Birch Law")

        assert [row["client"] for row in shown] == ["(all clients)", "Birch Law"]
        await run(typed, "breaker", "status", "--client", "Nobody", code=1)
