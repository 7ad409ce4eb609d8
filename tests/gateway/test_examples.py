"""Each adapter makes of its vendor's examples what their file says, and each says how it was confirmed."""

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from services.gateway import vendors
from services.gateway.registry import examples
from services.gateway.registry.examples import Example
from services.gateway.vendors.confirmation import Basis

NOW = datetime(2026, 11, 10, 18, 5, tzinfo=UTC)
ALL = [(vendor, example) for vendor in examples.vendors() for example in examples.examples_of(vendor)]
ADAPTERS = vendors.adapters()
RMM_PAGES = Path(__file__).parents[2] / "docs" / "rmm"


@pytest.mark.parametrize(("vendor", "example"), ALL, ids=[f"{vendor}: {each.name}" for vendor, each in ALL])
def test_an_example_becomes_what_its_file_says(vendor: str, example: Example) -> None:
    delivery = examples.delivery_of(vendor, "main", example, NOW)

    became = examples.became(delivery, partial(vendors.translated, by_vendor=ADAPTERS))

    assert became.outcomes == example.becomes or examples.is_expected(example, became), became.outcomes


def test_an_example_that_becomes_something_else_is_noticed() -> None:
    [first, *_] = examples.examples_of("patchline")
    other = Example(first.name, first.channel, first.body, ("device.removed.v1",))

    became = examples.became(
        examples.delivery_of("patchline", "main", other, NOW), partial(vendors.translated, by_vendor=ADAPTERS)
    )

    assert examples.is_expected(first, became)
    assert not examples.is_expected(other, became)


def test_every_vendor_with_an_adapter_for_webhooks_has_examples() -> None:
    with_adapter = {vendor for vendor, channel in ADAPTERS if channel == "webhook"}

    assert with_adapter | {"patchline"} <= set(examples.vendors())


@pytest.mark.parametrize("vendor", examples.vendors())
def test_the_examples_of_a_vendor_have_names_of_their_own_and_say_where_their_fields_are_from(vendor: str) -> None:
    names = [each.name for each in examples.examples_of(vendor)]

    assert len(names) == len(set(names))
    assert json.loads((examples.FOLDER / f"{vendor}.json").read_text())["from"]


def test_every_adapter_says_how_it_was_confirmed_and_none_says_so_that_is_not_there() -> None:
    assert set(vendors.CONFIRMED) - {("patchline", "webhook")} == set(ADAPTERS)
    assert all(each.source for each in vendors.CONFIRMED.values())


def test_a_vendor_without_an_adapter_sends_our_format() -> None:
    [channel] = vendors.confirmations("tactical").values()

    assert channel.by is Basis.OWN_FORMAT
    assert vendors.told_confirmations("ninjaone")["poll"]["by"] == "vendor schema"


def test_captured_lines_are_read_and_those_without_a_body_left_out(tmp_path: Path) -> None:
    file = tmp_path / "captured.jsonl"
    about = {"received": "2026-11-10T18:05:00+00:00", "raw_id": "r", "channel": "webhook"}
    lines = [
        about | {"text": "{}"},
        about | {"base64": "eJw="},
        about | {"problem": "destroyed"},
        about | {"withheld": "x"},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))

    assert [each.body for each in examples.captured(file)] == [b"{}", b"\x78\x9c"]


@pytest.mark.parametrize("text", ["not JSON", "[7]", '{"text": "x"}', "7"], ids=["text", "no object", "half", "number"])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other"
    file.write_text(text)

    with pytest.raises(ValueError, match="source capture"):
        examples.captured(file)


@pytest.mark.parametrize("page", sorted(RMM_PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_the_page_of_an_rmm_says_how_each_channel_was_confirmed(page: Path) -> None:
    text = " ".join(page.read_text().split())

    assert f"`patchline source test {page.stem}` shows it" in text
    for channel, each in vendors.confirmations(page.stem).items():
        assert f"{channel}: **{each.by}**" in text
