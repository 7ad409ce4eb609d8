"""Merging two tickets of Request Tracker: what others said is repeated on the kept one, the other one refers to it.

RT's own merge is not used: it cannot be undone, afterwards the merged number answers with the kept ticket, and whoever
looks again cannot tell whether it was us (ADR 0028). Nothing is deleted and nobody gets mail: all of it is comments.
"""

import html
import re
from typing import Final

from chassis.http import Refused
from services.ticketing.adapters.answers import reading_back
from services.ticketing.adapters.request_tracker_wire import Attachment, Ticket, Transaction, Wire
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Note, TicketRef

MOST_CHARACTERS: Final = 20_000
"""Of one person's words so many are repeated; the rest is on the other ticket."""

_TAG: Final = re.compile(r"<[^>]*>")
_BREAK: Final = re.compile(r"<(?:br|/p|/div|/li|/tr)\b[^>]*>", re.IGNORECASE)


async def take_over(wire: Wire, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
    """Repeat on `kept` what others said on `other`, and say a note, each once."""
    there = (await wire.ours(kept.id)).markers
    missing = [each for each in await wire.others(other.id) if _marker(each, key) not in there]
    notes = [await _repeated(wire, each, other, key) for each in missing]
    add = [each for each in (*notes, note) if each is not None and each.marker not in there]
    for each in add:
        await wire.say(kept.id, each, how="comment")
    if not add:
        return
    with reading_back(f"ticket {kept.id}"):
        after = (await wire.ours(kept.id)).markers
    if not {each.marker for each in add} <= after:
        raise NotAsWritten(f"ticket {kept.id} does not show what was added to it from {other.id}")


async def give_way(wire: Wire, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
    """Say a note on `other`, resolve it, and have it refer to `kept`, once; others' words must be on `kept` by now."""
    if note.marker not in (await wire.ours(other.id)).markers:
        await wire.say(other.id, note, how="comment")
    etag, ticket = await wire.element(other.id)
    if ticket.id != other.id:
        raise ChangedMeanwhile(f"ticket {other.id} was merged into {ticket.id} by a person")
    there = (await wire.ours(kept.id)).markers
    for each in await wire.others(other.id):
        if _marker(each, key) not in there and await _repeated(wire, each, other, key) is not None:
            raise ChangedMeanwhile(f"a person wrote on ticket {other.id} while it was merged into {kept.id}")
    change: dict[str, object] = {"Status": wire.names.resolved_status} if wire.is_open(ticket) else {}
    if not _refers(ticket, kept):
        change["AddRefersTo"] = int(kept.id)
    answer = await _put(wire, other, etag, change) if change else ""
    with reading_back(f"ticket {other.id}"):
        _, after = await wire.element(other.id)
    if wire.is_open(after) or not _refers(after, kept):
        raise NotAsWritten(f"ticket {other.id} is not closed in favour of {kept.id}: {answer}")


async def _put(wire: Wire, other: TicketRef, etag: str, change: dict[str, object]) -> str:
    try:
        return await wire.put(other.id, etag, change)
    except Refused as error:
        if error.status == 412:
            raise ChangedMeanwhile(f"ticket {other.id} was changed while it was merged") from error
        raise


async def _repeated(wire: Wire, said: Transaction, other: TicketRef, key: str) -> Note | None:
    """Return a note with what someone else said; `None`: they said nothing, a ticket needs no first words."""
    parts = await wire.attachments(said.id)
    words = _words(parts)
    files = [each.filename for each in parts if each.filename]
    if not words and not files:
        return None
    lines = [f"{said.creator.id} wrote on ticket {other.id}, {said.created}:", "", words[:MOST_CHARACTERS]]
    if len(words) > MOST_CHARACTERS:
        lines.append(f"(The rest is on ticket {other.id}.)")
    if files:
        lines.append(f"(Files that stay on ticket {other.id}: {', '.join(files)})")
    return Note(marker=_marker(said, key), text="\n".join(lines))


def _marker(said: Transaction, key: str) -> str:
    return f"{key}/merged-words/{said.id}"


def _words(parts: list[Attachment]) -> str:
    """Return the plain words of a message; those of its HTML where it has no others."""
    own = [each for each in parts if not each.filename and (each.content or "").strip()]
    plain = [each.content or "" for each in own if each.content_type.startswith("text/plain")]
    marked = [each.content or "" for each in own if each.content_type.startswith("text/html")]
    if plain or not marked:
        return "\n\n".join(plain).strip()
    return html.unescape(_TAG.sub("", _BREAK.sub("\n", "\n\n".join(marked)))).strip()


def _refers(ticket: Ticket, kept: TicketRef) -> bool:
    return any(each.ref == "refers-to" and each.id == kept.id for each in ticket.links)
