"""What follows when Patchline reads another version of the tz data than the last time: shown, and decided anew."""

import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from dateutil.relativedelta import relativedelta

from chassis import flow, outbox
from chassis.platform import Platform
from chassis.postgres import Connection, transaction
from contracts import ids, topics
from contracts.events.clock import ZoneDifference
from services.compliance.clocks import store_deadlines, store_tzdata
from services.compliance.clocks.changes import first_difference
from services.compliance.clocks.records import Difference, Tzdata
from services.compliance.clocks.rules_told import tzdata_changed
from services.compliance.clocks.tzif import rules_by_zone, zone_from
from services.compliance.policies.store_policies import PolicyShelf
from services.compliance.rules_cause import SOURCE

log = logging.getLogger(__name__)

LOOKED_AHEAD: Final = relativedelta(years=10)
"""No deadline is later: that far ahead two versions of a zone are compared."""


async def notice(on: Platform, policies: PolicyShelf, version: str) -> Tzdata:
    """Note that `version` is read, and return since when it is. Call it before the first decision of a process.

    The first version of all moves nothing. Another one is told with the zones in use that differ; the clients in these
    are decided anew, and what that moves is told once it is done.
    """
    async with transaction(on.pool) as tx:
        before = await store_tzdata.lock_last(tx)
        if before is not None and before.version == version:
            return before
        rules, now = rules_by_zone(), on.clock()
        read = Tzdata(number=before.number + 1 if before else 1, version=version, read_at=now)
        await store_tzdata.add(tx, read, rules)
        if before is not None:
            await _show(tx, policies, before, read)
    log.info("tz data read", extra={"version": version, "before": before.version if before else None})
    on.relay.wake()
    return read


async def _show(tx: Connection, policies: PolicyShelf, before: Tzdata, read: Tzdata) -> None:
    clients = await _clients_by_zone(tx, policies, read.read_at)
    windows: defaultdict[str, set[UUID]] = defaultdict(set)
    for tenant, zone in await store_tzdata.window_zones(tx):
        windows[zone].add(tenant)
    differing = await _differing(tx, sorted({*clients, *windows}), before, read)
    for zone, first_at in differing.items():
        why = f"tz data {read.version} instead of {before.version}: {zone} differs from {first_at:%Y-%m-%d %H:%MZ} on"
        difference = Difference(why=why, first_at=first_at, noticed_at=read.read_at)
        await store_deadlines.remember(tx, clients.get(zone, ()), difference)
    concerned = {tenant for zone in differing for tenant in clients.get(zone, ())}
    cause = ids.event_id_of_fields(SOURCE, "tzdata.read", read.read_at, read.version)
    await store_deadlines.decide_anew(tx, concerned, cause, read.read_at)
    told = tzdata_changed(
        before,
        read,
        [
            ZoneDifference(zone=zone, first_at=first_at, clients=len(clients.get(zone, set()) | windows[zone]))
            for zone, first_at in differing.items()
        ],
    )
    await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, [(told.subject, told)])
    await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, [told])


async def _clients_by_zone(tx: Connection, policies: PolicyShelf, now: datetime) -> Mapping[str, set[UUID]]:
    """Return in whose clients' zones deadlines are counted: the policy's zone, else the client's own."""
    by_policy = {tenant: each.policy.zone for tenant, each in (await policies.all_applied(tx, now)).items()}
    found: defaultdict[str, set[UUID]] = defaultdict(set)
    for tenant, own in {**dict(await store_tzdata.client_zones(tx)), **by_policy}.items():
        if own is not None:
            found[own].add(tenant)
    return found


async def _differing(tx: Connection, zones: list[str], before: Tzdata, read: Tzdata) -> dict[str, datetime]:
    """Return from when on each of these zones differs; one that came or went, from now on."""
    was = await store_tzdata.rules_of(tx, before.version, zones)
    becomes = await store_tzdata.rules_of(tx, read.version, zones)
    found: dict[str, datetime] = {}
    for zone in zones:
        old, new = was.get(zone), becomes.get(zone)
        if old == new:
            continue
        first_at: datetime | None = read.read_at
        if old is not None and new is not None:
            until = read.read_at + LOOKED_AHEAD
            first_at = first_difference(zone_from(old, zone), zone_from(new, zone), read.read_at, until)
        if first_at is not None:
            found[zone] = first_at
    return found
