"""`patchline exception`, `control` and `exclusion`, as people type them beside a running service."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from contracts.events.approver import OwnerEnrolled
from contracts.events.exception import ExclusionEnded, ExclusionRecorded
from patchline.main import app
from services.compliance.zones import zone_of
from services.credentials.people import keys
from tests.builders import ACME, event
from tests.compliance.exceptions.room import Room, ticketed
from tests.compliance.house import asset_changed, client_in
from tests.credentials.people.test_keys import CHEAP, PASSPHRASE

ADD_CLIENT = "INSERT INTO gateway.client VALUES ($1, $2, 'UTC', NULL, NULL, now(), now()) ON CONFLICT DO NOTHING"
NAMED = ("--client", "Acme Dental")
WHY = ("--reason", "the practice software is not ready")
WHAT = ("--product", "windows server 2022", "--machine", "dc01")
INSTEAD = ("--control", "segmentation: VLAN 40")


TODAY = datetime.now(UTC)


def day(later: int) -> str:
    """Return a date so many days from when these tests began."""
    return f"{TODAY + timedelta(days=later):%Y-%m-%d}"


def day_begins(later: int) -> datetime:
    """Return when that day begins where the client is."""
    return datetime.strptime(day(later), "%Y-%m-%d").replace(tzinfo=zone_of("America/New_York"))


ASKED = (*NAMED, *WHY, *WHAT, *INSTEAD, "--until", day(30))


@pytest.fixture
async def typing(room: Room, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Room]:
    """A client with a server and an owner, whose key and passphrase are files here, and a service that runs."""
    admin = await asyncpg.connect(room.house.database.admin)
    await admin.execute(ADD_CLIENT, ACME, "Acme Dental")
    await admin.close()
    room.house.now = datetime.now(UTC)
    public_key = keys.make(tmp_path / "owner.json", PASSPHRASE, CHEAP)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    approver = str(keys.approver_id(keys.public_key_of(public_key)))
    owner = OwnerEnrolled(approver=approver, name="Nora West", public_key=public_key, enrolled_at=room.house.now)
    enrolled = event(owner, subject=f"owner/{approver}", source="patchline/credentials", sequence=1)
    await room.house.hear(client_in("America/New_York"), asset_changed(), asset_changed("dc02"), enrolled)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", room.house.database.operator)
    stopping = asyncio.Event()
    service = asyncio.create_task(_serve(room, stopping))
    yield room
    stopping.set()
    await service


async def _serve(room: Room, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        room.house.now = datetime.now(UTC)
        await room.loop.look()
        await asyncio.sleep(0.05)


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def answer(*arguments: str, code: int = 0) -> Any:
    done = await run(*arguments, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def _change(file: str) -> None:
    path = Path(file)
    path.write_text(path.read_text().replace("VLAN 40", "VLAN 41"))


async def signed(room: Room, *more: str) -> str:
    """Ask, have a ticket opened, and let the owner sign; return the exception's id."""
    [asked] = await answer("exception", "request", *ASKED)
    await room.house.hear(ticketed(UUID(asked["exception"])))
    await run("exception", "text", asked["exception"], "--out", "text.json")
    key = ("--key", "owner.json", "--passphrase-file", "passphrase", "--yes", "--out", "text.signed")
    [row] = await answer("exception", "sign", "text.json", *key, *more)
    assert row["exception"] == asked["exception"]
    return str(asked["exception"])


async def test_from_asking_to_revoking(typing: Room) -> None:
    exception = await signed(typing)

    [brought] = await answer("exception", "approve", exception[:8], "--signature", "text.signed")
    [listed] = await answer("exception", "list", *NAMED)
    [control] = await answer("control", "list", *NAMED)
    shown = await answer("exception", "show", exception)
    [revoked] = await answer("exception", "revoke", exception, "--why", "patched after all")

    assert (brought["counted"], brought["state"], brought["owner"]) == (True, "in force", "Nora West")
    assert (listed["machines"], listed["ticket"], listed["age_days"]) == (1, "4711", 0.0)
    assert listed["ends_in_days"] == pytest.approx((day_begins(31) - TODAY) / timedelta(days=1), abs=0.11)
    assert (control["kind"], control["control"], control["machines"]) == ("segmentation", "VLAN 40", "DC01")
    assert shown["signature_holds"] is True
    assert [each["chapter"] for each in shown["story"]] == ["requested", "granted"]
    assert revoked["state"] == "revoked"
    assert await answer("exception", "list") == []
    [over] = await answer("exception", "list", "--all")
    assert over["state"] == "revoked"
    again = await run("exception", "revoke", exception, "--why", "again")
    assert (again.exit_code, "it is revoked" in again.stderr) == (1, True)


