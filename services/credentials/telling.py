"""Every fact of this service is told here: an event on the topic and an entry in the client's audit, or neither."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from uuid import UUID

from chassis import flow, outbox
from chassis.postgres import Connection
from contracts import ids, topics
from contracts.envelope import Envelope
from services.credentials.audit import store_audit
from services.credentials.guard import levels
from services.credentials.records import Fact

GROUP: Final = "credentials"
"""The consumer group, under whose name the standing audit counts what is told."""

SOURCE: Final = "patchline/credentials"


async def tell(tx: Connection, facts: Sequence[Fact]) -> None:
    """Publish `facts` and add them to their clients' audit, in their order, with the caller's transaction.

    Tell a fact only in the transaction that makes it true: then a repeat is told never, or as the same event.
    """
    if facts:
        keyed = [(fact.key, envelope_of(fact)) for fact in facts]
        await outbox.enqueue_sequenced(tx, topics.CREDENTIALS_EVENTS, keyed)
        await flow.add_published(tx, GROUP, topics.CREDENTIALS_EVENTS.name, [envelope for _, envelope in keyed])
        await levels.follow(tx, facts)
        await store_audit.append(tx, facts)


def envelope_of(fact: Fact) -> Envelope:
    """Return `fact` as it travels."""
    return Envelope(
        id=_id_of(fact),
        source=SOURCE,
        subject=fact.key,
        time=fact.at,
        received=fact.cause.received_at,
        tenant=fact.tenant,
        causation=fact.cause.id,
        correlation=fact.cause.correlation,
        traceparent=fact.cause.traceparent,
        data=fact.event,
    )


def _id_of(fact: Fact) -> UUID:
    """Return the id of a fact: one cause has several of one type, told apart by what they say and when."""
    said = sha256(fact.event.model_dump_json().encode()).hexdigest()
    return ids.fact_id(fact.cause.id, fact.event.TYPE, f"{fact.key}/{ids.moment(fact.at)}/{said}")
