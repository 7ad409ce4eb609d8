"""The published contract of the doors is what the doors do, and keeps the specification."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from chassis.clock import moved_clock
from chassis.health import HealthServer, Progress
from checks import openapi as check
from contracts.topics import RMM_RAW
from services.gateway import vendors
from services.gateway.door import openapi, openapi_routes
from services.gateway.door.accept import Door
from services.gateway.door.durable import Durable
from services.gateway.door.known_sources import KnownSources
from services.gateway.door.raw_writer import Limits, RawWriter
from services.gateway.door.rules_breaker import Breaker
from services.gateway.door.ways import Ways
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.keys.key_sealing import FILE
from services.gateway.keys.large_bodies import LargeBodies
from services.gateway.keys.sealing import SealingKey
from services.gateway.registry import examples
from services.gateway.registry.examples import Example
from services.gateway.rules_lanes import Rate
from tests.builders import NOON
from tests.gateway.doors import SOURCES
from tests.gateway.held import HeldBlobs
from tests.gateway.spooled import NO_DATABASE, running_spool

DOCUMENT = openapi.document()
OURS = examples.examples_of("patchline")


@pytest.fixture
async def door() -> Any:
    """A door behind which there is nothing: what it answers before it stores anything, it answers all the same."""
    keys = CurrentKeys({}, FILE)
    known = KnownSources(dsn="", sealing_key=SealingKey(b"k" * 32), keys=keys, refresh_seconds=1, progress=Progress())
    known.by_path = SOURCES
    async with running_spool(NO_DATABASE) as spool:
        writer = RawWriter(kafka="127.0.0.1:1", topic=RMM_RAW, progress=Progress(), limits=Limits())
        durable = Durable(writer=writer, spool=spool, breaker=Breaker())
        opened = Door(
            sources=known,
            ways=Ways(live=durable, bulk=durable, psa=durable, exposures=durable, rate=Rate(100, 100)),
            large=LargeBodies(HeldBlobs(), from_bytes=2**21),
            clock=moved_clock(0),
            trace_ratio=0,
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(opened), base_url="http://door") as client:
            yield client


def test_the_committed_document_is_that_of_the_doors_and_valid() -> None:
    assert check.problems() == []


def test_a_document_against_the_specification_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = openapi.document()
    del broken["info"]["title"]
    (tmp_path / "schemas").symlink_to(openapi.FILE.parent / "schemas")
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(broken))
    monkeypatch.setattr(openapi, "FILE", file)
    monkeypatch.setattr(openapi, "written", file.read_text)

    assert any("title" in each for each in check.problems())


def _paths() -> list[tuple[str, str]]:
    return [
        (route.method, route.path.format(vendor="nobody", source="none"))
        for route in openapi_routes.DOORS
        if route.proofs
    ]


@pytest.mark.parametrize(("method", "path"), _paths(), ids=str)
async def test_a_declared_path_is_one_of_the_door_and_its_refusal_is_the_declared_one(
    door: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await door.request(method, path, content=b"{}")

    [route] = [
        each
        for each in openapi_routes.DOORS
        if each.proofs and (each.method, each.path.format(vendor="nobody", source="none")) == (method, path)
    ]
    declared = DOCUMENT["paths"][route.path][method]["responses"][str(answer.status_code)]
    [content] = declared["content"].values()
    assert answer.status_code == 401
    assert answer.json() == content["example"]
    assert answer.headers["www-authenticate"] == declared["headers"]["www-authenticate"]["schema"]["const"]


@pytest.mark.parametrize(
    "path", ["/webhooks/rmm/a", "/webhooks/psa/a/b/bulk", "/webhooks/edr/a/b", "/agents/a"], ids=str
)
async def test_no_path_that_is_not_declared_is_one_of_the_door(door: httpx.AsyncClient, path: str) -> None:
    assert (await door.post(path, content=b"{}")).status_code == 404


async def test_a_body_over_the_declared_limit_is_refused_as_declared(door: httpx.AsyncClient) -> None:
    answer = await door.post("/webhooks/rmm/patchline/tests", content=b"x" * (2**20 + 1))

    declared = DOCUMENT["paths"]["/webhooks/rmm/{vendor}/{source}"]["post"]["responses"]["413"]
    assert answer.status_code == 413
    assert answer.json() == declared["content"][openapi.PROBLEM]["example"]


async def test_the_health_pages_are_those_that_every_process_has() -> None:
    pages = [path for path, page in DOCUMENT["paths"].items() if "servers" in page]
    server = HealthServer(Progress(), "127.0.0.1", 0)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(server._app), base_url="http://health") as client:
        codes = [(await client.get(path)).status_code for path in pages]

    assert codes == [200] * 3


def _validator() -> Draft202012Validator:
    files = sorted((openapi.FILE.parent / "schemas").glob("*.json"))
    registry: Registry[Any] = Registry().with_resources(
        [(f"file:///schemas/{each.name}", Resource.from_contents(json.loads(each.read_text()))) for each in files]
    )
    document = Resource.from_contents({"$schema": "https://json-schema.org/draft/2020-12/schema", **DOCUMENT})
    schema = {"anyOf": [{"$ref": f"file:///openapi.json#/components/schemas/{name}"} for name in ("Event", "Events")]}
    return Draft202012Validator(schema, registry=registry.with_resource("file:///openapi.json", document))


def _is_valid(example: Example) -> bool:
    try:
        return bool(_validator().is_valid(json.loads(example.body)))
    except ValueError:
        return False


def _is_taken(example: Example) -> bool:
    delivery = examples.delivery_of("patchline", "main", example, NOON)
    became = examples.became(delivery, partial(vendors.translated, by_vendor=vendors.adapters()))
    return all(outcome.endswith(".v1") for outcome in became.outcomes)


@pytest.mark.parametrize("example", OURS, ids=[each.name for each in OURS])
def test_the_schema_of_our_own_format_takes_what_the_adapter_takes(example: Example) -> None:
    assert _is_valid(example) or not _is_taken(example)


def test_and_not_what_it_refuses_for_its_shape() -> None:
    refused = [each.name for each in OURS if not _is_valid(each)]

    assert refused == [
        "many events at once, one of them wrong",
        "a type of a later release",
        "a template that encodes twice",
    ]
