"""Merging two ConnectWise tickets: the kept one gets copies of the other one's notes, the other one is closed.

ConnectWise has a merge of its own; what its call must say is not confirmed, so it is not used. A note belongs to one
ticket: what people wrote is copied, once each, for the eyes that could see it before.
"""

from collections.abc import Mapping
from typing import Final

from services.ticketing.adapters import rules_connectwise as rules
from services.ticketing.adapters.connectwise_acts import Acts
from services.ticketing.adapters.connectwise_wire import Wire, Written
from services.ticketing.adapters.tracker import ChangedMeanwhile
from services.ticketing.records import Note, TicketRef

_NOBODY: Final = "someone"


async def take_over(acts: Acts, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
    """Copy to `kept` the notes that people wrote on `other`, and add a note, each once."""
    wire = acts.wire
    losing = await wire.notes(other.id)
    there = await _markers(wire, kept.id)
    for each in _by_people(wire, losing, key):
        marker = rules.copy_marker(key, other.id, each.id)
        if marker not in there:
            await acts.say(kept.id, Note(marker=marker, text=_copied(each, other.id)), flags=_flags(each))
    if note.marker not in there:
        await acts.say(kept.id, note)


async def give_way(acts: Acts, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
    """Say on `other` which ticket is kept, and close it, once; what people wrote must be on `kept` by now."""
    wire = acts.wire
    losing = await wire.notes(other.id)
    there = await _markers(wire, kept.id)
    if any(rules.copy_marker(key, other.id, each.id) not in there for each in _by_people(wire, losing, key)):
        raise ChangedMeanwhile(f"a person wrote on ticket {other.id} while it was merged into {kept.id}")
    if note.marker not in {wire.marker_of(each) for each in losing}:
        await acts.say(other.id, note)
    await acts.move(await wire.ticket(other.id), is_open=False)


async def _markers(wire: Wire, number: str) -> set[str | None]:
    return {wire.marker_of(each) for each in await wire.notes(number)}


def _by_people(wire: Wire, notes: list[Written], key: str) -> list[Written]:
    """Return the notes that are none of ours about this key."""
    markers = ((each, wire.marker_of(each)) for each in notes)
    return [each for each, marker in markers if marker is None or not marker.startswith(f"{key}/")]


def _copied(note: Written, number: str) -> str:
    when = f" on {note.date_created}" if note.date_created else ""
    return f"{note.created_by or _NOBODY} wrote{when} on ticket {number}:\n\n{note.text or ''}"


def _flags(note: Written) -> Mapping[str, bool]:
    """Return who sees a copy: those who see the note; a note that is of no kind at all is for technicians."""
    flags = {
        "detailDescriptionFlag": note.detail_description_flag,
        "internalAnalysisFlag": note.internal_analysis_flag,
        "resolutionFlag": note.resolution_flag,
    }
    return flags if any(flags.values()) else {"internalAnalysisFlag": True}
