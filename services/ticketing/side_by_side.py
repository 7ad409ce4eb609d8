"""Two things at the same time, of which neither is wanted without the other."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def side_by_side(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B]) -> tuple[A, B]:
    """Return what both come to. Where one fails, the other is given up and has ended before the failure is raised."""
    both = asyncio.ensure_future(first), asyncio.ensure_future(second)
    try:
        one, other = await asyncio.gather(*both)
    finally:
        for each in both:
            each.cancel()
        await asyncio.wait(both)
    return one, other
