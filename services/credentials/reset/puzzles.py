"""Answers that nobody understands: asked for again a few times, because somebody between may have given them."""

from collections import Counter
from typing import Final
from uuid import UUID

from contracts.events.credential import CaseStep
from services.credentials.adapters.cloud import AnswerNotUnderstood
from services.credentials.reset.store_steps import Turn

MOST: Final = 6
PAUSE_SECONDS: Final = 10.0
"""With the pauses between them that is a minute: a vendor that changed its API still answers so."""


class Puzzles:
    """Counts them by step, as long as the process lives."""

    def __init__(self) -> None:
        """Have met none."""
        self._met: Counter[tuple[UUID, CaseStep]] = Counter()

    def is_worth_asking_again(self, turn: Turn, error: Exception) -> bool:
        """Return whether a step met such an answer, and not yet too often."""
        if not isinstance(error, AnswerNotUnderstood):
            return False
        self._met[turn.case, turn.step] += 1
        return self._met[turn.case, turn.step] < MOST
