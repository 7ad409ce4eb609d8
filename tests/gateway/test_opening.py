"""How many deliveries are opened at once: by the events in those before, so that no batch fills the memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import pytest

from chassis.batch import Record
from chassis.portions import TooMuch
from contracts.events import rmm
from contracts.ids import EventId
from contracts.raw import RawDelivery
from services.gateway.keys.bodies import Bodies
from services.gateway.translation.opening import Opening
from services.gateway.vendors.translation import Said, Translation
from tests.builders import NOON


class Clear:
    """Bodies that are not sealed."""

    async def load(self, _headers: Sequence[Any]) -> None:
        """Fetch nothing."""

    def open(self, delivery: RawDelivery) -> RawDelivery:
        return delivery


@dataclass(frozen=True)
class Raw:
    """One record, as far as it matters here: how many events it has."""

    events: int
    headers: tuple[()] = field(default=())


def told(delivery: RawDelivery) -> Translation:
    events = cast("Raw", delivery).events
    said = Said(id=EventId(uuid4()), time=NOON, event=rmm.DeviceOnline(device="d"))
    return Translation(said=[said] * events)


def opening() -> Opening:
    return Opening(cast("Bodies", Clear()), told, events_at_once=100)


async def opened(door: Opening, records: Sequence[Raw]) -> None:
    await door.prepare(cast("Sequence[Record]", records))
    for each in records:
        door.translated(cast("RawDelivery", each))


async def in_portions(door: Opening, records: Sequence[Raw]) -> list[int]:
    """Open the records as a consumer does, which halves a batch that is refused; return how many events each had."""
    try:
        await opened(door, records)
    except TooMuch:
        half = len(records) // 2
        return [*await in_portions(door, records[:half]), *await in_portions(door, records[half:])]
    return [sum(each.events for each in records)]


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([Raw(1)] * 400, id="webhooks of one event"),
        pytest.param([Raw(20)] * 100, id="bodies of many"),
        pytest.param([Raw(1)] * 300 + [Raw(20)] * 100, id="bodies of many after a quiet time"),
        pytest.param([Raw(0)] * 300 + [Raw(1000)] * 3, id="a few large ones after nothing"),
    ],
)
async def test_no_batch_has_many_more_events_than_it_may(records: list[Raw]) -> None:
    portions = await in_portions(opening(), records)

    assert sum(portions) == sum(each.events for each in records)
    assert max(portions) <= 200 + max(each.events for each in records)


async def test_webhooks_of_one_event_go_by_the_hundred_soon() -> None:
    door = opening()
    await in_portions(door, [Raw(1)] * 1_000)

    assert await in_portions(door, [Raw(1)] * 90) == [90]
