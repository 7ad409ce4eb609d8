"""Decides how urgent what is open is, client by client, whenever something that it depends on changed."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from chassis import flow, outbox
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts import ids, topics
from contracts.envelope import Envelope
from contracts.events.priority import PriorityDecided
from services.compliance.catalog.model import Catalog
from services.compliance.policy import Policy
from services.compliance.priority import rules_told, store_priority, store_triage, triages
from services.compliance.priority.rules_asked import forensics
from services.compliance.priority.rules_needs import Key, Wanted, wanted
from services.compliance.priority.rules_priority import Desk, Judged, judged, lacking, next_change_at
from services.compliance.priority.store_priority import Client, Decided
from services.compliance.priority.tables import trees
from services.compliance.rules_cause import SOURCE
from services.compliance.store_catalog import CatalogShelf

LONGEST_SECONDS: Final = 0.2
"""After so long no further client is looked at in the same transaction: there may be a thousand with news at once."""

SWEEP: Final = timedelta(hours=1)
"""So often a client is looked at although nothing says that there is news."""


class Priorities:
    """Looks at the clients of which something changed, the one that was not looked at for longest first."""

    def __init__(self, on: Platform, shelf: CatalogShelf, policy: Policy) -> None:
        """Decide by the catalog, feeds and policies on `shelf`, by `policy` for clients who have none."""
        self._on = on
        self._shelf = shelf
        self._policy = policy

    async def look(self) -> bool:
        """Decide anew for the next few clients of which something changed. The others wait for the next time."""
        now = self._on.clock()
        async with transaction(self._on.pool) as tx:
            clients = await store_priority.clients(tx)
            catalog = await self._shelf.newest(tx)
            policies = await self._shelf.policies.policies_for(tx, [each.tenant_id for each in clients], now)
            told: list[Envelope] = []
            began = time.monotonic()
            for client in clients:
                policy = policies.get(client.tenant_id, self._policy)
                if not has_news(client, _inputs(catalog, policy), now):
                    continue
                if await store_priority.claim(tx, client.tenant_id):
                    told += await _look(tx, client, await _desk(tx, client.tenant_id, policy, catalog=catalog, now=now))
                if time.monotonic() - began > LONGEST_SECONDS:
                    break
            await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, [(each.subject, each) for each in told])
            await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, told)
        if told:
            self._on.relay.wake()
        return False


def has_news(client: Client, inputs: str, now: datetime) -> bool:
    """Return whether a client is to be looked at."""
    return (
        client.looked_at is None
        or client.inputs != inputs
        or client.now != client.seen
        or client.is_retagged
        or (client.next_at is not None and client.next_at <= now)
        or client.looked_at <= now - SWEEP
    )


def _inputs(catalog: Catalog, policy: Policy) -> str:
    return f"{catalog.label} {catalog.intelligence.id} {policy.id}"


async def _desk(tx: Connection, tenant: UUID, policy: Policy, *, catalog: Catalog, now: datetime) -> Desk:
    overrides = await store_priority.overrides(tx, tenant, now)
    return Desk(tenant_id=tenant, policy=policy, catalog=catalog, trees=trees(), overrides=overrides, now=now)


async def _look(tx: Connection, client: Client, desk: Desk) -> list[Envelope]:
    tenant, policy, catalog = desk.tenant_id, desk.policy, desk.catalog
    needs = wanted(await store_priority.groups(tx, tenant), policy=policy, catalog=catalog)
    events = await _decide(tx, needs, desk)
    if requirements := _forensic(needs, desk):
        await triages.begun(tx, tenant, requirements, policy=policy, catalog=catalog, now=desk.now)
    events += await triages.follow(tx, await store_triage.of_tenant(tx, tenant), desk.now)
    next_at = next_change_at(desk.overrides, desk.now)
    await store_priority.mark(tx, client, inputs=_inputs(catalog, policy), at=desk.now, next_at=next_at)
    return events


async def _decide(tx: Connection, needs: Mapping[Key, Wanted], desk: Desk) -> list[Envelope]:
    """Log and return what is news; keep on how many machines each is open."""
    kept = await store_priority.standing(tx, desk.tenant_id)
    decided: list[Decided] = []
    for key, each in needs.items():
        found, before = judged(each.need, each.machines, desk), kept.get(key)
        if before is None or before.digest != found.digest:
            decided.append(_decided(found, desk, before=before.outcome if before else None))
    if decided:
        await store_priority.log(tx, decided)
    new = {each.key for each in decided}
    is_open = {key: needs[key].open if key in needs else 0 for key in {*needs, *kept}}
    counted = {key: count for key, count in is_open.items() if key in new or kept[key].open != count}
    await store_priority.save(tx, desk.tenant_id, decided, counted)
    return [_envelope(each) for each in decided]


def _decided(found: Judged, desk: Desk, *, before: str | None) -> Decided:
    about = (str(desk.tenant_id), str(found.requirement_id), found.release, found.machines.key, found.digest)
    return Decided(
        id=ids.event_id_of_fields(SOURCE, PriorityDecided.TYPE, desk.now, *about),
        tenant_id=desk.tenant_id,
        judged=found,
        before=before,
        catalog=desk.catalog.label,
        at=desk.now,
    )


def _envelope(decided: Decided) -> Envelope:
    return Envelope(
        id=decided.id,
        source=SOURCE,
        subject=f"{decided.tenant_id}/{decided.judged.requirement_id}",
        time=decided.at,
        received=decided.at,
        tenant=decided.tenant_id,
        data=rules_told.decided(decided.judged, before=decided.before, catalog=decided.catalog),
    )


def _forensic(needs: Mapping[Key, Wanted], desk: Desk) -> set[UUID]:
    """Return the requirements of which some machine's rule asks for a triage."""
    return {
        each.need.requirement.id
        for each in needs.values()
        if any(
            forensics(desk.policy, each.machines, release, desk.catalog.risk(release)) is not None
            for release in lacking(each.need.requirement, each.need.release.name, each.since)
        )
    }
