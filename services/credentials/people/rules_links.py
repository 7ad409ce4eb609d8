"""How a link names its person, and how long a mail that was not taken waits. Pure."""

from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

SHORTEST: Final = timedelta(seconds=5)
LONGEST: Final = timedelta(minutes=10)


def approver_digest(approver: UUID) -> str:
    """Return what stands for a person in a link: SHA-256 of their id, in hex."""
    return sha256(str(approver).encode()).hexdigest()


def pause(attempts: int) -> timedelta:
    """Return how long to leave a mail alone after so many attempts: twice as long each time, ten minutes at most."""
    return min(SHORTEST * (1 << min(max(attempts - 1, 0), 10)), LONGEST)
