"""Decision tables: which outcome follows from which points, and what follows when some are not known. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One decision table. `points` has the values of each from harmless to bad; `outcomes` from least to most urgent.

    `outcome_by_values` has every combination of values, in the order of `points`.
    """

    id: str
    title: str
    authority: str
    citation: str
    points: Mapping[str, Sequence[str]]
    outcomes: Sequence[str]
    outcome_by_values: Mapping[tuple[str, ...], str]

    def urgency(self, outcome: str) -> int:
        """Return how urgent an outcome of this table is: the more, the higher."""
        return list(self.outcomes).index(outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a table says. `outcome` takes every point in `unknown` at its worst, `at_best` at its best.

    `assumed` names the values with which the outcome is reached: those known, and the worst of the others.
    """

    table: str
    outcome: str
    at_best: str
    unknown: tuple[str, ...]
    assumed: Mapping[str, str]

    @property
    def is_certain(self) -> bool:
        """Return whether what is not known could not change it."""
        return self.outcome == self.at_best


def tree(document: Mapping[str, object]) -> Tree:
    """Return the table that a document describes.

    Raises:
        ValueError: a row is missing, double or unreadable; the text names it.
        TypeError: a part is no list or mapping.
    """
    points = {
        str(name): [str(each) for each in _listed(values)] for name, values in _mapped(document["points"]).items()
    }
    outcomes = [str(each) for each in _listed(document["outcomes"])]
    *leading, last = points.values()
    found: dict[tuple[str, ...], str] = {}
    for row in _listed(document["rows"]):
        before, _, after = str(row).partition("->")
        combination, said = tuple(before.split()), after.split()
        if len(said) != len(last):
            raise ValueError(f"{document['id']}: row {row!r} has {len(said)} outcomes, not {len(last)}")
        for value, outcome in zip(last, said, strict=True):
            if outcome not in outcomes or (*combination, value) in found:
                raise ValueError(f"{document['id']}: row {row!r} is double, or {outcome!r} is no outcome")
            found[(*combination, value)] = outcome
    if set(found) != set(product(*leading, last)):
        raise ValueError(f"{document['id']}: its rows are not all combinations of its points")
    return Tree(
        id=str(document["id"]),
        title=str(document["title"]),
        authority=str(document["authority"]),
        citation=str(document["citation"]),
        points=points,
        outcomes=outcomes,
        outcome_by_values=found,
    )


def _listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _mapped(value: object) -> dict[object, object]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no mapping")
    return value


def verdict(tree: Tree, known: Mapping[str, str | None]) -> Verdict:
    """Return what `tree` says of points of which some may not be known (`None`, or absent): the worst that they allow.

    Among equally urgent combinations the one with the worst values is named, so that a person sees what to find out.

    Raises:
        KeyError: a known value is none of the point's.
    """
    choices = [_choices(tree, name, known.get(name)) for name in tree.points]
    combinations = [*product(*choices)]
    urgency = {each: tree.urgency(tree.outcome_by_values[each]) for each in combinations}
    best = min(combinations, key=urgency.__getitem__)
    worst = max(reversed(combinations), key=urgency.__getitem__)
    return Verdict(
        table=tree.id,
        outcome=tree.outcome_by_values[worst],
        at_best=tree.outcome_by_values[best],
        unknown=tuple(name for name in tree.points if known.get(name) is None),
        assumed=dict(zip(tree.points, worst, strict=True)),
    )


def _choices(tree: Tree, name: str, value: str | None) -> Sequence[str]:
    if value is None:
        return tree.points[name]
    if value not in tree.points[name]:
        raise KeyError(f"{tree.id}: {name} is never {value!r}")
    return (value,)
