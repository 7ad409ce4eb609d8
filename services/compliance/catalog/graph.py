"""Who supersedes whom, all the way up: worked out once, so that a look-up is a look into a table. Pure.

Source: the real graph of Windows has chains of 90 and KBs with several successors (security-only and monthly lines), so
nothing here calls itself, and each set is made once from the sets of its direct successors.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

NONE: Final[frozenset[str]] = frozenset()
SHOWN: Final = 10


class SupersedesItself(ValueError):
    """A circle: the text names the patches on it."""


class Supersedence:
    """What satisfies what. `edges` are (newer, older): the newer one brings everything that the older one brought."""

    def __init__(self, edges: Iterable[tuple[str, str]]) -> None:
        """Work out the sets.

        Raises:
            SupersedesItself: a patch leads back to itself; the patches of the circle are named.
        """
        newer_of: dict[str, set[str]] = {}
        older_of: dict[str, set[str]] = {}
        for newer, older in edges:
            newer_of.setdefault(older, set()).add(newer)
            newer_of.setdefault(newer, set())
            older_of.setdefault(newer, set()).add(older)
        self._newer_of = newer_of
        self._older_of = older_of
        self._above = self._closures()

    @property
    def superseders(self) -> Mapping[str, frozenset[str]]:
        """Return, by patch, all that supersede it, directly or over others."""
        return MappingProxyType(self._above)

    def satisfied_by(self, patch: str) -> frozenset[str]:
        """Return all patches that satisfy a need for `patch`, itself among them."""
        return self._above.get(patch, NONE) | {patch}

    def successors(self, patch: str) -> frozenset[str]:
        """Return the patches that supersede it directly: more than one where lines part."""
        return frozenset(self._newer_of.get(patch, NONE))

    def predecessors(self, patch: str) -> frozenset[str]:
        """Return the patches that it supersedes directly."""
        return frozenset(self._older_of.get(patch, NONE))

    @property
    def depth(self) -> int:
        """Return how many patches the longest chain has."""
        longest: dict[str, int] = {}
        for patch in self._from_newest():
            longest[patch] = 1 + max((longest[each] for each in self._newer_of[patch]), default=0)
        return max(longest.values(), default=0)

    def _closures(self) -> dict[str, frozenset[str]]:
        above: dict[str, frozenset[str]] = {}
        for patch in self._from_newest():
            direct = self._newer_of[patch]
            above[patch] = frozenset(direct).union(*(above[each] for each in direct))
        return above

    def _from_newest(self) -> list[str]:
        """Return all patches, each after everything that supersedes it directly."""
        waiting_for = {patch: len(newer) for patch, newer in self._newer_of.items()}
        ready = sorted(patch for patch, count in waiting_for.items() if not count)
        ordered: list[str] = []
        while ready:
            patch = ready.pop()
            ordered.append(patch)
            for older in self._older_of.get(patch, NONE):
                waiting_for[older] -= 1
                if not waiting_for[older]:
                    ready.append(older)
        if len(ordered) < len(waiting_for):
            raise SupersedesItself(self._circle(set(waiting_for) - set(ordered)))
        return ordered

    def _circle(self, stuck: set[str]) -> str:
        """Return one circle among `stuck`, in words. Each of them has a successor among them."""
        path = [min(stuck)]
        while path.count(path[-1]) == 1:
            path.append(min(self._newer_of[path[-1]] & stuck))
        circle = path[path.index(path[-1]) :]
        names = [*circle[:SHOWN], "…", circle[-1]] if len(circle) > SHOWN else circle
        return f"a patch supersedes itself: {' ← '.join(names)}"
