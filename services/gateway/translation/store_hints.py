"""Hints of vendors that a resource changed, until a poller has read it: the newest of each resource."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString

from chassis.postgres import Connection
from services.gateway.translation.rules_translate import Item
from services.gateway.vendors.translation import Hinted

HINT: Final[LiteralString] = """
    INSERT INTO exposure_hint AS h (source, organisation, resource, change, raw_id, hinted_at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::uuid[], $6::timestamptz[])
    ON CONFLICT (source, organisation, resource) DO UPDATE
    SET change = excluded.change, raw_id = excluded.raw_id, hinted_at = excluded.hinted_at
    WHERE h.hinted_at < excluded.hinted_at
"""


WAKE: Final[LiteralString] = """
    UPDATE poll_state SET next_at = $2 WHERE source = ANY($1::text[]) AND next_at > $2 AND failures = 0
"""
"""What fails is left alone until its back-off is over, whatever is hinted at meanwhile."""


async def hint(tx: Connection, hints: Sequence[tuple[Item, Hinted]]) -> None:
    """Keep the newest hint of each resource and wake who reads it; an older or repeated one is a no-op."""
    newest: dict[tuple[str, str, str], tuple[Item, Hinted]] = {}
    for item, each in hints:
        key = (item.delivery.source, each.organisation, each.resource)
        if key not in newest or newest[key][0].delivery.received <= item.delivery.received:
            newest[key] = (item, each)
    if not newest:
        return
    keys = sorted(newest)
    chosen = [newest[key] for key in keys]
    await tx.execute(
        HINT,
        *([key[column] for key in keys] for column in range(3)),
        [each.change for _, each in chosen],
        [item.delivery.raw_id for item, _ in chosen],
        [_at(item) for item, _ in chosen],
    )
    await tx.execute(WAKE, sorted({key[0] for key in keys}), max(_at(item) for item, _ in chosen))


def _at(item: Item) -> datetime:
    return item.delivery.received
