"""Looks at what people asked for, signed and took back, and at what time brought about; decides, keeps and tells it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final
from uuid import UUID

from chassis import flow, outbox
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts import ids, topics
from services.compliance.exceptions import (
    endings,
    rules_exceptions,
    rules_told,
    store_exceptions,
    store_moments,
    store_requests,
    store_signoffs,
)
from services.compliance.exceptions.records import Chapter, Granted, OwnerKey, Request, Signoff
from services.compliance.exceptions.rules_exceptions import Desk, Signed
from services.compliance.exceptions.rules_told import Told, keyed
from services.compliance.exceptions.store_moments import Moment, What
from services.compliance.exceptions.store_requests import Client
from services.compliance.policies.store_policies import PolicyShelf, wait_for_decisions
from services.compliance.policy import Policy
from services.compliance.rules_cause import SOURCE
from services.compliance.zones import zone_of

MOST: Final = 100
"""Of each sort in one transaction: few, so that a batch hardly waits for them."""


class Exceptions:
    """Notices what the command lines wrote and which moments came. Everything is found by an index."""

    def __init__(self, on: Platform, policies: PolicyShelf, policy: Policy, *, most: int = MOST) -> None:
        """Judge by each client's policy, by `policy` where a client has none, by the clock of `on`."""
        self._on = on
        self._policies = policies
        self._policy = policy
        self._most = most

    async def look(self) -> bool:
        """Do what waits, and return whether more may be waiting."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            if not await store_requests.is_waiting(tx, now):
                return False
            if await store_requests.is_touching(tx):
                await wait_for_decisions(tx)  # a machine that is new in one of them is then there to be decided anew
            told = [
                *await self._asked(tx, now),
                *await self._signed(tx, now),
                *await endings.revoked(tx, now, self._most),
                *await endings.excluded(tx, now, self._most),
                *await endings.passed(tx, now, self._most),
            ]
            await tell(tx, told)
        if told:
            self._on.relay.wake()
        return len(told) >= self._most

    async def _asked(self, tx: Connection, now: datetime) -> list[Told]:
        """Let requests that the client's policy allows go on to their ticket; refuse the others."""
        asked = await store_requests.take_untold(tx, now=now, most=self._most)
        if not asked:
            return []
        known = await self._known(tx, {each.tenant_id for each in asked}, now)
        return [await self._opened(tx, each, known, now) for each in asked]

    async def _opened(self, tx: Connection, request: Request, known: "_Known", now: datetime) -> Told:
        policy = known.policies.get(request.tenant_id, self._policy)
        granted = known.granted.get(request.tenant_id, ())
        zone = known.zone(request.tenant_id, policy)
        why = rules_exceptions.hindrance(request, policy.exceptions, zone, granted=granted, now=now)
        if why is not None:
            at = request.requested_at
            await store_requests.append(tx, request, Chapter.REFUSED, at=at, recorded_at=now, why=why)
            return rules_told.refused(request, why, at)
        at = request.requested_at
        await store_requests.append(tx, request, Chapter.REQUESTED, at=at, recorded_at=now)
        await store_moments.set_(tx, _moment(request, What.LAPSED, request.until))
        return rules_told.requested(request)

    async def _signed(self, tx: Connection, now: datetime) -> list[Told]:
        """Judge what owners signed, one after the other: what the first changes counts for the next."""
        pending = await store_signoffs.load_pending(tx, most=self._most)
        told: list[Told] = []
        for signoff in pending:
            requests = await store_requests.lock(tx, [signoff.exception_id])
            request = requests[signoff.exception_id]
            desk = await self._desk(tx, request, now)
            signed = rules_exceptions.judged(signoff, desk)
            await store_signoffs.answer(tx, signoff, signed if isinstance(signed, str) else None)
            if isinstance(signed, Signed):
                told += await _decided(tx, signoff, signed, desk)
        return told

    async def _desk(self, tx: Connection, request: Request, now: datetime) -> Desk:
        known = await self._known(tx, {request.tenant_id}, now)
        policy = known.policies.get(request.tenant_id, self._policy)
        chapters = await store_requests.chapters(tx, [request.id])
        tickets = await store_requests.tickets(tx, [request.id])
        owners: Mapping[UUID, Mapping[UUID, OwnerKey]] = await store_signoffs.owners(tx, [request.tenant_id])
        return Desk(
            request=request,
            client=known.clients[request.tenant_id].name,
            chapters=chapters[request.id],
            ticket=tickets.get(request.id),
            owners=owners[request.tenant_id],
            terms=policy.exceptions,
            zone=known.zone(request.tenant_id, policy),
            granted=known.granted.get(request.tenant_id, ()),
            now=now,
        )

    async def _known(self, tx: Connection, tenants: Collection[UUID], now: datetime) -> "_Known":
        return _Known(
            clients=await store_requests.clients(tx, tenants),
            policies=await self._policies.policies_for(tx, tenants, now),
            granted=await store_exceptions.in_force(tx, tenants),
        )


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the clients that somebody asks for."""

    clients: Mapping[UUID, Client]
    policies: Mapping[UUID, Policy]
    granted: Mapping[UUID, Sequence[Granted]]

    def zone(self, tenant: UUID, policy: Policy) -> tzinfo:
        """Return the zone of the policy, else of the client."""
        return zone_of(policy.zone or self.clients[tenant].zone) or UTC


async def _decided(tx: Connection, signoff: Signoff, signed: Signed, desk: Desk) -> list[Told]:
    """Keep what an owner decided, and return what is to be told of it."""
    request, now = desk.request, desk.now
    await store_moments.forget(tx, request.id, [What.LAPSED])
    if not signed.decision.approve:
        why = f"{signed.owner.name}, the client's owner, said no"
        await store_requests.append(tx, request, Chapter.REFUSED, at=now, recorded_at=now, why=why)
        return [rules_told.refused(request, why, now)]
    holds = rules_exceptions.granted_of(request, now)
    await store_exceptions.grant(tx, request, holds, signoff=signoff, signed=signed, now=now)
    await store_requests.append(tx, request, Chapter.GRANTED, at=now, recorded_at=now, why=signed.owner.name)
    warning_at = rules_exceptions.warning_at(holds, desk.terms, desk.zone)
    await store_moments.set_(tx, _moment(request, What.EXPIRING, warning_at))
    await store_moments.set_(tx, _moment(request, What.EXPIRED, holds.until))
    await store_exceptions.touch(
        tx, holds, ids.event_id_of_fields(SOURCE, "exception.granted", now, str(holds.id)), now
    )
    return [rules_told.granted(request, signed, holds, now), *await _renewed(tx, request, now)]


async def _renewed(tx: Connection, request: Request, now: datetime) -> list[Told]:
    """Tell of the exception that `request` goes on after, if there is one: its end needs no warning any more.

    A renewal of some of the machines leaves the others with the one before, its warning, and its end.
    """
    if request.renews is None:
        return []
    requests = await store_requests.lock(tx, [request.renews])
    before = requests[request.renews]
    if not rules_exceptions.goes_on_whole(request, before):
        return []
    if not await store_requests.append(tx, before, Chapter.RENEWED, at=now, recorded_at=now, why=str(request.id)):
        return []
    await store_moments.forget(tx, before.id, [What.EXPIRING])
    return [rules_told.renewed(before, request, now)]


def _moment(request: Request, what: What, at: datetime) -> Moment:
    return Moment(about_id=request.id, what=what, tenant_id=request.tenant_id, at=at)


async def tell(tx: Connection, told: Sequence[Told]) -> None:
    """Publish with the caller's transaction, and count it for the standing audit."""
    if told:
        events = [keyed(each) for each in told]
        await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, events)
        await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, [event for _, event in events])
