"""After the day: a technician closes a ticket too early. It becomes known because the ticket system tells of it."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final

from contracts.events.ticket import TicketResolved
from patchline.demo import psa, technician
from patchline.demo.check import Check, compared
from patchline.demo.subscriber import Seen
from simulators.ledger import Ledger

LONGEST_WAIT_SECONDS: Final = 60.0


async def closed_by_hand(settings: Mapping[str, str], key: str, seen: Seen) -> str | None:
    """Close the ticket with `key` in the ticket system, and wait until its subscribers know; return its number.

    `None`: there is no such ticket there, or nobody came to know.

    Raises:
        httpx.HTTPError: the ticket system does not answer, or refuses.
    """
    number = next((issue.number for issue in await psa.issues(settings) if issue.key == key), None)
    if number is None:
        return None
    await technician.close(settings, number)
    deadline = asyncio.get_running_loop().time() + LONGEST_WAIT_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if _closures(seen)[key]:
            return number
        await asyncio.sleep(0.5)
    return None


def closures(ledger: Ledger, seen: Seen) -> Check:
    """Compare what people closed with what is told that they closed: nothing that we closed ourselves is among it."""
    return compared("closures by people", Counter(ledger.closed_by_hand), _closures(seen), str)


def _closures(seen: Seen) -> Counter[str]:
    """Return how often each ticket was closed by a person, as it is told on its topic."""
    told = (each.data for events in seen.tickets.values() for each in events)
    return Counter(each.ticket for each in told if isinstance(each, TicketResolved) and each.by_person)
