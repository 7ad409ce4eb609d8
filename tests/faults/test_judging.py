"""The storm's own ledger, and what a sender that tries again may rightly cause."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from contracts.envelope import Envelope
from contracts.events.ticket import TicketAppended, TicketEvent, TicketOpened, TicketReopened, TicketResolved
from faults.desk import CLIENT, STEPS, Desk, Matter
from faults.judging import once
from patchline.demo.subscriber import Letter, Seen
from patchline.demo.tracker import Issue
from simulators.deliveries import Delivery, Nature
from simulators.fleet import NINJAONE_MAIN
from simulators.sender import Sent
from tests.builders import NOON

MATTER = Matter(1, sent=len(STEPS))
ISSUE = Issue(
    number="7",
    key=MATTER.key,
    title="Storm 1",
    client=CLIENT,
    is_open=True,
    devices=Counter(MATTER.devices),
    notes=("opened", "failing too", "resolved", "open again"),
)
SUBJECT = {"ticket": MATTER.key, "kind": "failed_uncatalogued", "subject": "s", "generation": 1}
EVENTS: tuple[TicketEvent, ...] = (
    TicketOpened(**SUBJECT, title="Storm 1", devices=1),
    TicketAppended(**SUBJECT, devices=2, failures=2),
    TicketResolved(**SUBJECT),
    TicketReopened(**SUBJECT, why="failed again"),
)


async def _send(_deliveries: Sequence[Delivery]) -> None:
    """Send nothing: only the ledger is tried."""


def _told(events: Sequence[TicketEvent] = EVENTS) -> Seen:
    envelopes = [
        Envelope(id=uuid4(), source="t", subject="s", time=NOON, received=NOON, data=event) for event in events
    ]
    return Seen(tickets={MATTER.key: envelopes})


def _harm(seen: Seen, issues: Sequence[Issue]) -> tuple[int, int, int]:
    desk = Desk(_send, seen, lambda: NOON, matters=[MATTER, Matter(2)])
    checks = list(desk.checks(seen, issues))
    return sum(c.lost for c in checks), sum(c.doubled for c in checks), sum(c.wrong for c in checks)


def test_a_storm_that_left_what_it_should_is_good() -> None:
    assert _harm(_told(), [ISSUE]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "harm"),
    [
        pytest.param(lambda: (_told(), []), (5, 0, 0), id="the ticket is lost, with its notes"),
        pytest.param(lambda: (_told(), [ISSUE, replace(ISSUE, number="8")]), (0, 1, 0), id="a second ticket"),
        pytest.param(
            lambda: (_told(), [replace(ISSUE, notes=(*ISSUE.notes, "opened"))]), (0, 1, 0), id="a note is there twice"
        ),
        pytest.param(lambda: (_told(EVENTS[:3]), [ISSUE]), (1, 0, 0), id="an event was never told"),
        pytest.param(lambda: (_told((*EVENTS, EVENTS[0])), [ISSUE]), (0, 1, 0), id="an event was told with two ids"),
        pytest.param(lambda: (_told(), [replace(ISSUE, is_open=False)]), (0, 0, 1), id="the ticket is closed"),
        pytest.param(
            lambda: (_told(), [replace(ISSUE, devices=Counter(["else"]))]), (0, 0, 1), id="another device is listed"
        ),
    ],
)
def test_a_storm_that_did_harm_is_found_out(
    change: Callable[[], tuple[Seen, list[Issue]]], harm: tuple[int, int, int]
) -> None:
    assert _harm(*change()) == harm


@pytest.mark.parametrize(
    ("attempts", "letters", "kept"),
    [
        pytest.param(1, 1, 1, id="sent once"),
        pytest.param(3, 2, 1, id="sent again after a lost answer"),
        pytest.param(1, 2, 2, id="sent once, and there twice"),
        pytest.param(2, 3, 2, id="there more often than it was sent"),
    ],
)
def test_a_dead_letter_may_be_there_as_often_as_it_was_sent(attempts: int, letters: int, kept: int) -> None:
    source = NINJAONE_MAIN
    delivery = Delivery(nature=Nature.UGLY, name="ugly", source=source, body=b"{", delivery_id="d", age=timedelta())
    there = [
        Letter(topic="rmm.raw", source=source.full_name, body=b"{", reason="cut off", raw_id=f"receipt {number}")
        for number in range(letters)
    ]

    assert len(once(there, [Sent(delivery, 202, attempts)])) == kept


def test_one_receipt_that_was_read_twice_is_one_dead_letter() -> None:
    letter = Letter(topic="rmm.raw", source=NINJAONE_MAIN.full_name, body=b"{", reason="cut off", raw_id="receipt")

    assert once([letter, letter], []) == [letter]
