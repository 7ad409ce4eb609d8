"""What we said and did on one ticket of Request Tracker, as its history tells it. Pure.

RT has no change of a status with a note in it that an `If-Match` guards, so we say the note and then set the status. An
act counts as done only when both are there; one that was broken off between them is taken up where it stopped.
"""

import re
from dataclasses import dataclass
from typing import Final

from services.ticketing.records import Act

_MARKER: Final = re.compile(r"\[(\S+)\]\s*\Z")
_STATUS_ACTS: Final = frozenset({Act.RESOLVE, Act.REOPEN})


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `status` is what it was set to, where `kind` is `Status`."""

    number: int
    kind: str
    subject: str
    status: str

    @property
    def marker(self) -> str | None:
        """Return the marker of a note of ours."""
        found = _MARKER.search(self.subject) if self.kind != "Status" else None
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class History:
    """Our own lines, oldest first, beside the statuses that count as closed."""

    lines: tuple[Line, ...]
    closed: frozenset[str]

    @property
    def markers(self) -> frozenset[str]:
        """Return the markers of all notes, also of acts that were broken off after their note."""
        return frozenset(each.marker for each in self.lines if each.marker is not None)

    def is_done(self, marker: str) -> bool:
        """Return whether the act with this marker was carried out to its end."""
        return any(each.marker == marker and self._was_followed(each) for each in self.lines)

    def last_done(self, key: str) -> str | None:
        """Return the marker of our newest act on the ticket with our `key`; notes about merges are none."""
        acts = [each for each in self.lines if each.marker is not None and each.marker.startswith(f"{key}/")]
        done = [each for each in acts if each.marker and "/merged" not in each.marker and self._was_followed(each)]
        return max(done, key=lambda each: each.number).marker if done else None

    def _was_followed(self, note: Line) -> bool:
        """Return whether the status that the note speaks of was set after it; other notes speak of none."""
        act = (note.marker or "").split("/")[2:3]
        if not act or act[0] not in _STATUS_ACTS:
            return True
        closes = act[0] == Act.RESOLVE
        return any(
            each.kind == "Status" and each.number > note.number and (each.status in self.closed) == closes
            for each in self.lines
        )
