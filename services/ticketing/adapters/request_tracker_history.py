"""What we said and did on one ticket of Request Tracker, as its history tells it. Pure.

RT has no change of a status with a note in it that an `If-Match` guards, so we say the note and then set the status. An
act counts as done only when both are there; one that was broken off between them is taken up where it stopped. Nor has
it a guarded note: one that met a person's closing was said to nobody, and what it tells opens the next ticket.
"""

import re
from dataclasses import dataclass
from typing import Final

from services.ticketing.records import Act

_MARKER: Final = re.compile(r"\[(\S+)\]\s*\Z")


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `status` is what it was set to, where `kind` is `Status`; `by` is whose line it is."""

    number: int
    kind: str
    subject: str
    status: str
    by: str

    @property
    def marker(self) -> str | None:
        """Return the marker of a note of ours."""
        found = _MARKER.search(self.subject) if self.kind != "Status" else None
        return found[1] if found else None


@dataclass(frozen=True, slots=True)
class History:
    """Our own notes and everyone's statuses, in their order, beside the statuses that count as closed."""

    lines: tuple[Line, ...]
    closed: frozenset[str]

    @property
    def markers(self) -> frozenset[str]:
        """Return the markers of all notes, also of acts that were broken off after their note."""
        return frozenset(each.marker for each in self.lines if each.marker is not None)

    def is_done(self, marker: str) -> bool:
        """Return whether the act with this marker was carried out to its end."""
        return any(each.marker == marker and self._has_taken_effect(each) for each in self.lines)

    def last_done(self, key: str) -> str | None:
        """Return the marker of our newest act on the ticket with our `key`; notes about merges are none."""
        notes = [(each, each.marker) for each in self.lines if each.marker is not None]
        acts = [(each, marker) for each, marker in notes if marker.startswith(f"{key}/") and "/merged" not in marker]
        done = [(each.number, marker) for each, marker in acts if self._has_taken_effect(each)]
        return max(done)[1] if done else None

    def _has_taken_effect(self, note: Line) -> bool:
        match (note.marker or "").split("/")[2:3]:
            case [Act.RESOLVE]:
                return self._was_followed(note, is_closed=True)
            case [Act.REOPEN]:
                return self._was_followed(note, is_closed=False)
            case [Act.APPEND]:
                return not self._was_late(note)
            case _:
                return True

    def _was_followed(self, note: Line, *, is_closed: bool) -> bool:
        """Return whether we set the status after the note that speaks of it."""
        after = [each for each in self.lines if each.kind == "Status" and each.number > note.number]
        return any(each.by == note.by and (each.status in self.closed) == is_closed for each in after)

    def _was_late(self, note: Line) -> bool:
        """Return whether the ticket was closed when the note came: it was said to nobody."""
        before = [each for each in self.lines if each.kind == "Status" and each.number < note.number]
        return bool(before) and max(before, key=lambda each: each.number).status in self.closed
