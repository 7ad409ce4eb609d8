"""The examples of each feed become, through redaction, what their file says; `source test` shows them without parts."""

import json
from pathlib import Path

import pytest

from services.gateway.registry import examples, trying
from services.gateway.vendors import exposure_feeds
from tests.gateway.typed import rows, source

FEEDS = examples.vendors_in(trying.FEEDS)
ALL = [(feed, example) for feed in FEEDS for example in examples.examples_of(feed, trying.FEEDS)]
PAGES = Path(__file__).parents[3] / "docs" / "exposures"


@pytest.mark.parametrize(("feed", "example"), ALL, ids=[f"{feed}: {each.name}" for feed, each in ALL])
def test_an_example_becomes_what_its_file_says(feed: str, example: examples.Example) -> None:
    became = trying.of(f"exposure/{feed}/main").became(example)

    assert examples.is_expected(example, became), became.outcomes
    assert "invented-Secret" not in repr(became)


def test_every_feed_that_delivers_has_examples() -> None:
    delivering = {feed for feed, channel in exposure_feeds.ADAPTERS if channel == "webhook"} - {"approval"}

    assert delivering <= set(FEEDS)
    assert all(json.loads((trying.FEEDS / f"{feed}.json").read_text())["from"] for feed in FEEDS)


@pytest.mark.parametrize("typed", ["spycloud", "exposure/patchline"])
def test_a_feed_is_tried_as_it_is_typed(typed: str) -> None:
    shown = rows(source("test", typed, "--json"))

    assert all(row["as_expected"] for row in shown)
    assert shown[0]["becomes"] == ["exposure.found.v1"]


def test_what_was_captured_behind_the_door_is_not_redacted_again(tmp_path: Path) -> None:
    file = tmp_path / "captured.jsonl"
    kept = json.dumps({"feed": "spycloud", "records": [{"login": "robin@acme.example"}], "unread": 0})
    line = {"received": "2026-11-10T18:05:00+00:00", "raw_id": "r", "channel": "webhook", "text": kept}
    file.write_text(json.dumps(line) + "\n")

    assert rows(source("test", "spycloud", "--captured", str(file), "--json"))[0]["becomes"] == ["exposure.found.v1"]


@pytest.mark.parametrize("feed", FEEDS)
def test_the_page_of_a_feed_says_how_each_channel_was_confirmed(feed: str) -> None:
    text = " ".join((PAGES / f"{feed}.md").read_text().split())
    typed = "exposure/patchline" if feed == "patchline" else feed

    assert f"`patchline source test {typed}` shows it" in text
    for channel, each in exposure_feeds.confirmations(feed).items():
        assert f"{channel}: **{each.by}**" in text
