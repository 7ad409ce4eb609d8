"""The JSON Schemas of all events and the AsyncAPI document, generated from the models and topics, and committed.

`python -m contracts.schemas write` after changing an event or a topic; `make check` fails while what is committed
differs from its model or breaks a release.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from contracts import asyncapi
from contracts.compatibility import breaks
from contracts.events import ALL
from contracts.events.event import Event

CURRENT: Final = Path(__file__).parent / "schemas"
RELEASES: Final = Path(__file__).parent / "releases"


def schema_of(event: type[Event]) -> dict[str, Any]:
    """Return the schema of one event type. Source: JSON Schema 2020-12, as pydantic writes it."""
    schema = event.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:patchline:schema:{event.TYPE}",
        **schema,
    }


def written(schema: dict[str, Any]) -> str:
    """Return the committed form of a schema: stable, readable, with an end of line."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def problems() -> list[str]:
    """Return what is wrong with the committed schemas: stale, missing, left over, or breaking a release."""
    found: list[str] = []
    for event in ALL:
        file = CURRENT / f"{event.TYPE}.json"
        if not file.exists() or file.read_text() != written(schema_of(event)):
            found.append(f"{file.name}: differs from its model; run: python -m contracts.schemas write")
    known = {f"{event.TYPE}.json" for event in ALL}
    found += [f"{file.name}: no such event" for file in sorted(CURRENT.glob("*.json")) if file.name not in known]
    return found + _broken_releases()


def _broken_releases() -> list[str]:
    current = {event.TYPE: schema_of(event) for event in ALL}
    found: list[str] = []
    for file in sorted(RELEASES.glob("*/*.json")):
        release = f"{file.parent.name}/{file.stem}"
        if file.stem not in current:
            found.append(f"{release}: a released type may not go away")
        else:
            found += [f"{release}: {each}" for each in breaks(json.loads(file.read_text()), current[file.stem])]
    return found


def main(arguments: list[str]) -> int:
    """Write the schemas, freeze them as a release, or check them; return the exit code."""
    match arguments:
        case ["write"]:
            _write(CURRENT)
            asyncapi.FILE.write_text(asyncapi.written())
        case ["release", version]:
            _write(RELEASES / version)
        case ["check"]:
            found = problems() + asyncapi.problems()
            sys.stdout.write("".join(f"{problem}\n" for problem in found) or "schemas: as released and as modelled\n")
            return 1 if found else 0
        case _:
            sys.stderr.write("usage: python -m contracts.schemas write | check | release VERSION\n")
            return 2
    return 0


def _write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for event in ALL:
        (folder / f"{event.TYPE}.json").write_text(written(schema_of(event)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
