"""What people decided with their keys, checked and counted; and questions whose time is over, ended."""

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from chassis.clock import Clock
from chassis.health import Progress
from chassis.postgres import Connection, Pool, transaction
from chassis.relay import Relay
from services.credentials.people import approvals, store_approvers, store_requests, store_statements
from services.credentials.people.keys import is_signed, statement
from services.credentials.people.looking import looking
from services.credentials.people.records import Approver, Ballot, Request, Verdict, Way
from services.credentials.people.store_statements import Statement
from services.credentials.records import Cause, Fact
from services.credentials.telling import tell

log = logging.getLogger(__name__)

MOST: Final = 100
NOT_SIGNED: Final = "the signature is not this person's, or not about this question"

Decided = Callable[[Connection, Sequence[Verdict]], Awaitable[Sequence[Fact]]]
"""Lets cases go on whose questions ended, in the same transaction, and returns what is to be told."""


class Deciding:
    """Takes signed statements and ends what is overdue, until told to stop."""

    name = "decisions"

    def __init__(self, *, pool: Pool, clock: Clock, progress: Progress, relay: Relay, decided: Decided) -> None:
        """Share the process's parts; `decided` moves the cases whose questions ended."""
        self._pool = pool
        self._clock = clock
        self._progress = progress
        self._relay = relay
        self._decided = decided

    async def run(self, stopping: asyncio.Event) -> None:
        """Look twice a second until `stopping`."""
        await looking(self.look, name=self.name, progress=self._progress, stopping=stopping)

    async def look(self) -> int:
        """Take what is there in one transaction, and return how much it was."""
        now = self._clock()
        async with transaction(self._pool) as tx:
            statements = await store_statements.load_pending(tx, most=MOST)
            told, verdicts = await self._counted(tx, statements, now)
            over = await approvals.overdue(tx, now=now, most=MOST)
            told += await self._decided(tx, [*verdicts, *over])
            await tell(tx, told)
        if statements or over:
            self._relay.wake()
        return len(statements) + len(over)

    async def _counted(
        self, tx: Connection, statements: Sequence[Statement], now: datetime
    ) -> tuple[list[Fact], list[Verdict]]:
        """Count what was signed, answer it, and return what is to be told and which questions ended."""
        if not statements:
            return [], []
        requests = await store_requests.load_for_update(tx, {each.request for each in statements})
        approvers = await store_approvers.load(tx, {each.approver for each in statements})
        checked = [
            (each, _ballot(each, requests.get(each.request), approvers.get(each.approver), now)) for each in statements
        ]
        counting = await approvals.count(tx, [ballot for _, ballot in checked if ballot is not None], now=now)
        uncounted = dict(counting.uncounted)
        refusals = [(each.id, uncounted.get(each.id) if ballot else NOT_SIGNED) for each, ballot in checked]
        await store_statements.answer(tx, refusals)
        for each, refusal in refusals:
            if refusal is not None:
                log.warning("a decision is not counted", extra={"statement": str(each), "reason": refusal})
        return list(counting.facts), list(counting.verdicts)


def _ballot(said: Statement, request: Request | None, approver: Approver | None, now: datetime) -> Ballot | None:
    """Return the vote in a statement; `None`: whoever it names did not sign it."""
    if request is None or approver is None:
        return None
    signed = statement(request, approver.id, approve=said.approve, decided_at=said.decided_at)
    if not is_signed(approver.public_key, signed, said.signature):
        return None
    return Ballot(
        event=said.id,
        request=request.id,
        approver=approver.id,
        approve=said.approve,
        way=Way.KEY,
        cause=Cause(
            id=said.id,
            received_at=now,
            traceparent=request.cause.traceparent,
            correlation=request.cause.correlation,
        ),
        evidence=(
            ("statement", signed.decode()),
            ("signature", base64.b64encode(said.signature).decode()),
            ("brought_by", said.brought_by),
        ),
    )
