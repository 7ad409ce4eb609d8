"""Figures: the partition of a cell and its headline, how changes sum to it, and why nothing is ever blended. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Final, Literal, NamedTuple
from uuid import UUID

from contracts.events.event import OsFamily, Severity, Tier
from contracts.events.obligation import OUTSIDE_POPULATION, State

FORMULA: Final = "F-STRICT"
_TENTH: Final = Decimal("0.1")
_ALL: Final = Decimal("100.0")
_HIGHEST_OF_NOT_ALL: Final = Decimal("99.9")


class Cell(NamedTuple):
    """What a figure is about: one client, one operating system, one tier, one band of severity."""

    tenant_id: UUID
    os_family: OsFamily
    tier: Tier
    severity: Severity

    @property
    def key(self) -> str:
        """Return the record key on `compliance.figures`."""
        return f"{self.tenant_id}/{self.os_family}/{self.tier}/{self.severity}"


class Counted(NamedTuple):
    """As what an obligation counts: in one cell, in one state, by a person's word alone or not."""

    tenant_id: UUID
    os_family: OsFamily
    tier: Tier
    severity: Severity
    state: State
    is_attested: bool


Moves = dict[Counted, int]
"""How many obligations more, or fewer, count so."""


class Sum(NamedTuple):
    """How many obligations of a cell are in each state, how many by a person's word alone; or how many more or less."""

    counts: Mapping[State, int]
    attested: int = 0


NOTHING: Final = Sum({})


@dataclass(frozen=True, slots=True)
class Figure:
    """How many obligations are in each state, all thirteen named; `percent` is F-STRICT, `None` for none.

    `attested` of the verified ones are so by a person's word alone: shown apart, never as another kind of proof.
    """

    cell: Cell
    counts: Mapping[State, int]
    attested: int = 0

    @property
    def population(self) -> int:
        """Return the sum of the ten states of the partition."""
        return sum(count for state, count in self.counts.items() if state not in OUTSIDE_POPULATION)

    @property
    def percent(self) -> Decimal | None:
        """Return the headline."""
        return f_strict(self.counts[State.VERIFIED], self.population)


def f_strict(verified: int, population: int) -> Decimal | None:
    """Return verified / population in per cent, rounded down to 0.1; `None` for an empty population.

    100.0 only when exactly all are verified. Source: design section 5.
    """
    if population == 0:
        return None
    if verified == population:
        return _ALL
    return min((Decimal(100) * verified / population).quantize(_TENTH, ROUND_DOWN), _HIGHEST_OF_NOT_ALL)


def figure(cell: Cell, counts: Mapping[State, int], attested: int = 0) -> Figure:
    """Return the figure of a cell, with every state that it does not have as 0."""
    return Figure(cell, {state: counts.get(state, 0) for state in State}, attested)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What changed since the figures were last summed.

    `whole` has the cells whose obligations were counted, all at one moment, and `until` what had changed in them until
    then; `more` what changed otherwise: of cells in `whole` after that moment. `unasked` of them were counted only to
    see whether their sums are right.
    """

    unasked: Collection[Cell]
    whole: Mapping[Cell, Sum]
    until: Mapping[Cell, Sum]
    more: Mapping[Cell, Sum]

    @property
    def cells(self) -> list[Cell]:
        """Return every cell concerned, sorted."""
        return sorted({*self.whole, *self.more})


def summed(cell: Cell, before: Sum | None, taken: Taken) -> Figure:
    """Return the figure of a cell that stood at `before`; `None`: it had no obligation."""
    base = taken.whole.get(cell, before or NOTHING)
    now = plus(base, taken.more.get(cell, NOTHING))
    return figure(cell, now.counts, now.attested)


def plus(one: Sum, other: Sum) -> Sum:
    """Return both together."""
    counts = {state: one.counts.get(state, 0) + other.counts.get(state, 0) for state in State}
    return Sum(counts, one.attested + other.attested)


def drifted(before: Mapping[Cell, Sum], taken: Taken) -> list[Cell]:
    """Return the cells whose sums were others than their obligations, counted whole, come to."""
    return [
        cell
        for cell in sorted(taken.unasked)
        if plus(before[cell], taken.until.get(cell, NOTHING)) != plus(taken.whole[cell], NOTHING)
    ]


def is_other(figure: Figure, before: Sum | None) -> bool:
    """Return whether a figure is another than was published."""
    return before is None or before != (figure.counts, figure.attested)


def is_possible(figure: Figure) -> bool:
    """Return whether so many can be: no state has fewer than none."""
    return figure.attested >= 0 and all(count >= 0 for count in figure.counts.values())


@dataclass(frozen=True, slots=True)
class Refused:
    """A single figure over several cells of a kind that is never blended; the vector answers instead."""

    over: tuple[Literal["clients", "operating systems", "tiers"], ...]
    vector: tuple[Figure, ...]

    @property
    def why(self) -> str:
        """Return the sentence for the one who asked."""
        return f"one figure across {' and '.join(self.over)} says nothing about any of them; here is each"


@dataclass(frozen=True, slots=True)
class Single:
    """One figure for one client, one operating system and one tier; its bands of severity are added up."""

    population: int
    counts: Mapping[State, int]
    percent: Decimal | None
    attested: int = 0


def single_figure(figures: Sequence[Figure]) -> Single | Refused:
    """Return the one figure over `figures`, or a refusal where they differ in what is never blended.

    Source: design section 1, promise 5.
    """
    kinds: tuple[tuple[Literal["clients", "operating systems", "tiers"], int], ...] = (
        ("clients", len({each.cell.tenant_id for each in figures})),
        ("operating systems", len({each.cell.os_family for each in figures})),
        ("tiers", len({each.cell.tier for each in figures})),
    )
    over = tuple(kind for kind, number in kinds if number > 1)
    if over:
        return Refused(over, tuple(figures))
    counts = {state: sum(each.counts[state] for each in figures) for state in State}
    population = sum(each.population for each in figures)
    attested = sum(each.attested for each in figures)
    return Single(population, counts, f_strict(counts[State.VERIFIED], population), attested)
