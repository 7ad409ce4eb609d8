"""One finding and one ticket: what must become of it. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.events.obligation import State
from services.ticketing.records import About, Cause, Label, Listing, MatterKey, Ticket, TicketState
from services.ticketing.standing import Standing


class Verdict(StrEnum):
    """What a state means for a ticket.

    `PROVEN` and `GONE` take a device off the list. `UNPROVEN` is not proof, and undoes one. `SILENT` says nothing:
    a device that has not been heard of is not known to be worse than it was.
    """

    FAILING = "failing"
    PROVEN = "proven"
    GONE = "gone"
    UNPROVEN = "unproven"
    SILENT = "silent"


VERDICTS: Final[dict[State, Verdict]] = {
    State.FAILED: Verdict.FAILING,
    State.VERIFIED: Verdict.PROVEN,
    State.EXCEPTED: Verdict.GONE,
    State.NOT_APPLICABLE: Verdict.GONE,
    State.OUT_OF_SCOPE: Verdict.GONE,
    State.RETIRED: Verdict.GONE,
    State.MISSING_IN_SLA: Verdict.UNPROVEN,
    State.MISSING_OVERDUE: Verdict.UNPROVEN,
    State.REPORTED_UNVERIFIED: Verdict.UNPROVEN,
    State.PENDING_REBOOT: Verdict.UNPROVEN,
    State.CONTRADICTED: Verdict.UNPROVEN,
    State.STALE: Verdict.SILENT,
    State.UNKNOWN: Verdict.SILENT,
}

NO_LONGER_FAILING: Final = "NO_LONGER_FAILING"
"""What takes a device off the list of an uncatalogued patch: there is no obligation whose state could be named."""

PROOFS: Final = frozenset({State.VERIFIED.value, NO_LONGER_FAILING})

ENDS: Final = frozenset(
    {NO_LONGER_FAILING, *(state for state, verdict in VERDICTS.items() if verdict in {Verdict.PROVEN, Verdict.GONE})}
)
"""States that take a device off a list."""

MOVED: Final = "MOVED"
"""What takes a device off a ticket whose matter continues in another one."""

ANOTHER_ASSET: Final = "ANOTHER_ASSET"
"""What takes an asset off a ticket on which its machine goes on as another one: they were merged, or parted again."""

FIRST_COUNTS_NOTED: Final = (3, 10)
"""A ticket tells that a device failed so often; then at ten times these, a hundred times, and so on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one event says of one device and one matter. `failures` counts every failure so far.

    `continues_on`: the asset with which what was said of this one goes on, and what that means for the ticket there;
    `None`: that is not known yet. `is_repeat`: the event was handled before; with a higher number it may still be news.
    """

    cause: Cause
    matter: MatterKey
    asset: str
    sequence: int
    state: str
    verdict: Verdict
    failures: int
    label: Label
    about: About
    code: str | None = None
    continues_on: str | None = None
    continues_as: Verdict | None = None
    is_repeat: bool = False

    @property
    def standing(self) -> Standing:
        """Return the word that it leaves behind."""
        return Standing(self.sequence, self.state, self.cause.received_at, self.cause.occurred_at)


class Move(StrEnum):
    """What a finding does to the newest ticket of its matter."""

    NOTHING = "nothing"
    OPEN = "open the next generation"
    LIST = "list the device"
    COUNT = "count a repeat"
    CLEAR = "take the device off the list"
    REOPEN = "reopen, and list the device again"


def move(ticket: TicketState | None, listing: Listing | None, finding: Finding) -> Move:
    """Return what `finding` does to a ticket in this state (`None`: there is none) that lists its device so."""
    undone = is_undone(listing, finding)
    match ticket, finding.verdict:
        case (TicketState.OPEN, Verdict.FAILING):
            return Move.COUNT if listing is not None and listing.cleared_as is None else Move.LIST
        case (TicketState.OPEN, Verdict.PROVEN | Verdict.GONE):
            return Move.CLEAR if listing is not None and listing.cleared_as is None else Move.NOTHING
        case (TicketState.OPEN, Verdict.UNPROVEN):
            return Move.LIST if undone else Move.NOTHING
        case (TicketState.RESOLVED, Verdict.FAILING | Verdict.UNPROVEN) if undone:
            return Move.REOPEN
        case (_, Verdict.FAILING):
            return Move.OPEN
        case _:
            return Move.NOTHING


def is_undone(listing: Listing | None, finding: Finding) -> bool:
    """Return whether `finding` undoes what took the device off the list: its proof, or that it was another asset.

    Proof of one release is not undone by the next release of the same requirement: that is another month's patch.
    """
    if listing is None or listing.release != finding.about.release:
        return False
    if listing.cleared_as == ANOTHER_ASSET:
        return finding.verdict is Verdict.FAILING
    return listing.cleared_as in PROOFS and finding.verdict in {Verdict.FAILING, Verdict.UNPROVEN}


def is_handed_over(ticket: TicketState, listing: Listing | None, finding: Finding) -> bool:
    """Return whether the machine that `listing` has on an open ticket goes on there as another asset."""
    is_listed = ticket is TicketState.OPEN and listing is not None and listing.cleared_as is None
    return is_listed and finding.verdict is not Verdict.FAILING


def is_worth_a_note(noted: int, failures: int) -> bool:
    """Return whether a count of failures, told as `noted`, has grown enough to be told again.

    One broken device that fails a hundred thousand times gets ten notes.
    """
    step = 1
    while step <= failures:
        if any(noted < first * step <= failures for first in FIRST_COUNTS_NOTED):
            return True
        step *= FIRST_COUNTS_NOTED[-1]
    return False


def has_news(listing: Listing) -> bool:
    """Return whether the device failed since its ticket was last seen open."""
    return listing.cleared_as is None and (
        listing.noted_failures is None or listing.failures > listing.checked_failures
    )


def is_open(ticket: Ticket | None) -> bool:
    """Return whether there is a ticket that should be open."""
    return ticket is not None and ticket.state is TicketState.OPEN
