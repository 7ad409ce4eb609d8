"""What waits in an outbox, whether a record has a row there or many are packed into one."""

from typing import Final, LiteralString

from chassis.outbox import keyed_of
from chassis.postgres import Connection, Pool
from contracts.envelope import Envelope, Message, decode
from contracts.records import message_of

WAITING: Final[LiteralString] = """
    SELECT topic, key, headers, value, records, pack FROM outbox_waiting
    WHERE topic LIKE $1 AND topic NOT LIKE '%.dlq' ORDER BY id
"""


async def messages_in(on: Connection | Pool, topic: str = "%") -> list[tuple[str, Message]]:
    """Return the topic and the record of what waits for one topic or for all; those of a key in their order."""
    rows = await on.fetch(WAITING, topic)
    return [(row["topic"], message_of(body)) for row in rows for _, body in keyed_of(row)]


async def waiting_in(on: Connection | Pool, topic: str = "%") -> list[Envelope]:
    """Return the events that wait for a topic or for all, dead letters left out; those of a key in their order."""
    return [decode(message.headers, message.value) for _, message in await messages_in(on, topic)]
