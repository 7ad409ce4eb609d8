"""What stands in a captured line, and what a named field loses."""

import base64
import json
from datetime import timedelta

import pytest

from patchline.capture.reading import topics_of
from patchline.capture.rules import REDACTED, line_of, line_of_unopened, span_of
from tests.builders import delivery

SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("1h", timedelta(hours=1)),
        ("2d", timedelta(days=2)),
        ("0h", None),
        ("1", None),
        ("1 h", None),
        ("-1h", None),
        ("1w", None),
    ],
)
def test_a_span_is_a_number_and_a_unit(text: str, span: timedelta | None) -> None:
    assert span_of(text) == span


def test_a_line_says_when_and_from_whom_and_holds_the_text_as_it_came() -> None:
    body = b'{"b": 1,   "a": "\xc3\xa4"}'
    given = delivery(body)

    line = line_of(given, "rmm.raw", ())

    assert line["text"].encode() == body
    assert line["received"] == given.received.isoformat()
    assert (line["raw_id"], line["source"], line["topic"]) == (str(given.raw_id), given.source, "rmm.raw")


def test_bytes_that_are_no_text_are_base64() -> None:
    line = line_of(delivery(b"\x78\x9c\xff"), "rmm.raw", ())

    assert base64.b64decode(line["base64"]) == b"\x78\x9c\xff"


@pytest.mark.parametrize(
    "body",
    [
        {"token": SECRET},
        {"Token": SECRET, "kept": "yes"},
        {"deep": [{"er": {"TOKEN": SECRET}}]},
        {"token": {"value": SECRET}},
        {"token": [SECRET]},
        {"inner": json.dumps({"token": SECRET})},
        {"url": f"https://rmm.example.com/x?token={SECRET}&page=2"},
        {"message": f"token: {SECRET}"},
        {"message": f"token: Bearer {SECRET}"},
        {"message": f'token="open {SECRET}"'},
        [{"token": SECRET}],
        f"token={SECRET}",
    ],
    ids=[
        "plain",
        "case",
        "deep",
        "object",
        "list",
        "JSON in JSON",
        "address",
        "prose",
        "two words",
        "quoted",
        "a list",
        "a string",
    ],
)
def test_a_named_field_loses_its_value_wherever_it_stands(body: object) -> None:
    line = line_of(delivery(json.dumps(body).encode()), "rmm.raw", ("token",))

    assert SECRET not in json.dumps(line)
    assert REDACTED in line["text"]


def test_its_neighbours_keep_theirs() -> None:
    line = line_of(
        delivery(b'{"token": "x", "tokens": 7, "device": "a", "on": true, "none": null}'), "rmm.raw", ("token",)
    )

    assert json.loads(line["text"]) == {"token": REDACTED, "tokens": 7, "device": "a", "on": True, "none": None}


@pytest.mark.parametrize(
    "body",
    [b'{"path": "C:\\Temp", "token": "x"}', b"<query><TOKEN>x</TOKEN></query>", b"\x78\x9c\xff"],
    ids=["broken JSON", "XML", "no text"],
)
def test_a_body_from_which_nothing_can_be_taken_safely_is_withheld_whole(body: bytes) -> None:
    line = line_of(delivery(body), "rmm.raw", ("token",))

    assert "--redact" in line["withheld"]
    assert not line.keys() & {"text", "base64"}


def test_a_body_that_is_not_json_and_has_no_such_field_is_kept() -> None:
    assert line_of(delivery(b"<query/>"), "rmm.raw", ("token",))["text"] == "<query/>"


def test_what_never_opens_has_a_reason_and_no_body() -> None:
    line = line_of_unopened(delivery(b"sealed"), "rmm.raw", "the key of its body was destroyed")

    assert line["problem"] == "the key of its body was destroyed"
    assert not line.keys() & {"text", "base64"}


@pytest.mark.parametrize(
    ("source_id", "topics"),
    [
        ("rmm/ninjaone/main", ["rmm.raw", "rmm.raw.bulk"]),
        ("psa/roundup/desk", ["psa.raw"]),
        ("exposure/spycloud/main", ["exposures.raw"]),
    ],
)
def test_where_the_deliveries_of_a_source_are(source_id: str, topics: list[str]) -> None:
    assert [each.name for each in topics_of(source_id)] == topics
