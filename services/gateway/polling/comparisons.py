"""How each vendor's readings are compared with the ones before. A new poller: its reader, its rules, a line here."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from contracts.events.event import Value
from services.gateway.polling import rules_datto, rules_poll
from services.gateway.polling.rules_collect import Collected, DeviceReading
from services.gateway.polling.rules_datto import DattoCollected, DattoReading
from services.gateway.polling.rules_snapshot import Change, Key, Known, Snapshot
from services.gateway.vendors import datto_reading, ninjaone_reading


class Collection(Protocol):
    """All rows of one poll. `unread` counts those that could not be understood."""

    @property
    def unread(self) -> int:
        """Return how many rows could not be understood."""
        ...


C = TypeVar("C")
R = TypeVar("R")
E = TypeVar("E", bound=Value)


@dataclass(frozen=True, slots=True)
class Comparison(Generic[C, R, E]):
    """The rules of one vendor: collected rows to readings that may differ, to changes, to raw records."""

    differing: Callable[[C, Mapping[Key, Known]], Iterator[tuple[R, list[Key]]]]
    change: Callable[[R, Sequence[Key], Mapping[Key, Snapshot], datetime], Change[E]]
    records: Callable[[Iterable[E], datetime, int], Iterator[bytes]]
    lost_webhooks: Callable[[Iterable[E]], int] = lambda _: 0
    """How many webhooks the vendor itself says failed, where it keeps account of them."""


NINJAONE: Final[Comparison[Collected, DeviceReading, ninjaone_reading.DeviceDifference]] = Comparison(
    differing=lambda collected, known: rules_poll.differing(collected.readings(), known),
    change=rules_poll.change,
    records=rules_poll.records,
)
DATTO: Final[Comparison[DattoCollected, DattoReading, datto_reading.DeviceDifference]] = Comparison(
    differing=lambda collected, known: rules_datto.differing(collected.readings(), known),
    change=rules_datto.change,
    records=rules_datto.records,
    lost_webhooks=rules_datto.lost_webhooks,
)

AnyComparison = Comparison[Any, Any, Any]
"""What one vendor's reader collects, only that vendor's rules are ever given."""

BY_VENDOR: Final[Mapping[str, AnyComparison]] = {"ninjaone": NINJAONE, "datto": DATTO}
