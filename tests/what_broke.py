"""What broke the test run itself is said last: a log that was cut keeps its end."""

from collections.abc import Callable
from typing import Final

LINES: Final = 20
"""The last of a traceback: where it was, and the error."""


class WhatBroke:
    """A pytest plugin. A process of tests that breaks makes its controller break too, and that is printed behind it."""

    def __init__(self, say: Callable[[str], object]) -> None:
        """Say it line by line to `say`."""
        self._say = say
        self._first: str | None = None

    def pytest_internalerror(self, excrepr: object) -> None:
        """Keep the first error: what follows it is its effect."""
        self._first = self._first or str(excrepr)

    def pytest_unconfigure(self) -> None:
        """Say the end of what was kept."""
        if self._first is not None:
            self._say("what broke first:")
            for line in self._first.splitlines()[-LINES:]:
                self._say(line)
