"""Notices policies that come into force or end, tells of them, and has the clients' assets decided anew."""

import logging

from chassis import flow, outbox
from chassis.platform import Platform
from chassis.postgres import transaction
from contracts import topics
from services.compliance import store_recheck
from services.compliance.policies import store_policies
from services.compliance.policies.rules_told import policy_applied

log = logging.getLogger(__name__)


class PolicyNotices:
    """Looks at what was recorded and at the clock."""

    def __init__(self, on: Platform) -> None:
        """Look by the clock of `on`."""
        self._on = on

    async def notice(self) -> bool:
        """Tell what came into force since the last look. There is never more at once."""
        async with transaction(self._on.pool) as tx:
            turns = await store_policies.turned(tx, self._on.clock())
            events = [policy_applied(turn) for turn in turns]
            for turn, event in zip(turns, events, strict=True):
                await store_recheck.of_tenants(tx, [turn.tenant_id], event.id, turn.at)
            if events:
                await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, [(each.subject, each) for each in events])
                await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, events)
        if turns:
            self._on.relay.wake()
            log.info("policies in force changed", extra={"clients": len(turns)})
        return False
