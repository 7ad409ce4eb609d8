"""The published contract says what the code does: topics, types, headers, keys; and it keeps the specification."""

import ast
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

import contracts
from checks.asyncapi import NotFetched, published_schema, violations
from contracts import asyncapi, channels, topics
from contracts.asyncapi_messages import HEADERS
from contracts.events import ALL, BY_TYPE
from contracts.topics import Topic

ROOT = Path(contracts.__file__).parents[1]
EXAMPLES = sorted((ROOT / "contracts" / "examples").glob("*.json"))
SERVICES = ("gateway", "inventory", "compliance", "ticketing")
TOPIC_BY_CONSTANT = {name: value for name, value in vars(topics).items() if isinstance(value, Topic)}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi.document()


@pytest.fixture(scope="module")
def specification() -> dict[str, Any]:
    try:
        return published_schema()
    except NotFetched as error:
        pytest.skip(f"the published schema of AsyncAPI 3 cannot be had here: {error}")


def test_the_committed_document_is_that_of_topics_and_events() -> None:
    assert asyncapi.problems() == []


def test_it_keeps_the_schema_that_the_specification_publishes(specification: dict[str, Any]) -> None:
    assert violations(json.loads(asyncapi.FILE.read_text()), specification) == []


@pytest.mark.parametrize(
    "spoilt",
    [
        ("operations", "inventory.sends.inventory.assets", "action"),
        ("channels", "rmm.events", "bindings", "kafka", "partitions"),
    ],
    ids=lambda path: path[-1],
)
def test_a_document_that_breaks_the_specification_is_found(
    document: dict[str, Any], specification: dict[str, Any], spoilt: tuple[str, ...]
) -> None:
    broken = copy.deepcopy(document)
    part = broken
    for step in spoilt[:-1]:
        part = part[step]
    part[spoilt[-1]] = "sometimes"

    assert any("/".join(spoilt[:2]) in each for each in violations(broken, specification))


def test_every_topic_is_a_channel_with_its_partitions_and_cleanup(document: dict[str, Any]) -> None:
    for topic in topics.DECLARED:
        binding = document["channels"][topic.name]["bindings"]["kafka"]
        assert binding["partitions"] == topic.partitions
        assert binding["topicConfiguration"]["cleanup.policy"] == [topic.cleanup]
    letters = document["channels"][asyncapi.DEAD_LETTERS]
    addresses = {letters["address"].format(topic=name) for name in letters["parameters"]["topic"]["enum"]}
    assert addresses == {topic.name for topic in topics.dead_letter_topics()}


def test_every_event_travels_on_a_topic_and_every_topic_in_use_carries_something() -> None:
    assert [event.TYPE for event in ALL if not channels.topics_of(event)] == []
    in_use = set(topics.DECLARED) - channels.UNUSED - channels.RAW
    assert [topic.name for topic in in_use if not channels.events_of(topic)] == []
    assert [topic.name for topic in channels.UNUSED if channels.events_of(topic)] == []


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_has_the_headers_and_the_value_that_its_message_declares(
    file: Path, document: dict[str, Any]
) -> None:
    example = json.loads(file.read_text())
    message = document["components"]["messages"][file.stem]
    payload = message["payload"]
    schema = payload if "$ref" not in payload else json.loads((asyncapi.FILE.parent / payload["$ref"]).read_text())

    own = message["headers"]["allOf"][1]

    assert list(Draft7Validator(HEADERS).iter_errors(example["headers"])) == []
    assert list(Draft7Validator(own).iter_errors(example["headers"])) == []
    assert list(Draft202012Validator(schema).iter_errors(example["value"])) == []


def test_every_reference_inside_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    references = _references(document)

    assert len(references) > len(BY_TYPE)
    for each in references:
        place, _, inside = each.partition("#")
        if place:
            assert (asyncapi.FILE.parent / place).exists(), each
            continue
        part: Any = document
        for step in inside.strip("/").split("/"):
            part = part[step]


def _references(part: Any) -> list[str]:
    if isinstance(part, list):
        return [each for item in part for each in _references(item)]
    if not isinstance(part, dict):
        return []
    own = [part["$ref"]] if "$ref" in part else []
    return own + [each for item in part.values() for each in _references(item)]


def _named_in(text: str) -> set[Topic]:
    """Return the topics that a module names: `topics.RMM_EVENTS`, or a constant that it imported from there."""
    names = {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    by_lane = {"RMM_EVENTS_BY_LANE": ("RMM_EVENTS", "RMM_EVENTS_BULK"), "RMM_RAW_BY_LANE": ("RMM_RAW", "RMM_RAW_BULK")}
    names |= {each for name in names for each in by_lane.get(name, ())}
    return {TOPIC_BY_CONSTANT[name] for name in names & TOPIC_BY_CONSTANT.keys()}


@pytest.mark.parametrize("service", SERVICES)
def test_who_receives_and_who_sends_is_what_the_services_name_in_their_code(
    service: str, document: dict[str, Any]
) -> None:
    named = {topic for file in (ROOT / "services" / service).rglob("*.py") for topic in _named_in(file.read_text())}
    declared = {
        topics.BY_NAME[each["channel"]["$ref"].removeprefix("#/channels/")]
        for name, each in document["operations"].items()
        if name.startswith(f"{service}.")
    }

    assert declared == named
