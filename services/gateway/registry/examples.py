"""Examples of what each vendor sends, or what was captured of it, and what our adapter makes of them today."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from contracts.events.event import Event
from contracts.ids import new_raw_id
from contracts.raw import Channel, RawDelivery
from services.gateway.registry.sources import source_id_of
from services.gateway.vendors.translation import Translation

FOLDER: Final = Path(__file__).parents[1] / "vendors" / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One body of a vendor. `becomes` is what is expected of it, as `Became` words it; `None`: nobody has said."""

    name: str
    channel: Channel
    body: bytes
    becomes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Became:
    """What an example became: its events in order, and all outcomes in words."""

    events: tuple[Event, ...]
    outcomes: tuple[str, ...]


def vendors() -> tuple[str, ...]:
    """Return the vendors of which there are examples."""
    return vendors_in(FOLDER)


def vendors_in(folder: Path) -> tuple[str, ...]:
    """Return the vendors of which there are examples in `folder`."""
    return tuple(sorted(file.stem for file in folder.glob("*.json")))


def examples_of(vendor: str, folder: Path = FOLDER) -> list[Example]:
    """Return the examples of a vendor; none where there are none."""
    file = folder / f"{vendor}.json"
    if vendor not in vendors_in(folder):
        return []
    return [
        Example(each["name"], each["channel"], _body(each), tuple(each["becomes"]))
        for each in json.loads(file.read_text())["examples"]
    ]


def captured(file: Path) -> list[Example]:
    """Return the bodies in a file that `patchline source capture` wrote; lines without one are left out.

    Raises:
        ValueError: it is no such file.
    """
    try:
        lines = [dict(json.loads(line)) for line in file.read_text().splitlines()]
        return [
            Example(f"{line['received']} {line['raw_id']}", line["channel"], _body(line))
            for line in lines
            if "text" in line or "base64" in line
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: not what `patchline source capture` writes") from error


def delivery_of(vendor: str, name: str, example: Example, received: datetime) -> RawDelivery:
    """Return the delivery that an example would be, had the source `name` sent it at `received`."""
    return RawDelivery(
        raw_id=new_raw_id(),
        vendor=vendor,
        source=source_id_of(vendor, name),
        received=received,
        channel=example.channel,
        body=example.body,
    )


def became(delivery: RawDelivery, translate: Callable[[RawDelivery], Translation]) -> Became:
    """Return what an adapter makes of one delivery: events first, then what is none, then problems."""
    translation = translate(delivery)
    events: tuple[Event, ...] = (
        *(each.event for each in translation.said),
        *(each.event for each in translation.tickets),
        *(each.event for each in translation.exposures),
    )
    return Became(events, (*(each.TYPE for each in events), *_beside_events(translation)))


def is_expected(example: Example, actual: Became) -> bool | None:
    """Return whether an example became what its file says. Of a problem the file tells the beginning."""
    if example.becomes is None:
        return None
    return len(actual.outcomes) == len(example.becomes) and all(
        got.startswith(wanted) if wanted.startswith("problem: ") else got == wanted
        for got, wanted in zip(actual.outcomes, example.becomes, strict=True)
    )


def _beside_events(translation: Translation) -> Iterator[str]:
    yield from (f"hint: {each.change}" for each in translation.hints)
    yield from (f"{'ignored' if each.is_known else 'unknown'}: {each.code}" for each in translation.unsaid)
    yield from (f"problem: {each}" for each in translation.problems)


def _body(example: dict[str, Any]) -> bytes:
    if "base64" in example:
        return base64.b64decode(example["base64"])
    if "text" in example:
        return str(example["text"]).encode()
    return json.dumps(example["body"], ensure_ascii=False).encode()
