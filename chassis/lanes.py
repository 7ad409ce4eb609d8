"""Live and bulk: what their consumer groups are called, and which of them a process serves."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, TypeVar

T = TypeVar("T")

BULK_SHARE: Final = 0.1
"""How much of the time bulk works while live work is going on beside it."""

_BULK: Final = "-bulk"


def bulk_group(group: str) -> str:
    """Return the consumer group of the bulk lane beside `group`."""
    return group + _BULK


def is_bulk(group: str) -> bool:
    """Return whether a consumer group is one of the bulk lane."""
    return group.endswith(_BULK)


def group_of_both(group: str) -> str:
    """Return the name that a group has in common with the one of its other lane."""
    return group.removesuffix(_BULK)


class Lanes(StrEnum):
    """Which lanes a process serves; several deployments of one command may share them out."""

    BOTH = "both"
    LIVE = "live"
    BULK = "bulk"

    def served(self, live: Sequence[T], bulk: Sequence[T]) -> list[T]:
        """Return what a process runs of `live` and `bulk`.

        What has no lane belongs to live, the relay too: a relay of bulk alone might take the shards from it, and would
        not be woken by its commits.
        """
        return [*(live if self is not Lanes.BULK else ()), *(bulk if self is not Lanes.LIVE else ())]
