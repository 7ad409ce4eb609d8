"""Which faults there are: each has a name to ask for, a sentence, and the function that does it to a running world."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from faults import (
    certificates,
    clocks,
    companions,
    crowded,
    directory,
    disks,
    kills,
    network,
    outside,
    pairs,
    parts,
    poison,
    promotion,
    restore,
    saga,
    torn,
    tracker,
    traffic,
)
from faults.input import knocking
from faults.report import Injured
from faults.size import Size
from faults.world import World
from simulators import lossy_network

Injure = Callable[[World], Awaitable[Sequence[Injured]]]
"""Injects one kind of fault into a running world, waits until all is settled, judges, and returns what it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One kind of fault. One that is `alone` gets a world of its own, which goes away after it.

    `runbook` is the heading in docs/runbook.md that tells what to do, for those of its rows that name none. What is
    `in_quick` belongs to the run of 90 seconds; what is `only_full` to the longest alone. `hindrance` says why it
    cannot be injected here, where that is nobody's fault; empty: it can.
    """

    name: str
    says: str
    injure: Injure
    runbook: str
    in_quick: bool = False
    only_full: bool = False
    alone: bool = False
    hindrance: Callable[[], str] = str


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(name="kills", says="kill -9 of every process, at random and at each labelled point", injure=kills.injure,
          runbook="Restart and upgrade", in_quick=True, alone=True),
    Fault(name="kafka", says="Kafka stopped, killed and restarted, under load", injure=parts.kafka,
          runbook="Kafka is down", in_quick=True),
    Fault(name="postgres", says="PostgreSQL stopped, killed and restarted, under load", injure=parts.postgres,
          runbook="PostgreSQL is down", in_quick=True),
    Fault(name="restore", says="the database restored to an older state; a topic deleted and made anew",
          injure=restore.injure, runbook="The database was restored to an older state"),
    Fault(name="rebalances", says="second and third consumers come and go every few seconds",
          injure=companions.rebalances, runbook="Restart and upgrade"),
    Fault(name="versions", says="processes of the release before work beside those of this one",
          injure=companions.versions, runbook="Restart and upgrade", hindrance=companions.no_history),
    Fault(name="torn", says="Kafka killed, its logs' tails torn", injure=torn.injure, runbook="Kafka is down"),
    Fault(name="certificates", says="the tracker's certificate expires, and is renewed", injure=certificates.injure,
          runbook="A certificate has expired"),
    Fault(name="crowded", says="PostgreSQL out of connections, deadlocks, transactions that cannot be serialised",
          injure=crowded.injure, runbook="PostgreSQL refuses"),
    Fault(name="disks", says="no room under PostgreSQL's data, and none under the spool while Kafka is away",
          injure=disks.injure, runbook="A disk is full", hindrance=disks.hindrance),
    Fault(name="promotion", says="PostgreSQL's primary killed, its replica promoted", injure=promotion.injure,
          runbook="A replica takes over"),
    Fault(name="network", says="the network to Kafka, PostgreSQL and the tracker cut, silent, reset, slow",
          injure=network.injure, runbook="The network is bad"),
    Fault(name="loss", says="the network to Kafka, PostgreSQL and the tracker loses packets", injure=network.lossy,
          runbook="The network is bad", hindrance=lossy_network.hindrance),
    Fault(name="tracker", says="the tracker's answers gone wrong, ticketing stopped past its leases, tickets planted",
          injure=tracker.injure,
          runbook="The tracker is down", in_quick=True, alone=True),
    Fault(name="outside", says="the tracker in one wrong way at a time: late, 429, nonsense, half-closed",
          injure=outside.injure, runbook="The tracker is down"),
    Fault(name="directory", says="identity providers in one wrong way at a time, while a breach is under way",
          injure=directory.injure, runbook="A directory is not read", alone=True),
    Fault(name="clocks", says="every clock an hour ahead, the tracker away, and back; one clock against the others",
          injure=clocks.injure, runbook="A clock is wrong"),
    Fault(name="poison", says="a record that nobody can read, of every kind, on every topic", injure=poison.injure,
          runbook="Dead letters", in_quick=True),
    Fault(name="saga", says="a breach while the credentials service dies at each step of a reset", injure=saga.injure,
          runbook="A case is parked", alone=True),
    Fault(name="traffic", says="each webhook ten times, webhooks in any order, webhooks that never come",
          injure=traffic.injure, runbook="Webhooks come twice, late or never", alone=True),
    Fault(name="input", says="ugly bodies at every door and every decoder", injure=knocking.injure,
          runbook="Dead letters", alone=True),
    *(Fault(name=each.name, says=f"at the same time: {each.says}", injure=each.injure, runbook=each.runbook,
            only_full=True) for each in pairs.PAIRS),
)  # fmt: skip


def chosen(names: Sequence[str], size: Size = Size.ORDINARY) -> list[Fault]:
    """Return the faults of these names, in the order in which they are injected; those of the size if none is named.

    Raises:
        ValueError: there is no fault of such a name.
    """
    known = [fault.name for fault in FAULTS]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no fault is called {', '.join(unknown)}; there are: {', '.join(known)}")
    return [fault for fault in FAULTS if fault.name in names or (not names and _belongs(fault, size))]


def _belongs(fault: Fault, size: Size) -> bool:
    return size.of(quick=fault.in_quick, ordinary=not fault.only_full, full=True)
