"""Links by mail: each approver gets one of their own for each question, at least once, and no link is kept anywhere."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chassis import points
from chassis.clock import Clock
from chassis.errors import NeverWorks
from chassis.health import Progress
from chassis.http import Unavailable
from chassis.postgres import Pool, transaction
from contracts.approval import Claims, digest_of, token_of
from services.credentials.adapters.mail import Letter, Mail
from services.credentials.people import rules_approvals, rules_notice, store_approvers, store_notices, store_requests
from services.credentials.people.looking import looking
from services.credentials.people.records import Approver, Request
from services.credentials.people.rules_links import approver_digest, pause
from services.credentials.people.store_notices import LostLease, PlannedLink

log = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=120)
MOST: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where links lead, and the key that signs them (the gateway's too)."""

    url: str
    key: bytes


class Inviting:
    """Writes to approvers until told to stop."""

    name = "invitations"

    def __init__(self, *, pool: Pool, mail: Mail, links: Links, clock: Clock, progress: Progress) -> None:
        """Share the process's parts."""
        self._pool = pool
        self._mail = mail
        self._links = links
        self._clock = clock
        self._progress = progress

    async def run(self, stopping: asyncio.Event) -> None:
        """Look twice a second until `stopping`; mails under way are finished."""
        await looking(self.look, name=self.name, progress=self._progress, stopping=stopping)

    async def look(self) -> int:
        """Write what is due, and return how many mails that were."""
        planned = await store_notices.lease_links(self._pool, self._clock(), lease=LEASE, most=MOST)
        for each in planned:
            self._progress.beat(self.name)
            try:
                await self._write(each)
            except LostLease as error:
                log.info("left to another worker", extra={"reason": str(error)})
        return len(planned)

    async def _write(self, planned: PlannedLink) -> None:
        now = self._clock()
        async with transaction(self._pool) as tx:
            requests = await store_requests.load_for_update(tx, [planned.request])
            approvers = await store_approvers.load(tx, [planned.approver])
            request, approver = requests[planned.request], approvers[planned.approver]
            votes = (await store_requests.load_votes(tx, [request.id])).get(request.id, {})
            has_decided = rules_approvals.DECIDED_ALREADY if approver.id in votes else None
            hindrance = has_decided or rules_approvals.hindrance(approver, request, now)
            if hindrance is not None:
                await store_notices.settle(tx, planned, "dropped", at=now, reason=hindrance)
                return
            token = self._token(request, approver)
            await store_notices.begin_link(tx, planned, digest_of(token), now)
        points.reached("invitation before the mail")
        await self._hand_over(planned, self._letter(planned, request, approver, token=token, now=now))

    async def _hand_over(self, planned: PlannedLink, letter: Letter) -> None:
        try:
            await self._mail.send(letter)
        except Unavailable as error:
            until = self._clock() + pause(planned.attempts)
            await store_notices.settle(self._pool, planned, "pending", at=until, reason=str(error))
            log.info("invited later", extra={"mail": planned.message_id, "reason": str(error)})
        except NeverWorks as error:
            await store_notices.settle(self._pool, planned, "parked", at=self._clock(), reason=str(error))
            log.error("cannot invite", extra={"mail": planned.message_id, "reason": str(error)})  # noqa: TRY400 - the sentence is enough
        else:
            points.reached("invitation after the mail")
            await store_notices.settle(self._pool, planned, "done", at=self._clock())

    def _token(self, request: Request, approver: Approver) -> str:
        claims = Claims(
            case=str(request.case),
            approver_digest=approver_digest(approver.id),
            expires_at=request.expires_at,
            nonce=request.nonce,
        )
        return token_of(claims, self._links.key)

    def _letter(
        self, planned: PlannedLink, request: Request, approver: Approver, *, token: str, now: datetime
    ) -> Letter:
        words = rules_notice.invitation(request, approver, link=f"{self._links.url.rstrip('/')}/{token}")
        return Letter(
            to=planned.recipient,
            subject=words.subject,
            text=words.text,
            message_id=planned.message_id,
            at=now,
            language=words.language,
        )
