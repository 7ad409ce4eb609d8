"""How large a process is while events go through it: the largest it was, and how much each 100,000 events add."""

import statistics
from collections.abc import Sequence
from typing import Final

from bench.report import Figure, at_most

PER_EVENTS: Final = 100_000
WARM_UP_SHARE: Final = 0.2
"""Of the events, at the beginning: pools, caches and the allocator's own reserves are filled once."""

FEWEST_SAMPLES: Final = 3
MOST_MIB: Final = 200.0
MOST_SLOPE_MIB: Final = 1.0
"""What counts as no growth per 100,000 events: less than what two looks at an idle process differ by."""

FEWEST_EVENTS: Final = 500_000
"""Of fewer it cannot be told whether a process grows or is still warming up, so nothing is said of it."""


def figures(stage: str, sizes: Sequence[tuple[int, float]], *, of: str = "") -> list[Figure]:
    """Return the rows of a stage, of the process `of` that name; `sizes` are (events so far, MiB), in order."""
    behind = f", {of}" if of else ""
    heaviest = at_most(f"{stage}: largest resident memory{behind}", largest(sizes), "MiB", MOST_MIB)
    if sizes[-1][0] < FEWEST_EVENTS:
        return [heaviest]
    grown = f"{stage}: growth per {PER_EVENTS:,} events{behind}"
    return [heaviest, at_most(grown, slope(sizes), "MiB", MOST_SLOPE_MIB)]


def largest(sizes: Sequence[tuple[int, float]]) -> float:
    """Return the largest MiB; `sizes` are (events so far, MiB)."""
    return max(mib for _, mib in sizes)


def slope(sizes: Sequence[tuple[int, float]]) -> float:
    """Return by how many MiB 100,000 events make the process larger, by least squares over what follows the warm-up.

    Raises:
        ValueError: too few samples, or all at the same event.
    """
    first = WARM_UP_SHARE * max(events for events, _ in sizes)
    warm = [each for each in sizes if each[0] >= first]
    if len(warm) < FEWEST_SAMPLES:
        raise ValueError(f"{len(warm)} samples after the warm-up say nothing of growth")
    fitted = statistics.linear_regression([events / PER_EVENTS for events, _ in warm], [mib for _, mib in warm])
    return fitted.slope
