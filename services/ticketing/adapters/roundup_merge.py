"""Merging two Roundup issues: the kept one shows the other one's messages, the other one is resolved and superseded.

Roundup shows one message on as many issues as one likes, so what people wrote is neither copied nor lost. `If-Match`
keeps each change from meeting an issue that someone else has changed since it was read.
"""

from datetime import datetime
from typing import Final

from chassis.http import Refused
from services.ticketing.adapters.roundup_wire import Issue, Page, Wire, read
from services.ticketing.adapters.tracker import ChangedMeanwhile, NotAsWritten
from services.ticketing.records import Note, TicketRef

PAGE_ISSUES: Final = 500
KEY_BEGINS: Final = "pl-"
"""Every ticket key begins so. Source: `contracts.ids.ticket_key`."""

NO_STATUS: Final = "-1"


async def marked(wire: Wire, *, changed_since: datetime | None, page: int) -> list[str]:
    """Return the numbers of a page of issues with a key like ours, in the order of their numbers.

    Only numbers are asked for: Roundup makes the rows of all later pages too, and rows cost it a lot.
    """
    params: dict[str, str | int] = {
        "correlation_key": KEY_BEGINS,
        "@sort": "id",
        "@page_size": PAGE_ISSUES,
        "@page_index": page,
    }
    if changed_since is None:
        params["status"] = ",".join([NO_STATUS, *await _open_statuses(wire)])
    else:
        params["activity"] = f"{changed_since:%Y-%m-%d.%H:%M:%S};"
    return [each.id for each in read(Page, await wire.call("GET", "/issue", params=params)).collection]


async def _open_statuses(wire: Wire) -> list[str]:
    statuses = read(Page, await wire.call("GET", "/status", params={"@fields": "name"})).collection
    return [each.id for each in statuses if each.name not in wire.words.closed_statuses]


async def key_of(wire: Wire, number: str) -> str | None:
    """Return the key of an issue; `None`: no issue, or no key."""
    try:
        _, issue = await wire.element(number)
    except Refused as error:
        if error.status in {403, 404, 410}:
            return None
        raise
    return issue.correlation_key


async def take_over(wire: Wire, kept: TicketRef, other: TicketRef, *, key: str, note: Note) -> None:
    """Show on `kept` the messages that people wrote on `other`, and a note, each once."""
    ours = await wire.messages_with(key)
    _, losing = await wire.element(other.id)
    found = await wire.element(kept.id)
    add = _missing(losing, found[1], ours)
    if not _says(found[1], note, ours):
        add.append(await wire.message(note))
    if not add:
        return
    await _patched(wire, kept.id, found, add)
    _, after = await wire.read_back(kept.id)
    if not set(add) <= {each.id for each in after.messages}:
        raise NotAsWritten(f"issue {kept.id} does not show what was added to it from {other.id}")


async def give_way(wire: Wire, other: TicketRef, kept: TicketRef, *, key: str, note: Note) -> None:
    """Resolve `other`, link it to `kept`, and say so in a note, once; people's messages must be on `kept` by now."""
    superseder = wire.words.superseder
    ours = await wire.messages_with(key)
    found = await wire.element(other.id, *([superseder] if superseder else []))
    losing = found[1]
    _, keeping = await wire.element(kept.id)
    if _missing(losing, keeping, ours):
        raise ChangedMeanwhile(f"a person wrote on issue {other.id} while it was merged into {kept.id}")
    add = [] if _says(losing, note, ours) else [await wire.message(note)]
    fields: dict[str, object] = {"status": wire.words.resolved_status} if wire.is_open(losing) else {}
    if superseder and kept.id not in {each.id for each in losing.superseder}:
        fields[superseder] = [*(each.id for each in losing.superseder), kept.id]
    if not add and not fields:
        return
    await _patched(wire, other.id, found, add, **fields)
    _, after = await wire.read_back(other.id)
    if wire.is_open(after) or not set(add) <= {each.id for each in after.messages}:
        raise NotAsWritten(f"issue {other.id} is not closed with a note after it was merged into {kept.id}")


def _missing(losing: Issue, keeping: Issue, ours: dict[str, str]) -> list[str]:
    """Return people's messages that the one issue shows and the other does not."""
    shown = {each.id for each in keeping.messages}
    return [each.id for each in losing.messages if each.id not in ours and each.id not in shown]


def _says(issue: Issue, note: Note, ours: dict[str, str]) -> bool:
    return any(ours.get(each.id) == note.marker for each in issue.messages)


async def _patched(wire: Wire, number: str, found: tuple[str, Issue], add: list[str], **fields: object) -> None:
    try:
        await wire.patch(number, found, add, **fields)
    except Refused as error:
        if error.status == 412:
            raise ChangedMeanwhile(f"issue {number} was changed while it was merged") from error
        raise