@pytest.mark.usefixtures("typing")
async def test_the_last_day_is_the_clients_day() -> None:
    [asked] = await answer("exception", "request", *ASKED)

    assert datetime.fromisoformat(asked["until"]) == day_begins(31)


async def test_an_owner_says_no(typing: Room) -> None:
    exception = await signed(typing, "--refuse")

    [brought] = await answer("exception", "approve", exception, "--signature", "text.signed")

    assert (brought["counted"], brought["state"]) == (True, "refused")


async def test_what_was_changed_after_signing_does_not_count(typing: Room) -> None:
    exception = await signed(typing)
    _change("text.signed")

    [brought] = await answer("exception", "approve", exception, "--signature", "text.signed", code=1)

    assert "not what was asked: controls" in brought["why_not"]


async def test_a_renewal_is_as_it_was_and_longer(typing: Room) -> None:
    exception = await signed(typing)
    await answer("exception", "approve", exception, "--signature", "text.signed")

    [asked] = await answer("exception", "request", "--renews", exception[:8], *WHY, "--until", day(60))

    shown = await answer("exception", "show", asked["exception"])
    assert (shown["renewal"], shown["machines"], shown["controls"]) == (1, "DC01", "segmentation: VLAN 40")
    before = await answer("exception", "show", exception)
    assert shown["valid_from"] == before["until"]


@pytest.mark.usefixtures("typing")
async def test_what_the_policy_forbids_is_refused_at_once() -> None:
    [asked] = await answer("exception", "request", *ASKED[:-1], day(200), code=1)

    assert (asked["state"], "at the longest" in asked["why_not"]) == ("refused", True)


WRONG: tuple[tuple[tuple[str, ...], str], ...] = (
    ((*WHY, *WHAT, *INSTEAD, "--until", day(9)), "name the client"),
    ((*NAMED, *WHY, *WHAT, "--until", day(9)), "without a compensating control"),
    ((*ASKED[:-1], "soon"), "write a date"),
    ((*ASKED[:-1], "2026-12-24T10:00"), "write the time zone too"),
    ((*ASKED, "--control", "hope"), "'kind: what is done'"),
    ((*ASKED, "--machine", "dc99"), "no machine called 'dc99'"),
    ((*ASKED, "--train", "none"), "the catalog knows no"),
    ((*ASKED, "--all-machines"), "not both"),
    ((*NAMED, *WHY, *INSTEAD, "--until", day(9), "--machine", "dc01"), "--lane isolated"),
    ((*ASKED, "--renews", "00000000"), "0 exceptions begin"),
)


@pytest.mark.usefixtures("typing")
async def test_what_is_typed_wrong_is_said() -> None:
    for arguments, says in WRONG:
        done = await run("exception", "request", *arguments)

        assert (done.exit_code, says in done.stderr) == (2, True), done.output


@pytest.mark.usefixtures("typing")
async def test_the_isolated_lane_is_for_everything_on_a_machine() -> None:
    lane = ("--lane", "isolated", "--machine", "dc02", "--control", "restricted-access: two", "--control")
    [asked] = await answer(
        "exception", "request", *NAMED, *WHY, *INSTEAD, *lane, "monitoring: all of it", "--until", day(80)
    )

    assert (asked["title"], asked["state"]) == ("every update", "waits for ticket")
    text = await run("exception", "text", asked["exception"])
    assert (text.exit_code, "no ticket yet" in text.stderr) == (1, True)


@pytest.mark.parametrize("content", ["{}", "no json", '{"statement": "patchline.exception", "decision": "approve"}'])
def test_only_the_text_of_an_exception_is_signed(content: str, tmp_path: Path) -> None:
    file = tmp_path / "text.json"
    file.write_text(content)

    done = CliRunner().invoke(app, ["exception", "sign", str(file), "--key", "owner.json", "--yes"])

    assert (done.exit_code, "not the text of an exception" in done.stderr) == (2, True)


async def test_updates_are_left_out_until_a_day_and_count_again(typing: Room) -> None:
    more = ("--reason", "out of band", "--approver", "Nora West", "--until", day(7))
    [added] = await answer("exclusion", "add", *NAMED, "--patch", "KB5049983", *more)
    [listed] = await answer("exclusion", "list", *NAMED)
    [ended] = await answer("exclusion", "end", added["exclusion"][:8], "--why", "rolled out")
    unknown = await run("exclusion", "add", *NAMED, "--patch", "KB0000001", *more)

    assert (listed["patches"], listed["approver"]) == (added["patches"], "Nora West")
    assert ended["exclusion"] == added["exclusion"]
    assert (unknown.exit_code, "the catalog knows no release" in unknown.stderr) == (2, True)
    assert await answer("exclusion", "list") == []
    await asyncio.sleep(0.2)
    assert [type(each) for each in await typing.told()] == [ExclusionRecorded, ExclusionEnded]
