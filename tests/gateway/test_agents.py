"""The agents' route on a real broker: a password first, no trace of a handshake, a report kept byte for byte."""

import base64
import hashlib
import json
import os
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import asyncpg
import pytest

from chassis.clock import moved_clock
from contracts.raw import RawDelivery
from contracts.topics import RMM_RAW_BULK
from patchline.local import ports
from services.gateway.door.agents import Agents
from services.gateway.door.keeping import Keeping
from services.gateway.door.raw_writer import Limits
from services.gateway.door.spool import SpoolLimits
from services.gateway.door.uploads import Arriving
from services.gateway.door.verification import BasicPassword
from services.gateway.registry.sources import SourceByPath, source
from services.gateway.rules_lanes import Rate
from services.gateway.vendors import agent
from tests.gateway.agent_reports import CONTACT, PROLOG, json_report, packed, xml_report
from tests.gateway.doors import SIGNING, SOURCES, STATIC, OpenDoor, RawTopic, open_door, raw_topic, signed
from tests.gateway.held import HeldBlobs, body_key, opened
from tests.gateway.spooled import Tables
from tests.parts import Database

SOURCE = "rmm/glpi-agent/acme"
PATH = "/agents/glpi-agent/acme"
PASSWORD = "the password of acme's agents"
KEY = body_key(SOURCE)
DIGESTS = tuple(hashlib.sha256(f"acme:{each}".encode()).digest() for each in (PASSWORD, "the one before it"))
AGENTS: SourceByPath = {
    **SOURCES,
    PATH: source("glpi-agent", SOURCE, BasicPassword((DIGESTS[0], DIGESTS[1])), KEY),
}
MIB = 1_048_576


def login(password: str = PASSWORD, user: str = "acme") -> dict[str, str]:
    return {"authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.fixture(scope="module")
async def door(kafka: str) -> AsyncIterator[OpenDoor]:
    async with open_door(kafka, sources=AGENTS) as door:
        yield door


@pytest.fixture(scope="module")
async def _topic(kafka: str) -> AsyncIterator[RawTopic]:
    async with raw_topic(kafka) as topic:
        yield topic


@pytest.fixture
async def raw(_topic: RawTopic) -> RawTopic:
    await _topic.mark()
    return _topic


async def kept(raw: RawTopic) -> list[RawDelivery]:
    """Return the deliveries that were kept since the mark, opened."""
    return [opened(record, KEY) for record in await raw.standing()]


@pytest.mark.parametrize("password", [PASSWORD, "the one before it"])
async def test_a_report_is_kept_as_it_came_and_answered_in_its_own_form(
    door: OpenDoor, raw: RawTopic, password: str
) -> None:
    body = packed(xml_report())

    answer = await door.client.post(PATH, content=body, headers=login(password))

    [delivery] = await kept(raw)
    assert (delivery.body, delivery.source, delivery.vendor) == (body, SOURCE, "glpi-agent")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-compress-zlib"
    assert b"<RESPONSE>NO_ACCOUNT_UPDATE</RESPONSE>" in zlib.decompress(answer.content)
    assert len(agent.translated(delivery).said) == 3


async def test_a_report_in_json_is_answered_in_json(door: OpenDoor, raw: RawTopic) -> None:
    answer = await door.client.post(PATH, json=json_report(), headers=login())

    assert answer.json() == {"status": "ok", "expiration": 24}
    assert len(await kept(raw)) == 1


@pytest.mark.parametrize(
    ("body", "word"),
    [
        pytest.param(packed(PROLOG), b"PROLOG_FREQ", id="PROLOG"),
        pytest.param(packed(json.dumps(CONTACT)), b"expiration", id="contact"),
    ],
)
async def test_a_handshake_is_answered_and_leaves_nothing(
    door: OpenDoor, raw: RawTopic, body: bytes, word: bytes
) -> None:
    answer = await door.client.post(PATH, content=body, headers=login())

    assert answer.status_code == 200
    assert word in zlib.decompress(answer.content)
    assert await kept(raw) == []


async def test_who_asks_for_other_tasks_gets_none(door: OpenDoor, raw: RawTopic) -> None:
    answer = await door.client.get(PATH, params={"action": "getConfig", "machineid": "x"}, headers=login())

    assert (answer.status_code, answer.json()) == (200, {})
    assert await kept(raw) == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        pytest.param(PATH, {}, id="no password"),
        pytest.param(PATH, login("wrong"), id="a wrong password"),
        pytest.param(PATH, login(user="birch"), id="another user"),
        pytest.param(PATH, login(""), id="an empty password"),
        pytest.param(PATH, {"authorization": "Basic !!!"}, id="no base64"),
        pytest.param(PATH, {"authorization": f"Bearer {PASSWORD}"}, id="another scheme"),
        pytest.param(PATH, {"authorization": "Basic"}, id="a scheme alone"),
        pytest.param("/agents/glpi-agent/birch", login(), id="another source"),
        pytest.param("/agents/other/acme", login(), id="another vendor"),
    ],
)
async def test_who_is_not_believed_leaves_no_trace(
    door: OpenDoor, raw: RawTopic, path: str, headers: dict[str, str]
) -> None:
    answers = [await door.client.post(path, content=body, headers=headers) for body in (packed(PROLOG), b"x" * 3 * MIB)]

    assert [each.status_code for each in answers] == [401, 401]
    assert {each.headers["www-authenticate"] for each in answers} == {'Basic realm="patchline"'}
    assert await kept(raw) == []


