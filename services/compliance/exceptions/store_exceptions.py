"""Exceptions that were granted, as evaluation reads them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.exceptions.records import Granted, Lane

GRANTED: Final[LiteralString] = """
    SELECT e.exception_id, e.tenant_id, e.requirement_id, e.asset_ids, e.valid_from, e.until, e.lane, r.revoked_at
    FROM exception AS e LEFT JOIN exception_revocation AS r USING (exception_id)
    WHERE e.tenant_id = ANY($1::uuid[])
    ORDER BY e.valid_from, e.exception_id
"""


async def in_force(tx: Connection, tenant_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Granted]]:
    """Return by client every exception ever granted: those to come, expired, revoked too. One without any is absent.

    Read it after the assets are locked: whoever grants or revokes lets the machines be decided anew in the same
    transaction, so what was decided with fewer exceptions is decided again. When time alone begins or ends one, only
    the obligation's `next_change_at` notices: it must be no later than the next `valid_from` or `ends_at`.
    """
    found: dict[UUID, list[Granted]] = {}
    for row in await tx.fetch(GRANTED, sorted(tenant_ids)):
        granted = Granted(
            id=row["exception_id"],
            tenant_id=row["tenant_id"],
            requirement_id=row["requirement_id"],
            asset_ids=None if row["asset_ids"] is None else frozenset(row["asset_ids"]),
            valid_from=row["valid_from"],
            until=row["until"],
            revoked_at=row["revoked_at"],
            lane=Lane(row["lane"]),
        )
        found.setdefault(granted.tenant_id, []).append(granted)
    return found
