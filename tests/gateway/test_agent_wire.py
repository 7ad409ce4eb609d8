"""What the door sees of an agent's message: a handshake or not, without ever unpacking more than one could be."""

import gzip
import json
import zlib

import pytest

from services.gateway.door import agent_answers
from services.gateway.door.answers import Answer
from services.gateway.vendors.agent_wire import (
    HANDSHAKE_BYTES,
    Form,
    Handshake,
    Packing,
    form_of,
    handshake_in,
    packing_of,
    unpacked,
)
from tests.gateway.agent_reports import CONTACT, PROLOG, json_report, xml_report

CONTACT_TEXT = json.dumps(CONTACT)


@pytest.mark.parametrize(
    ("body", "handshake"),
    [
        pytest.param(PROLOG.encode(), Handshake.PROLOG, id="PROLOG"),
        pytest.param(zlib.compress(PROLOG.encode()), Handshake.PROLOG, id="PROLOG, zlib"),
        pytest.param(gzip.compress(PROLOG.encode()), Handshake.PROLOG, id="PROLOG, gzip"),
        pytest.param(CONTACT_TEXT.encode(), Handshake.CONTACT, id="contact"),
        pytest.param(zlib.compress(CONTACT_TEXT.encode()), Handshake.CONTACT, id="contact, zlib"),
        pytest.param(zlib.compress(PROLOG.encode())[:-3], None, id="a PROLOG that is cut off"),
        pytest.param(xml_report().encode(), None, id="an inventory"),
        pytest.param(json.dumps(json_report()).encode(), None, id="an inventory in JSON"),
        pytest.param(xml_report({"x": {"QUERY": "PROLOG"}}).encode(), None, id="an inventory that speaks of PROLOG"),
        pytest.param(PROLOG.encode() + b" " * HANDSHAKE_BYTES, None, id="a PROLOG that is endless"),
        pytest.param(zlib.compress(b"<" * 50_000_000), None, id="a bomb"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"{", None, id="broken JSON"),
        pytest.param(b'{"action": ["contact"]}', None, id="an odd action"),
    ],
)
def test_a_handshake_is_told_from_all_else(body: bytes, handshake: Handshake | None) -> None:
    assert handshake_in(unpacked(body, HANDSHAKE_BYTES)) is handshake


def test_no_more_is_unpacked_than_asked_for() -> None:
    message = unpacked(zlib.compress(b"a" * 50_000_000), 1000)

    assert (len(message.text), message.is_whole) == (1000, False)


@pytest.mark.parametrize(
    ("body", "packing"),
    [
        (zlib.compress(b"x", 1), Packing.ZLIB),
        (zlib.compress(b"x", 9), Packing.ZLIB),
        (gzip.compress(b"x", mtime=0), Packing.GZIP),
        (b"x\x00", Packing.PLAIN),
        (b"<", Packing.PLAIN),
        (b"", Packing.PLAIN),
    ],
)
def test_packing_is_seen_from_the_first_bytes(body: bytes, packing: Packing) -> None:
    assert packing_of(body) is packing


def test_what_is_no_object_is_xml() -> None:
    assert (form_of(b' \n{"a":1}'), form_of(b"<a/>"), form_of(b"")) == (Form.JSON, Form.XML, Form.XML)


def told(answer: Answer) -> tuple[str, bytes]:
    fields = dict(answer.start["headers"])
    return fields[b"content-type"].decode(), answer.body["body"]


@pytest.mark.parametrize(
    ("packing", "content_type", "unpack"),
    [
        (Packing.ZLIB, "application/x-compress-zlib", zlib.decompress),
        (Packing.GZIP, "application/x-compress-gzip", gzip.decompress),
        (Packing.PLAIN, "application/xml", bytes),
    ],
)
def test_an_answer_is_packed_as_the_question_was(packing: Packing, content_type: str, unpack: object) -> None:
    assert callable(unpack)
    named, body = told(agent_answers.prolog(packing))

    assert named == content_type
    assert b"<PROLOG_FREQ>24</PROLOG_FREQ><RESPONSE>SEND</RESPONSE>" in unpack(body)


def test_zlib_begins_as_agents_look_for_it() -> None:
    _, body = told(agent_answers.accepted(Form.XML, Packing.ZLIB))

    assert body.startswith(b"\x78\x9c")


def test_a_contact_is_asked_for_an_inventory_without_what_may_hold_secrets() -> None:
    named, body = told(agent_answers.contact(Packing.PLAIN))

    answer = json.loads(body)
    assert named == "application/json"
    assert (answer["status"], answer["expiration"]) == ("ok", 24)
    assert answer["tasks"]["inventory"]["no-category"] == "process,environment"
    assert "inventory" not in answer["disabled"]
