"""Every record that the running product publishes is one that its contract promises; subscribers' lines read it."""

import asyncio
import json
from collections import Counter, defaultdict
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from jsonschema import Draft7Validator, Draft202012Validator

from contracts import asyncapi, channels, topics
from tests.docs.test_analysts import STATE, started
from tests.flow.world import World, until

MOST_OF_A_TYPE = 100
PUBLISHED = sorted({topic.name for topic in topics.DECLARED} - {topic.name for topic in channels.UNUSED})


async def _standing(kafka: str) -> dict[str, list[Any]]:
    """Return what is on each topic now."""
    found: dict[str, list[Any]] = defaultdict(list)
    async with AIOKafkaConsumer(*PUBLISHED, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        while batches := await consumer.getmany(timeout_ms=3000):
            for place, records in batches.items():
                found[place.topic] += records
    return found


@pytest.fixture(scope="module")
def standing(world: World) -> dict[str, list[Any]]:
    until("the source is believed", lambda: _is_believed(world), seconds=15)
    world.add_client("Contoso")
    world.enrol("contract01", client="Contoso")
    world.send("patch.install_failed", "contract01", client="Contoso", patch=world.patch(), code="0x800f0922")
    world.send("alert.raised", "contract01", client="Contoso", alert="a-1", kind="disk", severity="high")
    until("it is failed", lambda: world.state_of("contract01") == "FAILED", seconds=120)
    found: dict[str, list[Any]] = until("every topic has records", lambda: _with_tickets(world), seconds=120)
    return found


def _is_believed(world: World) -> bool:
    try:
        world.send("device.seen", "contract00")
    except AssertionError:
        return False
    return True


def _with_tickets(world: World) -> dict[str, list[Any]] | None:
    found = asyncio.run(_standing(world.stack.around.kafka))
    expected = {
        "rmm.raw",
        "rmm.events",
        "inventory.assets",
        "compliance.events",
        "compliance.figures",
        "tickets",
        "clients",
    }
    return found if expected <= found.keys() else None


def test_every_record_has_the_headers_and_the_value_of_a_message_of_its_channel(standing: dict[str, list[Any]]) -> None:
    document = json.loads(asyncapi.FILE.read_text())
    schema_of = {
        name: json.loads((asyncapi.FILE.parent / f"schemas/{name}.json").read_text()) for name in _types(document)
    }
    validators = {name: Draft202012Validator(schema) for name, schema in schema_of.items()}
    seen: Counter[str] = Counter()

    for topic, records in standing.items():
        messages = document["channels"][topic]["messages"]
        for record in records:
            headers = {name: value.decode() for name, value in record.headers}
            name = headers.get("ce_type", "raw.delivery")
            assert name in messages, f"{topic}: {name}"
            seen[name] += 1
            if seen[name] > MOST_OF_A_TYPE:
                continue
            assert _header_errors(document, name, headers) == []
            if name in validators and record.value is not None:
                assert [each.message for each in validators[name].iter_errors(json.loads(record.value))] == []
            assert (topic in {each.name for each in channels.SEQUENCED}) <= ("ce_sequence" in headers)
            assert (record.key is None) == (name == "raw.delivery")

    assert {"raw.delivery", "patch.install_failed.v1", "obligation.state_changed.v1", "ticket.opened.v1"} <= seen.keys()


def _types(document: dict[str, Any]) -> list[str]:
    return [name for name, each in document["components"]["messages"].items() if "$ref" in each["payload"]]


def _header_errors(document: dict[str, Any], name: str, headers: dict[str, str]) -> list[str]:
    own = document["components"]["messages"][name]["headers"]
    common = document["components"]["schemas"]["cloudEventHeaders"]
    schemas = [common, own["allOf"][1]] if "allOf" in own else [own]
    return [each.message for schema in schemas for each in Draft7Validator(schema).iter_errors(headers)]


def test_a_subscriber_reads_the_figures_with_the_lines_of_the_page(
    world: World, standing: dict[str, list[Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert standing["compliance.figures"]

    running = started(STATE, tmp_path_factory.mktemp("reports"), world.stack.around.kafka, "compliance.figures")
    output, _ = running.communicate(timeout=60)

    figures = json.loads(output).values()
    assert all(sum(each["counts"].values()) == each["population"] for each in figures)
    assert any(each["counts"].get("FAILED") for each in figures)
