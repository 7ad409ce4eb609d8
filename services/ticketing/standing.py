"""The newest word on a device in a matter, and which of two words holds. Pure."""

from datetime import datetime
from typing import NamedTuple


class Standing(NamedTuple):
    """The newest word on one device and matter. `received_at` and `occurred_at` are those of what it follows from.

    `None`: a release that did not keep them heard it.
    """

    sequence: int
    state: str
    received_at: datetime | None = None
    occurred_at: datetime | None = None

    def overturns(self, known: "Standing") -> bool:
        """Return whether this word, though it was heard before, holds against `known`, which is another.

        Whoever tells all of it once more, since its database is an older one, may part it into other words than before:
        a new one may stand before this one, and what this one said is forgotten. What follows from something that came
        in before `known` only tells the way there again.
        """
        mine, theirs = self.came, known.came
        return mine is not None and theirs is not None and mine >= theirs and self.state != known.state

    @property
    def came(self) -> tuple[datetime, datetime] | None:
        """Return when what it follows from came in, and when that was so; `None`: nobody kept it."""
        if self.received_at is None or self.occurred_at is None:
            return None
        return self.received_at, self.occurred_at
