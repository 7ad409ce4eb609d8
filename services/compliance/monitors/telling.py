"""How facts of monitors leave: with the transaction that decided them, numbered per machine, and counted."""

from collections.abc import Sequence

from chassis import flow, outbox
from chassis.postgres import Connection
from contracts import topics
from contracts.envelope import Envelope


async def tell(tx: Connection, events: Sequence[Envelope]) -> None:
    """Publish these once `tx` is committed."""
    if events:
        await outbox.enqueue_sequenced(tx, topics.COMPLIANCE_EVENTS, [(each.subject, each) for each in events])
        await flow.add_published(tx, "compliance", topics.COMPLIANCE_EVENTS.name, events)
