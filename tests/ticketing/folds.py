"""Batches folded over a desk, and what is on it afterwards."""

from dataclasses import replace
from datetime import datetime, timedelta

from contracts.envelope import Envelope
from services.ticketing import rules_fold
from services.ticketing.records import Act, Ticket
from services.ticketing.rules_desk import Desk
from tests.builders import NOON
from tests.ticketing.findings import fact

LOOK_EVERY = timedelta(seconds=30)


def folded(*events: Envelope, before: Desk | None = None, now: datetime = NOON) -> Desk:
    return rules_fold.folded(before or Desk(), [fact(each) for each in events], now=now, look_every=LOOK_EVERY)


def only(desk: Desk) -> Ticket:
    [ticket] = desk.tickets.values()
    return ticket


def acts(desk: Desk, key: str) -> list[Act]:
    return [each.act for each in desk.waiting[key]]


def listed(desk: Desk, key: str) -> dict[str, str | None]:
    return {listing.label.device: listing.cleared_as for _, listing in desk.listings_of(key)}


def all_told(desk: Desk, *, looked_at: datetime = NOON) -> Desk:
    """Return the desk after the worker did all that waited."""
    told = desk.copy()
    for key, ticket in desk.tickets.items():
        told.waiting[key] = ()
        told.tickets[key] = replace(ticket, external="1", looked_at=looked_at)
    for pair, listing in desk.listings.items():
        told.listings[pair] = replace(listing, noted_failures=listing.failures, checked_failures=listing.failures)
    return told
