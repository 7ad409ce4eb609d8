"""The page of the contract: everything is on it, it needs nothing from outside, and its links lead somewhere."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from contracts import topics
from contracts.events import ALL
from patchline.contract import page
from patchline.contract.commands import app
from patchline.contract.fields import fields_of
from patchline.contract.serving import served
from patchline.local import ports
from patchline.local.ports import PortTaken
from services.gateway.door.openapi_routes import DOORS

VOID = {"meta", "link", "input", "br"}


class Read(HTMLParser):
    """What a page holds: places, links, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.places += [given["id"] or ""] if "id" in given else []
        self.links += [given["href"] or ""] if tag == "a" else []
        self.loads += [value or "" for name, value in attrs if name == "src" or (tag == "link" and name == "href")]
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def text() -> str:
    return page.rendered()


@pytest.fixture(scope="module")
def read(text: str) -> Read:
    return Read(text)


def test_every_topic_event_and_door_is_on_it(text: str) -> None:
    for name in (*(topic.name for topic in topics.DECLARED), *(event.TYPE for event in ALL)):
        assert f"<h3>{name}</h3>" in text
    for route in DOORS:
        assert f"<code>{route.path}</code>" in text


def test_it_loads_nothing_and_is_whole(text: str, read: Read) -> None:
    assert set(read.loads) == {"data:,"}
    assert "@import" not in text
    assert not re.search(r"url\(|fetch\(|https?://", re.sub(r"http://127\.0\.0\.1:\d+", "", _without_examples(text)))
    assert read.open == []
    assert len(read.places) == len(set(read.places))


def _without_examples(text: str) -> str:
    return re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)


def test_its_links_lead_to_places_on_it_or_to_files_beside_it(read: Read, tmp_path: Path) -> None:
    page.write(tmp_path)

    inside = {link.removeprefix("#") for link in read.links if link.startswith("#")}
    beside = {link for link in read.links if not link.startswith("#")}
    assert inside <= set(read.places)
    assert {link for link in beside if not (tmp_path / link).is_file()} == set()
    assert {"asyncapi.json", "openapi.json"} <= beside


def test_what_a_document_says_is_text_and_never_markup() -> None:
    assert str(page.marked("<b>bold</b> and `a<b`")) == "&lt;b&gt;bold&lt;/b&gt; and <code>a&lt;b</code>"


def test_writing_it_again_over_itself_changes_nothing(tmp_path: Path) -> None:
    first = page.write(tmp_path).read_text()

    assert page.write(tmp_path).read_text() == first


@pytest.mark.parametrize(
    ("schema", "row"),
    [
        ({"type": "string", "maxLength": 5}, ("a", "text, at most 5 characters", ())),
        ({"type": "string", "format": "date-time"}, ("a", "moment", ())),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, ("a", "whole number, at least 1", ())),
        ({"$ref": "#/$defs/Word"}, ("a", "one of", ("x", "y"))),
        ({"type": "array", "items": {"$ref": "#/$defs/Word"}}, ("a[]", "one of", ("x", "y"))),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, ("a", "map", ())),
        ({"const": "1.0"}, ("a", '"1.0"', ())),
        ({}, ("a", "anything", ())),
    ],
    ids=["text", "moment", "or nothing", "referred to", "list", "map", "constant", "anything"],
)
def test_a_field_in_words(schema: dict[str, Any], row: tuple[str, str, tuple[str, ...]]) -> None:
    whole = {"$defs": {"Word": {"enum": ["x", "y"]}}, "properties": {"a": schema}, "required": ["a"]}

    [field] = fields_of(whole)

    assert (field.path, field.kind, field.choices) == row
    assert field.is_needed


def test_nested_fields_stand_under_their_whole_path() -> None:
    part = {"type": "object", "properties": {"b": {"type": "string"}}}
    schema = {"properties": {"one": part, "many": {"type": "array", "items": part}}}

    assert [field.path for field in fields_of(schema)] == ["one", "one.b", "many[]", "many[].b"]


def test_it_is_served_on_this_machine_with_its_files() -> None:
    with served(0) as url:
        assert "Patchline: the contract" in httpx.get(url, trust_env=False).text
        assert httpx.get(f"{url}asyncapi.json", trust_env=False).json()["asyncapi"] == "3.0.0"
        port = int(url.rstrip("/").rpartition(":")[2])
        with pytest.raises(PortTaken, match="PATCHLINE_CONTRACT_PORT"), served(port):
            pass
    assert not ports.is_open(port)


def test_typed_it_is_written_where_it_was_asked_for(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["page", "--out", str(tmp_path / "deep" / "er"), "--json"])

    [row] = json.loads(result.stdout)
    assert Path(row["page"]).stat().st_size == row["bytes"]


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert CliRunner().invoke(app, ["page", "--out", str(tmp_path / "file")]).exit_code == 2
