"""Schemas are generated and committed, releases stay readable, every event has an example that decodes for ever."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

import contracts
from contracts import schemas
from contracts.compatibility import breaks
from contracts.envelope import decode
from contracts.events import ALL, BY_TYPE
from contracts.events.rmm import PatchInstallFailed

EXAMPLES = sorted((Path(contracts.__file__).parent / "examples").glob("*.json"))


def test_committed_schemas_are_those_of_the_models_and_break_no_release() -> None:
    assert schemas.problems() == []


def test_every_event_has_an_example() -> None:
    assert {each.stem for each in EXAMPLES} == set(BY_TYPE)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_an_example_decodes_for_ever(file: Path) -> None:
    example = json.loads(file.read_text())
    headers = [(name, value.encode()) for name, value in example["headers"].items()]
    value = None if example["value"] is None else json.dumps(example["value"]).encode()

    event = decode(headers, value)

    assert file.stem == event.data.TYPE
    if example["value"] is not None:
        assert json.loads(event.data.model_dump_json(exclude_none=True)) == example["value"]


def test_every_type_ends_in_a_major_version_and_is_declared_once() -> None:
    assert all(event.TYPE.rpartition(".v")[2].isdecimal() for event in ALL)
    assert len(BY_TYPE) == len(ALL)


def _changed(change: str) -> dict[str, Any]:
    schema = copy.deepcopy(schemas.schema_of(PatchInstallFailed))
    patch = schema["$defs"]["PatchRef"]
    match change:
        case "optional added":
            schema["properties"]["attempt"] = {"type": "integer"}
        case "nested optional added":
            patch["properties"]["bulletin"] = {"type": "string"}
        case "described":
            schema["description"] = "other words"
        case "required added":
            schema["properties"]["attempt"] = {"type": "integer"}
            schema["required"].append("attempt")
        case "removed":
            del schema["properties"]["code"]
        case "no longer required":
            schema["required"].remove("device")
        case "type changed":
            schema["properties"]["device"]["type"] = "integer"
        case "enum widened":
            schema["$defs"]["Severity"]["enum"].append("apocalyptic")
        case "nested narrowed":
            patch["properties"]["patch"]["maxLength"] = 10
    return schema


@pytest.mark.parametrize("change", ["optional added", "nested optional added", "described"])
def test_what_may_change_within_a_version(change: str) -> None:
    assert breaks(schemas.schema_of(PatchInstallFailed), _changed(change)) == []


@pytest.mark.parametrize(
    "change",
    ["required added", "removed", "no longer required", "type changed", "enum widened", "nested narrowed"],
)
def test_what_needs_a_new_version(change: str) -> None:
    assert breaks(schemas.schema_of(PatchInstallFailed), _changed(change)) != []


ADDED_FOR_MERGES = {
    "asset.changed.v1": {"members"},
    "asset.removed.v1": {"merged_into"},
    "obligation.state_changed.v1": {"continues_on", "continues_as"},
    "patch.uncatalogued_failure_changed.v1": {"continues_on", "continues_failing"},
}


@pytest.mark.parametrize("type_", ADDED_FOR_MERGES)
def test_readers_that_know_nothing_of_merged_assets_read_on(type_: str) -> None:
    now = schemas.schema_of(BY_TYPE[type_])
    before = copy.deepcopy(now)
    for name in ADDED_FOR_MERGES[type_]:
        del before["properties"][name]

    assert breaks(before, now) == []
    assert not ADDED_FOR_MERGES[type_] & set(now.get("required", ()))
