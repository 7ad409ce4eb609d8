"""Which cores are the stage's and which are those of the load, Kafka and PostgreSQL, where there are enough of both.

Below `FEWEST_CORES` nothing is pinned: with two, PostgreSQL's backend, its writers, Kafka and the load would share one
core while the stage's own stands idle whenever it waits for them, and the bound would be ours (ADR 0055).
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FEWEST_CORES: Final = 4


@dataclass(frozen=True, slots=True)
class Cores:
    """Two sets of cores by their numbers; both `None`: everybody runs where the kernel lets him."""

    stage: frozenset[int] | None
    around: frozenset[int] | None

    def __str__(self) -> str:
        """Return it in words, for the report of the machine."""
        if self.stage is None or self.around is None:
            return f"nothing is pinned: that needs {FEWEST_CORES} cores"
        return f"the stage on {len(self.stage)} cores, load, Kafka and PostgreSQL on {len(self.around)} others"


def shared_out(cores: Collection[int]) -> Cores:
    """Return half of the cores for the stage, the other half for what surrounds it; none where they are too few."""
    if len(cores) < FEWEST_CORES:
        return Cores(None, None)
    in_order = sorted(cores)
    middle = len(in_order) // 2
    return Cores(stage=frozenset(in_order[middle:]), around=frozenset(in_order[:middle]))


CORES: Final = shared_out(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else Cores(None, None)


@contextmanager
def running_on(cores: Collection[int] | None) -> Iterator[None]:
    """Keep this thread, and what it starts meanwhile, on these cores; `None` keeps nothing."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def keep(pid: int, cores: Collection[int] | None) -> None:
    """Keep a process, all its threads and what it has started on these cores, and what they start later with them."""
    if cores is None:
        return
    for each in (pid, *_started_by(pid)):
        for thread in Path(f"/proc/{each}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def _started_by(pid: int) -> Iterator[int]:
    """Yield all processes below one. Source: proc(5), task/*/children."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield int(child)
            yield from _started_by(int(child))
