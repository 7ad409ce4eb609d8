"""What people closed by hand, compared with what is told that they closed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.ticket import TicketResolved
from patchline.demo.after_hours import closures
from patchline.demo.subscriber import Seen
from simulators.ledger import Ledger

AT = datetime(2025, 1, 15, 20, tzinfo=UTC)
TENANT = ids.tenant_id("Hudson Dental Group")
KEY = ids.ticket_key(TENANT, "patch_failed", "x", 1)


def book(*keys: str) -> Ledger:
    return Ledger(
        standings={},
        tickets=(),
        told={},
        devices={},
        dead_letters=(),
        parked=0,
        unknown_codes={},
        closed_by_hand=keys,
    )


def seen(*by_person: bool) -> Seen:
    """Return what a subscriber saw of the ticket's ends."""
    ends = [
        TicketResolved(ticket=KEY, kind="patch_failed", subject="x", generation=1, by_person=each) for each in by_person
    ]
    return Seen(
        tickets={
            KEY: [
                Envelope(
                    id=uuid4(), source="patchline/ticketing", subject=KEY, time=AT, received=AT, tenant=TENANT, data=end
                )
                for end in ends
            ]
        }
    )


@pytest.mark.parametrize(
    ("closed", "told", "lost", "doubled"),
    [
        pytest.param([KEY], [True], 0, 0, id="told once"),
        pytest.param([KEY], [], 1, 0, id="not told"),
        pytest.param([KEY], [False], 1, 0, id="told as our own"),
        pytest.param([KEY], [True, True], 0, 1, id="told twice"),
        pytest.param([], [False], 0, 0, id="only ours"),
        pytest.param([], [True], 0, 1, id="our own taken for a person's"),
    ],
)
def test_each_closing_by_hand_is_told_once(closed: list[str], told: Sequence[bool], lost: int, doubled: int) -> None:
    check = closures(book(*closed), seen(*told))

    assert (check.lost, check.doubled, check.wrong) == (lost, doubled, 0)
