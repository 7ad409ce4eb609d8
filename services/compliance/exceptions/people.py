"""Keeps, with a batch's transaction, which tickets requests have and whose signature counts."""

from collections.abc import Sequence

from chassis.postgres import Connection
from services.compliance.exceptions import store_requests, store_signoffs
from services.compliance.exceptions.news import OwnerNews, PeopleNews, RevokedOwner, TicketNews


async def keep(tx: Connection, told: Sequence[PeopleNews]) -> None:
    """Keep what is told. In any order and as often as it may come, the same is kept."""
    enrolled = [each for each in told if isinstance(each, OwnerNews)]
    revoked = [each for each in told if isinstance(each, RevokedOwner)]
    tickets = [each for each in told if isinstance(each, TicketNews)]
    if enrolled:
        await store_signoffs.keep_owners(tx, enrolled)
    if revoked:
        await store_signoffs.keep_revocations(tx, revoked)
    if tickets:
        await store_requests.keep_tickets(tx, tickets)
