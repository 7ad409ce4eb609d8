"""What is remembered of a cloud directory, and only for seconds."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

SECONDS: Final = 5.0
"""Before an account with power is acted upon, others of the same directory are read: they share one list of roles."""


class Briefly(Generic[Value]):
    """Something that belongs to all accounts and takes many calls to read: read anew after a few seconds."""

    def __init__(self, read: Callable[[], Awaitable[Value]]) -> None:
        """Know how it is read."""
        self._read = read
        self._kept: tuple[float, Value] | None = None

    async def value(self) -> Value:
        """Return it, never older than `SECONDS` when it began to be read.

        Raises:
            Refused, Unavailable: it cannot be read now; nothing older is used instead.
        """
        if self._kept is None or time.monotonic() - self._kept[0] > SECONDS:
            began = time.monotonic()
            self._kept = None
            self._kept = (began, await self._read())
        return self._kept[1]
