"""Two things at the same time, of which neither is wanted without the other."""

import asyncio

import pytest

from services.ticketing.side_by_side import side_by_side


async def test_neither_waits_for_the_other() -> None:
    begun = asyncio.Event()

    async def first() -> int:
        await begun.wait()
        return 1

    async def second() -> str:
        begun.set()
        return "two"

    assert await side_by_side(first(), second()) == (1, "two")


@pytest.mark.parametrize("failing", [0, 1], ids=["the first fails", "the second fails"])
async def test_where_one_fails_the_other_has_ended_and_the_failure_comes_as_it_is(failing: int) -> None:
    ended: list[str] = []

    async def fails() -> None:
        await asyncio.sleep(0)
        raise LookupError("gone")

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("the other")

    both = (goes_on(), fails()) if failing else (fails(), goes_on())
    with pytest.raises(LookupError, match="gone"):
        await side_by_side(*both)

    assert ended == ["the other"]


async def test_who_is_told_to_stop_takes_both_along() -> None:
    ended: list[str] = []

    async def goes_on(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await side_by_side(goes_on("first"), goes_on("second"))

    assert sorted(ended) == ["first", "second"]
