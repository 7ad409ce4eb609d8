"""Which faults there are: each has a name to ask for, a sentence, and the function that does it to a running world."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from faults import companions, kills, parts, restore, tracker
from faults.input import knocking
from faults.report import Injured
from faults.world import World

Injure = Callable[[World], Awaitable[Sequence[Injured]]]
"""Injects one kind of fault into a running world, waits until all is settled, judges, and returns what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault. One that is `alone` gets a world of its own, which goes away after it.

    `hindrance` says why it cannot be injected here, where that is nobody's fault; empty: it can.
    """

    name: str
    says: str
    injure: Injure
    alone: bool = False
    hindrance: Callable[[], str] = str


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(name="kills", says="kill -9 of every process, at random and at each labelled point", injure=kills.injure,
          alone=True),
    Fault(name="parts", says="Kafka and PostgreSQL stopped, killed and restarted, under load", injure=parts.injure),
    Fault(name="restore", says="the database restored to an older state; a topic deleted and made anew",
          injure=restore.injure),
    Fault(name="rebalances", says="second and third consumers come and go every few seconds",
          injure=companions.rebalances),
    Fault(name="versions", says="processes of the release before work beside those of this one",
          injure=companions.versions, hindrance=companions.no_history),
    Fault(name="tracker", says="the tracker's answers gone wrong, ticketing stopped past its leases, tickets planted",
          injure=tracker.injure, alone=True),
    Fault(name="input", says="ugly bodies at every door and every decoder", injure=knocking.injure, alone=True),
)  # fmt: skip


def chosen(names: Sequence[str]) -> list[Fault]:
    """Return the faults of these names, all of them where none is named, in the order in which they are injected.

    Raises:
        ValueError: there is no fault of such a name.
    """
    known = [fault.name for fault in FAULTS]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no fault is called {', '.join(unknown)}; there are: {', '.join(known)}")
    return [fault for fault in FAULTS if not names or fault.name in names]
