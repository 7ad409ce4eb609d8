"""Two tickets of one key: what each says when they are merged. Pure."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from services.ticketing.records import Note, Ticket, TicketRef, TicketState
from services.ticketing.rules_effects import chosen


class Merge(NamedTuple):
    """Which ticket is kept, and which others give way to it."""

    kept: TicketRef
    others: tuple[TicketRef, ...]


def merge_of(ticket: Ticket, refs: Sequence[TicketRef], merged: Collection[str]) -> Merge | None:
    """Return what to merge of `refs`, the tracker's tickets of one key, oldest first; `None`: nothing.

    Those in `merged` gave way before: a person who opens such a one again means it.
    """
    kept = chosen(refs, tracked=ticket.external, should_be_open=ticket.state is TicketState.OPEN)
    if kept is None:
        return None
    others = tuple(ref for ref in refs if ref.id != kept.id and ref.id not in merged)
    return Merge(kept, others) if others else None


def notes(key: str, *, kept: str, other: str) -> tuple[Note, Note]:
    """Return what `kept` says of `other`, and what `other` says of `kept`; each is said once."""
    on_kept = Note(
        marker=f"{key}/merged/{other}",
        text=f"Ticket {other} has the same key as this one, {key}. It was closed in favour of this one; what people "
        "wrote there is shown here too.",
    )
    on_other = Note(
        marker=f"{key}/merged-into/{kept}",
        text=f"Ticket {kept} has the same key as this one, {key}, and is the one that is kept up to date. This one is "
        f"closed in favour of {kept}; what people wrote here is shown there too. Whoever opens it again is left alone.",
    )
    return on_kept, on_other
