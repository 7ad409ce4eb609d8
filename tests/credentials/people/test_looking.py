"""The loop of the parts for people: work at once, pauses, and one bad row that stops nothing."""

import asyncio

import pytest

from chassis.errors import MayWorkLater, NeverWorks
from chassis.health import Progress
from services.credentials.people import looking


@pytest.mark.parametrize(
    "error", [MayWorkLater("away"), NeverWorks("no"), KeyError("bug"), ConnectionError(), None], ids=repr
)
async def test_it_looks_again_whatever_happened(error: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LOOK_SECONDS", 0.001)
    monkeypatch.setattr(looking, "PAUSE_SECONDS", 0.001)
    stopping, looks = asyncio.Event(), 0

    async def look() -> int:
        nonlocal looks
        looks += 1
        if looks == 1 and error is not None:
            raise error
        if looks == 5:
            stopping.set()
        return looks % 2

    async with asyncio.timeout(5):
        await looking.looking(look, name="test", progress=Progress(), stopping=stopping)

    assert looks == 5
