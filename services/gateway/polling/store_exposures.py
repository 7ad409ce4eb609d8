"""What a poll of a feed reads of the gateway's own tables, and the hints that it has followed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString

from chassis.postgres import Connection
from services.gateway.polling import store_poll
from services.gateway.polling.rules_exposed import Before, Hint
from services.gateway.polling.store_poll import Due

MOST_HINTS: Final = 500
"""So many are followed in one poll, the oldest first; the rest brings about the next one."""

ORGANISATIONS: Final[LiteralString] = """
    SELECT DISTINCT organisation FROM client_mapping
    WHERE source_id = $1 AND (valid_from IS NULL OR valid_from <= $2) AND (valid_to IS NULL OR valid_to > $2)
    ORDER BY organisation
"""
HINTS: Final[LiteralString] = """
    SELECT organisation, resource, raw_id FROM exposure_hint
    WHERE source = $1 AND organisation = ANY($2::text[]) ORDER BY hinted_at, organisation, resource LIMIT $3
"""


async def before(connection: Connection, due: Due, read_at: datetime) -> Before:
    """Return what is known of a source when a poll of it begins."""
    organisations = [row["organisation"] for row in await connection.fetch(ORGANISATIONS, due.source, read_at)]
    hints = await connection.fetch(HINTS, due.source, organisations, MOST_HINTS)
    return Before(
        read_at=read_at,
        every=due.every,
        snapshots=await store_poll.every_snapshot(connection, due.source),
        organisations=organisations,
        hints=[Hint(row["organisation"], row["resource"], row["raw_id"]) for row in hints],
    )


FOLLOWED: Final[LiteralString] = """
    DELETE FROM exposure_hint AS h
    USING (SELECT * FROM unnest($2::text[], $3::text[], $4::uuid[])) AS read (organisation, resource, raw_id)
    WHERE h.source = $1 AND (h.organisation, h.resource, h.raw_id) = (read.organisation, read.resource, read.raw_id)
"""


async def forget_hints(tx: Connection, source: str, hints: Sequence[Hint]) -> None:
    """Forget hints that were followed; one that came again meanwhile stays."""
    ordered = sorted(hints, key=lambda each: (each.organisation, each.resource))
    await tx.execute(
        FOLLOWED,
        source,
        [each.organisation for each in ordered],
        [each.resource for each in ordered],
        [each.raw_id for each in ordered],
    )


WAITING: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM exposure_hint WHERE source = $1 AND organisation = ANY($2::text[]))
"""


async def has_hints(tx: Connection, source: str, organisations: Sequence[str]) -> bool:
    """Return whether something of these organisations is still to be read."""
    return bool(await tx.fetchval(WAITING, source, list(organisations)))
