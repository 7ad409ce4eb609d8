"""An exposure through the running product's door: one event, no secret anywhere, and what people see of it."""

import asyncio
import base64
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from standardwebhooks.webhooks import Webhook

from contracts import approval
from contracts.approval import Claims
from contracts.topics import EXPOSURES, EXPOSURES_RAW
from tests.flow.world import World, run_cli, until

CANARY = f"c4nary-{uuid4().hex}"
FEED = "exposure/patchline/darkweb"


@dataclass(frozen=True, slots=True)
class Feed:
    """Whoever holds the secret of the feed."""

    world: World
    secret: str

    def post(self, body: bytes, id_: str, *, secret: str | None = None) -> httpx.Response:
        now = self.world.now()
        signature = Webhook(secret or self.secret).sign(id_, now, body.decode())
        headers = {"webhook-id": id_, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
        url = f"{self.world.stack.around.gateway_url}/webhooks/{FEED}"
        return httpx.post(url, content=body, headers=headers, timeout=10, trust_env=False)


@pytest.fixture(scope="module")
def feed(world: World) -> Feed:
    file = world.stack.home / "darkweb.secret"
    world.cli("client", "add", "Umbrella", "--zone", "Europe/Berlin", "--psa-company", "UMBRELLA")
    world.cli("source", "add", "exposure/patchline", "darkweb", "--secret-file", str(file))
    run_cli(world.stack.home, "source", "add", "approval", "links")  # another module's tests may have done so
    world.cli("client", "map", "Umbrella", FEED, "umbrella.example")
    known = Feed(world, file.read_text().strip())
    until("the feed is believed", lambda: known.post(b'{"events": []}', "msg_first").status_code == 202)
    return known


def told(login: str) -> bytes:
    data = {"login": login, "breach": "Forum 2026", "form": "plaintext", "secret": CANARY, "note": {"raw": CANARY}}
    return json.dumps({"type": "exposure.found", "data": data}).encode()


def records(world: World, topic: str) -> list[Any]:
    """Return every record of a topic as it stands now."""

    async def read() -> list[Any]:
        consumer = AIOKafkaConsumer(
            topic, bootstrap_servers=world.stack.around.kafka, auto_offset_reset="earliest", enable_auto_commit=False
        )
        await consumer.start()
        try:
            ends = await consumer.end_offsets(list(consumer.assignment()))
            found: list[Any] = []
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                found += [each for batch in (await consumer.getmany(timeout_ms=200)).values() for each in batch]
            return found
        finally:
            await consumer.stop()

    return asyncio.run(read())


def header(record: Any, name: str) -> str:
    return next((value.decode() for each, value in record.headers if each == name), "")


def of_login(world: World, login: str) -> list[Any]:
    return [each for each in records(world, EXPOSURES.name) if header(each, "ce_subject") == login]


def test_a_delivery_becomes_one_exposure_of_its_client_however_often_it_is_sent(feed: Feed) -> None:
    body = told("Robin@Umbrella.example")

    answers = [feed.post(body, "msg_robin") for _ in range(2)]

    until("the exposure is told", lambda: len(of_login(feed.world, "robin@umbrella.example")) == 1)
    journey = feed.world.cli("journey", answers[1].json()["raw_id"])
    [record] = of_login(feed.world, "robin@umbrella.example")
    assert [each.status_code for each in answers] == [202, 202]
    assert record.key.decode().endswith("/robin@umbrella.example")
    assert "nothing that was not known" in json.dumps(journey)
    kept = [*records(feed.world, EXPOSURES.name), *records(feed.world, EXPOSURES_RAW.name)]
    assert [each.offset for each in kept if CANARY.encode() in each.value] == []


def test_the_journey_of_an_exposure_ends_at_its_case_and_its_ticket(feed: Feed) -> None:
    raw_id = feed.post(told("jo@umbrella.example"), "msg_jo").json()["raw_id"]

    until("its ticket is shown", lambda: "ticket: " in json.dumps(feed.world.cli("journey", raw_id)))
    [hop] = [each for each in hops(feed.world.cli("journey", raw_id)) if each["what"].startswith("credentials: ")]
    of_case = feed.world.cli("journey", hop["case"])
    assert hop["what"] == "credentials: opened a case, as a dry run"
    assert [each["what"] for each in hop["then"] if each["what"].startswith("step ")] != []
    assert [each["raw_id"] for each in of_case] == [raw_id]
    assert CANARY not in json.dumps(of_case)


def hops(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every hop of some journeys."""
    return [hop for each in found for hop in (each, *hops(each["then"]))]


def test_a_forged_delivery_leaves_nothing(feed: Feed) -> None:
    other = "whsec_" + base64.b64encode(b"another secret of thirty-two bytes").decode()

    answer = feed.post(told("forged@umbrella.example"), "msg_forged", secret=other)

    assert answer.status_code == 401
    assert feed.post(told("honest@umbrella.example"), "msg_honest").status_code == 202
    until("the one after it is told", lambda: len(of_login(feed.world, "honest@umbrella.example")) == 1)
    assert of_login(feed.world, "forged@umbrella.example") == []


def test_what_cannot_be_read_is_quarantined_and_opened_with_the_offline_key(feed: Feed, tmp_path: Path) -> None:
    leak = f"robin@umbrella.example:{CANARY}".encode()

    raw_id = feed.post(leak, "msg_leak").json()["raw_id"]

    private = feed.world.stack.around.secrets / "quarantine.private"
    listed = feed.world.cli("exposure", "quarantine", "list")
    opening = ("exposure", "quarantine", "open", raw_id, "--private-key-file", str(private))
    feed.world.cli(*opening, "--to", str(tmp_path / "body"))
    assert [row["raw_id"] for row in listed if row["source"] == FEED] == [raw_id]
    assert (tmp_path / "body").read_bytes() == leak


def test_an_answer_to_an_approval_link_is_told_once_as_its_digest(feed: Feed) -> None:
    key = approval.key_in((feed.world.stack.around.secrets / "approval.key").read_text())
    expires_at = feed.world.now() + timedelta(hours=1)
    case = f"case-{uuid4()}"
    token = approval.token_of(Claims(case=case, approver_digest="d", expires_at=expires_at, nonce="n"), key)
    url = f"{feed.world.stack.around.gateway_url}/approvals"

    shown = httpx.get(f"{url}/{token}", trust_env=False)
    sent = [httpx.post(url, data={"token": token, "decision": "approve"}, trust_env=False) for _ in range(2)]

    until("the answer is told", lambda: len(of_login(feed.world, case)) == 1)
    [record] = of_login(feed.world, case)
    assert (shown.status_code, [each.status_code for each in sent]) == (200, [202, 202])
    assert json.loads(record.value) == {"case": case, "token": approval.digest_of(token), "approve": True}
    assert not any(token.encode() in each.value for each in records(feed.world, EXPOSURES_RAW.name))


def test_no_process_wrote_the_secret_into_its_log(feed: Feed) -> None:
    logs = [each for each in feed.world.stack.home.rglob("*.log") if each.is_file()]

    assert any(each.name.startswith("gateway-accept") for each in logs)
    assert [each.name for each in logs if CANARY.encode() in each.read_bytes()] == []
