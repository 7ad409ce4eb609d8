"""What is given to the decoders is bounded and always the same, and none is forgotten; what goes wrong is noticed."""

import json

import pytest
from hypothesis import given

from contracts.errors import UndecodableEvent
from contracts.events import BY_TYPE
from faults.input import corpus, trial
from faults.input.cases import near
from faults.input.decoders import Decoder
from faults.input.trial import Trial
from services.compliance.catalog.feeds.formats import READERS
from services.gateway import vendors
from services.gateway.exposures import rules_feeds
from services.gateway.vendors import exposure_feeds

EVERY = trial.chosen("")


def refusing(body: bytes) -> object:
    if body == b"declared":
        raise UndecodableEvent("as declared")
    return json.loads(body)["field"]


DECODER = Decoder(name="d", read=refusing, seeds=(b'{"field": 1}',), refuses=(UndecodableEvent,))


def test_only_an_error_that_is_not_declared_is_wrong() -> None:
    found = Trial()
    for body in (b'{"field": 1}', b"declared", b"{}"):
        with found.case(DECODER, body.decode()):
            DECODER.read(body)

    assert found.wrong == ["""d: {}: KeyError: "'field'\""""]
    assert found.cases == {"d": 3}


def test_no_adapter_feed_format_or_event_is_forgotten() -> None:
    names = {each.name for each in EVERY}

    assert {f"{vendor}, {channel}" for vendor, channel in vendors.adapters()} <= names
    assert {f"exposure/{vendor}, {channel}" for vendor, channel in exposure_feeds.ADAPTERS} <= names
    assert {f"redaction, {feed}" for feed in rules_feeds.RULES} <= names
    assert {f"catalog, {kind}" for kind in READERS} <= names
    assert {f"{type_}, value" for type_ in BY_TYPE} <= names


@pytest.mark.parametrize("decoder", EVERY, ids=lambda each: each.name)
def test_a_decoder_reads_the_true_bodies_it_begins_from(decoder: Decoder) -> None:
    found = Trial()
    for body in decoder.seeds:
        with found.case(decoder, "true"):
            decoder.read(body)

    assert found.wrong == []


def test_ugly_bodies_are_as_large_as_allowed_and_no_larger() -> None:
    large = {name: len(body) for name, body in corpus.bodies(50_000).items() if "bomb" not in name}

    assert max(large.values()) <= 50_000
    assert sum(size > 40_000 for size in large.values()) > 10


@given(body=near([b'{"a": {"b": [1, 2]}}', b"<a>text</a>"]))
def test_a_body_that_is_nearly_right_is_bytes_that_can_travel(body: bytes) -> None:
    assert isinstance(body, bytes)
