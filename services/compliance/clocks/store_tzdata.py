"""Which tz data the service read when, and the rules of every zone in it."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.clocks.records import Tzdata
from services.compliance.clocks.tzif import zone_from

LAST: Final[LiteralString] = "SELECT number, version, read_at FROM tzdata_read ORDER BY number DESC LIMIT 1"
LOCK: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('compliance.tzdata', 0))"


async def last(tx: Connection) -> Tzdata | None:
    """Return the version that was begun to be read last; `None`: none was yet."""
    row = await tx.fetchrow(LAST)
    return Tzdata(**row) if row else None


async def lock_last(tx: Connection) -> Tzdata | None:
    """Return the same; nobody else begins to read another until the transaction ends."""
    await tx.execute(LOCK)
    return await last(tx)


ADD: Final[LiteralString] = "INSERT INTO tzdata_read (number, version, read_at) VALUES ($1, $2, $3)"
KEEP: Final[LiteralString] = """
    INSERT INTO zone_rules (version, zone, rules) SELECT $1, * FROM unnest($2::text[], $3::bytea[])
    ON CONFLICT (version, zone) DO NOTHING
"""


async def add(tx: Connection, read: Tzdata, rules_by_zone: Mapping[str, bytes]) -> None:
    """Note that a version is read from now on, and keep its rules."""
    zones = sorted(rules_by_zone)
    await tx.execute(KEEP, read.version, zones, [rules_by_zone[each] for each in zones])
    await tx.execute(ADD, read.number, read.version, read.read_at)


RULES: Final[LiteralString] = "SELECT zone, rules FROM zone_rules WHERE version = $1 AND zone = ANY($2::text[])"


async def rules_of(tx: Connection, version: str, zones: list[str]) -> dict[str, bytes]:
    """Return the rules of these zones in a version, as far as it had them."""
    return {row["zone"]: row["rules"] for row in await tx.fetch(RULES, version, zones)}


async def zone_as_of(tx: Connection, version: str, zone: str) -> tzinfo | None:
    """Return a zone as a version of the tz data that was once read has it; `None`: it had none of that name."""
    rules = (await rules_of(tx, version, [zone])).get(zone)
    return zone_from(rules, zone) if rules is not None else None


CLIENT_ZONES: Final[LiteralString] = "SELECT tenant_id, zone FROM client"
WINDOW_ZONES: Final[LiteralString] = "SELECT DISTINCT tenant_id, zone FROM window_rule"


async def client_zones(tx: Connection) -> list[tuple[UUID, str]]:
    """Return the zone of each client, as it was told of."""
    return [(row["tenant_id"], row["zone"]) for row in await tx.fetch(CLIENT_ZONES)]


async def window_zones(tx: Connection) -> list[tuple[UUID, str]]:
    """Return the zones of each client's windows."""
    return [(row["tenant_id"], row["zone"]) for row in await tx.fetch(WINDOW_ZONES)]
