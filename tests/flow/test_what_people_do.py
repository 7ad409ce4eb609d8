"""A technician closes a ticket in the real tracker: its webhook is a hint, and what follows is the next generation."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from contracts.events.psa import TicketTold
from patchline.local.roundup import Roundup
from tests.flow.world import World, run_cli, until

CLIENT = "Initech"
KB = "5099123"
DESK = "psa/roundup/desk"
HEADER = "x-roundup-signature"
STATES = """
    SELECT state FROM ticketing.ticket JOIN ticketing.client USING (tenant_id) WHERE name = $1 ORDER BY generation
"""


class Technician:
    """Somebody at the tracker, as its administrator; and whoever knows the secret of its webhooks."""

    def __init__(self, world: World, tracker: Roundup, secret: str) -> None:
        self._world = world
        self._secret = secret
        login = tracker.admin_login
        self._client = httpx.Client(
            base_url=f"{tracker.url}rest/data/",
            auth=(login.name, login.password),
            headers={"X-Requested-With": "rest", "Origin": tracker.url.rstrip("/")},
            trust_env=False,
            timeout=20,
        )

    def set_status(self, number: str, status: str) -> None:
        etag = self._client.get(f"issue/{number}").headers["etag"]
        change = {"@op": "replace", "status": status}
        answer = self._client.patch(f"issue/{number}", headers={"If-Match": etag}, json=change)
        assert answer.status_code == 200, answer.text

    def post(self, body: bytes, *, secret: str | None = None) -> int:
        """Post a webhook as the tracker does and return the answer's status."""
        signature = hmac.new((secret or self._secret).encode(), body, hashlib.sha256).hexdigest()
        url = f"{self._world.stack.around.gateway_url}/webhooks/{DESK}"
        return httpx.post(url, content=body, headers={HEADER: signature}, timeout=10, trust_env=False).status_code


@pytest.fixture(scope="module")
def technician(world: World) -> Iterator[Technician]:
    secret = world.stack.home / "desk.secret"
    for command in (
        ("source", "add", "roundup", "desk", "--secret-file", str(secret)),
        ("client", "add", CLIENT, "--zone", "Europe/Berlin", "--psa-company", "INITECH"),
        ("client", "map", CLIENT, "patchline/scripts", CLIENT),
    ):
        done = run_cli(world.stack.home, *command)
        assert done.returncode == 0, done.stderr
    tracker = world.stack.parts.roundup
    assert tracker is not None
    made = Technician(world, tracker, secret.read_text().strip())
    until("the desk is believed", lambda: made.post(b"not json") == 202, seconds=15)
    tracker.tell(f"{world.stack.around.gateway_url}/webhooks/{DESK}", secret.read_text().strip())
    yield made
    tracker.tell_nobody()


def failed(world: World, device: str) -> None:
    world.enrol(device, client=CLIENT)
    patch = {"patch": f"KB{KB}", "kb": KB, "severity": "critical"}
    world.send("patch.install_failed", device, client=CLIENT, patch=patch, code="0x80070643")


def rows(world: World, sql: str, *arguments: object) -> list[dict[str, Any]]:
    return asyncio.run(world.rows(sql, *arguments))


def states(world: World) -> list[str]:
    return [row["state"] for row in rows(world, STATES, CLIENT)]


def test_a_technicians_closure_is_told_read_again_and_followed_by_the_next_generation(
    world: World, technician: Technician
) -> None:
    failed(world, "desk-01")
    [issue] = until("a ticket", lambda: world.issues_of(KB))

    technician.set_status(issue["id"], "resolved")

    until("the closure is known", lambda: states(world) == ["closed"])
    failed(world, "desk-02")
    issues = until("the next generation", lambda: len(found := world.issues_of(KB)) == 2 and found)
    assert sorted(each["correlation_key"][-3:] for each in issues) == ["-g1", "-g2"]
    [heard, *_] = rows(
        world,
        "SELECT causation FROM ticketing.history WHERE type = $1 AND subject = $2",
        TicketTold.TYPE,
        issue["id"],
    )
    assert f"ticketing heard: {TicketTold.TYPE}" in json.dumps(world.cli("journey", str(heard["causation"])))


def test_a_ticket_that_a_technician_opens_again_is_told_and_a_forged_word_is_not_believed(
    world: World, technician: Technician
) -> None:
    newest = max(world.issues_of(KB), key=lambda each: str(each["correlation_key"]))
    body = {"id": uuid4().hex, "event": "set", "issue": newest["id"], "status": "resolved", "was": "unread"}
    lie = json.dumps(body | {"at": "2026-11-10T12:00:00+00:00", "by": "admin", "notes": 0}).encode()

    forged = technician.post(lie, secret="some other secret than ours")
    told = technician.post(lie)
    technician.set_status(newest["id"], "resolved")
    until("the closure is known", lambda: states(world)[-1] == "closed")
    technician.set_status(newest["id"], "chatting")
    until("it is open again", lambda: states(world)[-1] == "open")

    assert (forged, told) == (401, 202)
    noted = until("we say so there", lambda: len(_notes(world, newest["id"])) > len(newest["messages"]))
    assert noted


def test_what_cannot_be_understood_is_a_dead_letter_of_the_desk(world: World, technician: Technician) -> None:
    assert technician.post(b"<html>") == 202

    letters = until("a dead letter", lambda: world.cli("dlq", "list", "--source", DESK))

    assert {letter["group"] for letter in letters} == {"gateway-psa"}


def _notes(world: World, number: str) -> list[object]:
    [issue] = [each for each in world.issues() if each["id"] == number]
    notes: list[object] = issue["messages"]
    return notes
