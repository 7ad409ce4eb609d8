"""What ticket systems knock with: their own path and topic, signed bodies, and callbacks with a key elsewhere."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from chassis.health import Progress
from chassis.http import Unavailable
from contracts.topics import PSA_RAW
from services.gateway.door.callback_keys import CallbackKeys
from services.gateway.door.connectwise_callbacks import signature_of
from services.gateway.door.verification import SignedBody, SignedCallback, unguessable
from services.gateway.registry.sources import SourceByPath, source
from tests.gateway.doors import OpenDoor, header, open_door, raw_topic
from tests.gateway.held import body_key, opened

KEY = b"the key of the desk's scrip"
DESK = "/webhooks/psa/request-tracker/desk"
CALLS = "/webhooks/psa/connectwise/main"
ADDRESS = "https://na.myconnectwise.net/keys/1"
TOLD = b'{"ticket":7,"type":"Status","txn":41,"new":"resolved"}'
CALLBACK = json.dumps(
    {"Type": "ticket", "Action": "updated", "ID": 69, "Entity": None, "Metadata": {"key_url": ADDRESS}}
).encode()
DESK_KEY, CALLS_KEY = body_key("psa/request-tracker/desk"), body_key("psa/connectwise/main")


class Vendor:
    """Hands out the key of callbacks, if it is awake."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_awake = True

    async def key(self, address: str) -> str:
        self.asked.append(address)
        if not self.is_awake:
            raise Unavailable("asleep")
        return "the vendor's key"


@asynccontextmanager
async def psa_door(kafka: str, vendor: Vendor) -> AsyncIterator[OpenDoor]:
    """Yield a door that knows a desk that signs and a vendor that calls back."""
    keys, stopping = CallbackKeys(vendor.key, Progress()), asyncio.Event()
    scheme = SignedCallback(frozenset({"*.myconnectwise.net"}), keys.by_address)
    sources: SourceByPath = {
        DESK: source(
            "request-tracker",
            "psa/request-tracker/desk",
            SignedBody(b"x-rt-signature", (KEY, unguessable())),
            DESK_KEY,
        ),
        CALLS: source("connectwise", "psa/connectwise/main", scheme, CALLS_KEY),
    }
    async with open_door(kafka, sources=sources) as door, asyncio.TaskGroup() as tasks:
        door.sources.callback_keys = keys
        tasks.create_task(keys.run(stopping))
        try:
            yield door
        finally:
            stopping.set()


def signed(body: bytes = TOLD, key: bytes = KEY) -> dict[str, str]:
    return {"x-rt-signature": hmac.new(key, body, hashlib.sha256).hexdigest()}


def called(body: bytes = CALLBACK, key: str = "the vendor's key") -> dict[str, str]:
    return {"x-content-signature": signature_of(key, body).decode()}


async def test_what_a_desk_signed_is_sealed_into_psa_raw(kafka: str) -> None:
    async with psa_door(kafka, Vendor()) as door, raw_topic(kafka, PSA_RAW.name) as raw:
        response = await door.client.post(DESK, content=TOLD, headers=signed())

        [record] = await raw.standing()
    assert response.status_code == 202
    assert response.json() == {"raw_id": header(record, "raw_id")}
    assert (header(record, "vendor"), header(record, "source")) == ("request-tracker", "psa/request-tracker/desk")
    assert TOLD not in record.value
    assert opened(record, DESK_KEY, CALLS_KEY).body == TOLD


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        pytest.param(DESK, TOLD, signed(key=b"another key"), 401, id="forged"),
        pytest.param(DESK, TOLD + b" ", signed(), 401, id="changed"),
        pytest.param(DESK, TOLD, {}, 401, id="not signed"),
        pytest.param("/webhooks/psa/request-tracker/other", TOLD, signed(), 401, id="an unknown source"),
        pytest.param("/webhooks/psa/request-tracker", TOLD, signed(), 404, id="no source"),
        pytest.param(f"{DESK}/bulk", TOLD, signed(), 404, id="no lanes"),
        pytest.param(CALLS, CALLBACK, called(key="another"), 401, id="a forged callback"),
        pytest.param(CALLS, CALLBACK, {}, 401, id="a callback without a signature"),
        pytest.param(CALLS, CALLBACK.replace(b"na.my", b"evil.example/"), called(), 401, id="a key at its own host"),
    ],
)
async def test_what_is_not_believed_leaves_nothing(
    kafka: str, path: str, *, body: bytes, headers: dict[str, str], status: int
) -> None:
    async with psa_door(kafka, Vendor()) as door, raw_topic(kafka, PSA_RAW.name) as raw:
        response = await door.client.post(path, content=body, headers=headers)

        assert await raw.standing() == []
    assert response.status_code == status


async def test_what_cannot_be_parsed_is_accepted_when_it_is_signed(kafka: str) -> None:
    async with psa_door(kafka, Vendor()) as door, raw_topic(kafka, PSA_RAW.name) as raw:
        response = await door.client.post(DESK, content=b"<ticket>", headers=signed(b"<ticket>"))

        assert len(await raw.standing()) == 1
    assert response.status_code == 202


async def test_callbacks_are_believed_once_their_key_was_fetched_and_it_is_fetched_once(kafka: str) -> None:
    vendor = Vendor()

    async with psa_door(kafka, vendor) as door, raw_topic(kafka, PSA_RAW.name) as raw:
        statuses = [(await door.client.post(CALLS, content=CALLBACK, headers=called())).status_code for _ in range(3)]

        assert len(await raw.standing()) == 3
    assert statuses == [202, 202, 202]
    assert vendor.asked == [ADDRESS]


async def test_a_callback_whose_key_cannot_be_had_is_to_come_again_and_leaves_nothing(kafka: str) -> None:
    vendor = Vendor()
    vendor.is_awake = False

    async with psa_door(kafka, vendor) as door, raw_topic(kafka, PSA_RAW.name) as raw:
        response = await door.client.post(CALLS, content=CALLBACK, headers=called())

        assert await raw.standing() == []
    assert (response.status_code, response.headers["retry-after"]) == (503, "5")
