"""A client's policy at work: a breach has a ticket, an exception ends by itself, the deadline is what it always was."""

import asyncio
import re
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from contracts import ids
from patchline.demo import tracker
from patchline.demo.tracker import Issue
from tests.flow.world import SERVER, World, run_cli, until

CLIENT = "Alder"
DEVICE, OTHER = "alder-1", "alder-2"
LASTS = timedelta(seconds=8)
"""How long the exception lasts at least; to it comes what four command lines take on this machine now."""

POLICY = """
client: Alder
valid_from: 2025-01-01T00:00:00+01:00
zone: Europe/Rome
sla: [{tiers: [server], due: PT24H}]
exceptions: {allowed: true, longest: P30D}
breaches: {tickets: true}
"""
DUE = re.compile(r"^- (\S+) .* (due [^,]*), .*$", re.MULTILINE)
DEADLINES = """
    SELECT DISTINCT h.due_at FROM compliance.obligation_history AS h JOIN compliance.asset AS a USING (asset_id)
    WHERE a.device = $1 AND h.requirement_id = $2 AND h.due_at IS NOT NULL
"""
TICKET = "SELECT ticket FROM compliance.exception_ticket WHERE exception_id = $1"
REQUIREMENT = ids.requirement_id(SERVER, "cumulative")
BREACH = ids.ticket_key(ids.tenant_id(CLIENT), "patch_overdue", str(REQUIREMENT), 1)


def test_an_overdue_update_has_a_ticket_is_excepted_by_the_owner_and_overdue_again_by_the_same_deadline(
    world: World, tmp_path: Path
) -> None:
    world.add_client(CLIENT)
    file = tmp_path / "alder.yaml"
    file.write_text(POLICY)
    world.cli("policy", "apply", str(file), "--reason", "agreed", "--accept-infeasible", "a test of its breaches")
    for device in (DEVICE, OTHER):
        world.enrol(device, client=CLIENT)
    until("a ticket lists both", lambda: _listed(world) == {DEVICE.upper(): 1, OTHER.upper(): 1})

    began_at = time.monotonic()
    owner = _owner(world, tmp_path)
    lasts = LASTS + 3 * timedelta(seconds=time.monotonic() - began_at)
    number = _except(world, tmp_path, owner, lasts)
    until("it is excepted", lambda: world.state_of(DEVICE) == "EXCEPTED")
    until(
        "it is overdue again", lambda: world.state_of(DEVICE) == "MISSING_OVERDUE", seconds=lasts.total_seconds() + 30
    )

    until("the ticket lists it again", lambda: _listed(world) == {DEVICE.upper(): 2, OTHER.upper(): 1})
    [breach] = _issues(world, BREACH)
    told = [due for note in breach.notes for name, due in DUE.findall(note) if name == DEVICE.upper()]
    assert len(told) == 2
    assert len(set(told)) == 1
    assert len(asyncio.run(world.rows(DEADLINES, DEVICE, REQUIREMENT))) == 1
    [own] = until("the exception's ticket is closed", lambda: _closed(world, number))
    story = "\n".join(own.notes)
    assert story.index("Ida Alder, the client's owner, signed it") < story.index("It ended at")


def _owner(world: World, folder: Path) -> tuple[str, ...]:
    """Let an owner make a key and be enrolled, and return how they sign."""
    key, phrase = folder / "owner.key", folder / "phrase"
    phrase.write_text("a passphrase that nobody would guess\n")
    phrase.chmod(0o600)
    with_phrase = ("--passphrase-file", str(phrase))
    [made] = world.cli("approver", "key", str(key), *with_phrase)
    enrolment = ("--mail", "owner@alder.example", "--role", "owner", "--public-key", made["public_key"])
    world.cli("approver", "enroll", "Ida Alder", *enrolment, "--client", CLIENT)
    return ("--key", str(key), *with_phrase, "--yes")


def _except(world: World, folder: Path, owner: tuple[str, ...], lasts: timedelta) -> str:
    """Ask, and let the owner sign what the exception's own ticket is about; return which it is."""
    text, signed, until_at = folder / "text", folder / "signed", world.now() + lasts
    why = ("--reason", "the maker is not ready", "--control", "segmentation: alone in its own network")
    what = ("--client", CLIENT, "--product", SERVER, "--machine", DEVICE.upper(), "--until", until_at.isoformat())
    [asked] = world.cli("exception", "request", *what, *why)
    until("the request has a ticket", lambda: asyncio.run(world.rows(TICKET, UUID(asked["exception"]))))
    handed = run_cli(world.stack.home, "exception", "text", asked["exception"], "--out", str(text))
    assert handed.returncode == 0, handed.stderr
    world.cli("exception", "sign", str(text), *owner, "--out", str(signed))
    world.cli("exception", "approve", asked["exception"], "--signature", str(signed), "--wait", "10")
    return str(asked["exception"])


def _listed(world: World) -> dict[str, int]:
    """Return how often the breach's ticket tells that a machine is overdue from then on."""
    return {name: times for issue in _issues(world, BREACH) for name, times in issue.devices.items()}


def _closed(world: World, exception: str) -> list[Issue]:
    key = ids.ticket_key(ids.tenant_id(CLIENT), "exception", exception, 1)
    return [each for each in _issues(world, key) if not each.is_open]


def _issues(world: World, key: str) -> list[Issue]:
    desk = world.stack.parts.roundup
    assert desk is not None
    login = desk.api_login
    found = asyncio.run(tracker.issues(desk.url, (login.name, login.password)))
    return [each for each in found if each.key == key]
