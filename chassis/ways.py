"""Several ways through one consumer: partitions of one poll side by side, so that Python and PostgreSQL both work.

Each way is a transaction of its own with partitions of its own, as if another process of the group had them (ADR 0050).
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final

from chassis.batch import Record

FEWEST: Final = 100
"""Fewer records are handled at once: a second commit would cost more than the waiting."""


def parted(records: Sequence[Record], ways: int) -> list[Sequence[Record]]:
    """Return the records in at most so many parts of about the same size, each partition whole and in order in one."""
    if ways == 1 or len(records) < FEWEST:
        return [records]
    by_partition: dict[tuple[str, int], int] = {}
    for record in records:
        place = record.topic, record.partition
        by_partition[place] = by_partition.get(place, 0) + 1
    way_of: dict[tuple[str, int], int] = {}
    filled = [0] * ways
    for place in sorted(by_partition, key=lambda each: (-by_partition[each], each)):
        way_of[place] = filled.index(min(filled))
        filled[way_of[place]] += by_partition[place]
    parts: list[list[Record]] = [[] for _ in range(ways)]
    for record in records:
        parts[way_of[record.topic, record.partition]].append(record)
    return [part for part in parts if part]


async def side_by_side(ways: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Let all of them come to their end, then raise what the first of them raised that raised anything."""
    for outcome in await asyncio.gather(*ways, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