async def test_the_password_opens_no_other_door(door: OpenDoor, raw: RawTopic) -> None:
    elsewhere = [
        await door.client.post(path, content=b"{}", headers=login())
        for path in (f"/webhooks/{SOURCE}", f"/webhooks/{SOURCE}/bulk", f"{PATH}/bulk", SIGNING, STATIC)
    ]
    signature = await door.client.post(PATH, content=b"{}", headers=signed(b"{}"))

    assert [each.status_code for each in elsewhere] == [401, 401, 404, 401, 401]
    assert signature.status_code == 401
    assert await kept(raw) == []


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(packed(xml_report())[:-10], id="truncated"),
        pytest.param(zlib.compress(b"<" * 40 * MIB), id="a bomb"),
        pytest.param(b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><REQUEST/>', id="an entity"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
    ],
)
async def test_what_cannot_be_understood_is_kept_all_the_same(door: OpenDoor, raw: RawTopic, body: bytes) -> None:
    answer = await door.client.post(PATH, content=body, headers=login())

    [delivery] = await kept(raw)
    assert (answer.status_code, delivery.body) == (200, body)
    assert agent.translated(delivery).problems


async def test_a_report_over_a_mebibyte_is_kept_apart_and_one_over_sixteen_is_refused(kafka: str) -> None:
    blobs = HeldBlobs()
    async with open_door(kafka, sources=AGENTS, blobs=blobs, from_bytes=MIB) as door, raw_topic(kafka) as raw:
        large = await door.client.post(PATH, content=os.urandom(15 * MIB), headers=login())
        too_large = await door.client.post(PATH, content=b"x" * (16 * MIB + 1), headers=login())
        webhook = os.urandom(2 * MIB)
        as_webhook = await door.client.post(SIGNING, content=webhook, headers=signed(webhook))
        [record] = await raw.standing()

    assert (large.status_code, too_large.status_code, as_webhook.status_code) == (200, 413, 413)
    assert "16 MiB" in too_large.json()["detail"]
    assert dict(record.headers)["blob"]
    assert record.value == b""


async def test_other_methods_are_told_so(door: OpenDoor) -> None:
    answer: Any = await door.client.put(PATH, content=b"", headers=login())

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_before_the_sources_are_known_agents_are_sent_away(kafka: str) -> None:
    async with open_door(kafka, sources=None) as door:
        answer = await door.client.post(PATH, content=packed(PROLOG), headers=login())

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_while_kafka_is_away_a_report_is_in_the_spool_when_its_agent_hears_so(database: Database) -> None:
    tables = Tables(await asyncpg.connect(database.admin))
    await tables.empty()

    async with open_door(
        f"{ports.LOOPBACK}:1",
        sources=AGENTS,
        limits=Limits(budget_seconds=0.1),
        spool_dsn=database.writer("gateway"),
        spool_limits=SpoolLimits(budget_seconds=10),
    ) as door:
        report = await door.client.post(PATH, content=packed(xml_report()), headers=login())
        handshake = await door.client.post(PATH, content=packed(PROLOG), headers=login())

    assert (report.status_code, handshake.status_code) == (200, 200)
    assert len(await tables.raw_ids()) == 1
    await tables.empty()
    await tables.connection.close()


async def test_with_neither_kafka_nor_spool_an_agent_is_sent_away_in_time() -> None:
    async with open_door(f"{ports.LOOPBACK}:1", sources=AGENTS, limits=Limits(budget_seconds=0.1)) as door:
        answer = await door.client.post(PATH, content=packed(xml_report()), headers=login())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_a_storm_of_reports_travels_in_bulk(kafka: str) -> None:
    sources = {PATH: replace(AGENTS[PATH], rate=Rate(0.001, 1))}
    async with open_door(kafka, sources=sources) as door, raw_topic(kafka, RMM_RAW_BULK.name) as bulk:
        for number in range(3):
            told = packed(xml_report(deviceid=f"ws-{number}"))
            assert (await door.client.post(PATH, content=told, headers=login())).status_code == 200

        assert len(await bulk.standing()) == 2


@pytest.mark.parametrize(
    ("path", "headers", "outcome"),
    [
        pytest.param(PATH, {}, "challenged", id="who was not asked yet"),
        pytest.param(PATH, login("wrong"), "forged", id="a wrong password"),
        pytest.param("/agents/glpi-agent/birch", login(), "unknown", id="no such source"),
    ],
)
async def test_an_agent_that_was_not_asked_yet_is_counted_as_no_forger(
    path: str, headers: dict[str, str], outcome: str
) -> None:
    async def nothing() -> dict[str, object]:
        raise AssertionError("no body is read of whom we do not believe")

    never = cast("Keeping", None)
    agents = Agents(keeping=never, arriving=Arriving(), clock=moved_clock(0))
    told = await agents.answer(AGENTS.get(path), "POST", headers_of(headers), nothing)

    assert isinstance(told, tuple)
    assert told[0] == outcome


def headers_of(headers: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in headers.items()}
