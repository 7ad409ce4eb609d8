"""One comparison of what is expected with what was found. Pure."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, TypeVar

K = TypeVar("K", bound=Hashable)

EXAMPLES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One comparison. `examples` say what is wrong, for people."""

    name: str
    expected: int
    found: int
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    examples: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Return whether nothing is lost, doubled or otherwise wrong."""
        return not (self.lost or self.doubled or self.wrong)


def compared(name: str, expected: Counter[K], found: Counter[K], show: Callable[[K], str]) -> Check:
    """Compare two multisets: what is expected and not there is lost, what is there beyond that is doubled."""
    lost, doubled = expected - found, found - expected
    return Check(
        name=name,
        expected=expected.total(),
        found=found.total(),
        lost=lost.total(),
        doubled=doubled.total(),
        examples=some([*(f"lost: {show(key)}" for key in lost), *(f"one too many: {show(key)}" for key in doubled)]),
    )


def with_wrong(check: Check, wrong: Sequence[str]) -> Check:
    """Return `check` with one thing wrong for each of these lines."""
    return replace(check, wrong=check.wrong + len(wrong), examples=some([*check.examples, *wrong]))


def some(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the first few of `lines`."""
    return tuple(islice(lines, EXAMPLES))
