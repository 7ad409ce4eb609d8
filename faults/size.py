"""How much of each fault one run injects: to see that it works, for every day, or the whole of it."""

from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Size(StrEnum):
    """`make faults-quick` is for each change, `make faults` for each day, `make faults-full` for each release."""

    QUICK = "quick"
    ORDINARY = "ordinary"
    FULL = "full"

    def of(self, *, quick: T, ordinary: T, full: T) -> T:
        """Return what belongs to this size."""
        match self:
            case Size.QUICK:
                return quick
            case Size.ORDINARY:
                return ordinary
            case Size.FULL:
                return full

    def marked(self, text: str) -> str:
        """Return what a row is called: one that is smaller than in the full run says so."""
        return text if self is Size.FULL else f"{text} (reduced)"
