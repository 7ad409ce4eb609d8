"""What `patchline directory` and `patchline identity` read and write, as the operator's role."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection

ADD: Final[LiteralString] = """
    INSERT INTO credentials.directory (name, tenant_id, kind, options, secret, every_seconds, added_at, next_at)
    VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $7)
    ON CONFLICT DO NOTHING
    RETURNING name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A directory as an operator describes it."""

    name: str
    tenant: UUID
    kind: str
    options: Mapping[str, str]
    secret: str
    every_seconds: int


async def add(tx: Connection, added: Added, at: datetime) -> bool:
    """Add a directory, to be read at once; false if its name is taken."""
    return bool(
        await tx.fetchval(
            ADD, added.name, added.tenant, added.kind, dict(added.options), added.secret, added.every_seconds, at
        )
    )


CHANGE: Final[LiteralString] = """
    UPDATE credentials.directory
    SET options = coalesce($2::jsonb, options), secret = coalesce($3, secret),
        every_seconds = coalesce($4, every_seconds), enabled = coalesce($5, enabled), next_at = $6
    WHERE name = $1
    RETURNING name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What becomes different about a directory; `None` stays."""

    options: Mapping[str, str] | None = None
    secret: str | None = None
    every_seconds: int | None = None
    enabled: bool | None = None


async def change(tx: Connection, name: str, changed: Changed, at: datetime) -> bool:
    """Change a directory, and have it read at once; false if there is none of that name."""
    options = None if changed.options is None else dict(changed.options)
    return bool(await tx.fetchval(CHANGE, name, options, changed.secret, changed.every_seconds, changed.enabled, at))


REMOVE: Final[LiteralString] = "DELETE FROM credentials.directory WHERE name = $1 RETURNING accounts"


async def remove(tx: Connection, name: str) -> bool:
    """Forget a directory and every account of it; false if there is none of that name."""
    return await tx.fetchval(REMOVE, name) is not None


ONE: Final[LiteralString] = """
    SELECT name, tenant_id, kind, options, secret FROM credentials.directory WHERE name = $1 FOR UPDATE
"""


async def load_for_update(tx: Connection, name: str) -> asyncpg.Record | None:
    """Lock and return a directory; `None`: there is none of that name."""
    return await tx.fetchrow(ONE, name)


LIST: Final[LiteralString] = """
    SELECT coalesce(c.name, d.tenant_id::text) AS client, d.name AS directory, d.kind, d.enabled, d.fresh_at,
           d.accounts,
           (SELECT count(*) FROM credentials.identity AS i
            WHERE i.directory = d.name AND i.gone_at IS NULL AND i.privileged) AS privileged,
           array_to_string(d.domains, ', ') AS domains, d.failures, d.last_error AS error, d.failed_at, d.next_at,
           d.leased_until IS NOT NULL AS reading, d.every_seconds, d.options, d.secret, d.own_id, d.added_at
    FROM credentials.directory AS d
    LEFT JOIN gateway.client AS c USING (tenant_id)
    WHERE $1::text IS NULL OR c.name = $1
    ORDER BY client, directory
"""


async def every(tx: Connection, client: str | None) -> list[dict[str, Any]]:
    """Return the directories of one client, or of all, as the command line shows them."""
    return [dict(row) for row in await tx.fetch(LIST, client)]


ASK: Final[LiteralString] = """
    UPDATE credentials.directory SET next_at = $2, fewer_is_right = fewer_is_right OR $3
    WHERE name = $1
    RETURNING enabled
"""


async def ask(tx: Connection, name: str, at: datetime, *, fewer_is_right: bool) -> bool | None:
    """Have a directory read now; return whether it is switched on, or `None` if there is none of that name."""
    enabled: bool | None = await tx.fetchval(ASK, name, at, fewer_is_right)
    return enabled


PROGRESS: Final[LiteralString] = """
    SELECT d.fresh_at, d.failed_at, d.last_error, d.leased_until, d.accounts,
           (SELECT count(*) FROM credentials.identity AS i WHERE i.directory = d.name AND i.read_at >= $2) AS seen
    FROM credentials.directory AS d
    WHERE d.name = $1
"""


async def progress(tx: Connection, name: str, since: datetime) -> asyncpg.Record | None:
    """Return how far a reading is that was asked for at `since`."""
    return await tx.fetchrow(PROGRESS, name, since)


IDENTITIES: Final[LiteralString] = """
    SELECT coalesce(i.logins[1], i.object_id) AS login, i.kind, i.privileged, i.enabled, i.kind_why AS why,
           i.account ->> 'authority' AS authority, (i.account ->> 'mfa')::boolean AS mfa,
           (i.account ->> 'password_changed_at')::timestamptz AS password_changed_at,
           (i.account ->> 'last_used_at')::timestamptz AS last_used_at,
           i.directory, i.object_id, i.logins, i.account, i.read_at, i.gone_at, c.name AS client
    FROM credentials.identity AS i
    JOIN gateway.client AS c USING (tenant_id)
    WHERE c.name = $1
      AND ($2::text IS NULL OR i.kind = $2)
      AND (NOT $3::boolean OR i.privileged)
      AND ($4::text IS NULL OR i.directory = $4)
      AND ($5::boolean OR i.gone_at IS NULL)
      AND ($6::text IS NULL OR i.logins @> ARRAY[$6::text] OR i.object_id = $7)
    ORDER BY login, i.directory, i.object_id
    LIMIT $8
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which accounts of a client are shown; `None`: any. `login` is as `rules_identity.login_of` writes it."""

    client: str
    kind: str | None = None
    only_privileged: bool = False
    directory: str | None = None
    with_gone: bool = False
    login: str | None = None
    object_id: str | None = None
    most: int = 1000


async def identities(tx: Connection, wanted: Wanted) -> list[dict[str, Any]]:
    """Return accounts as the command line shows them."""
    rows = await tx.fetch(
        IDENTITIES,
        wanted.client,
        wanted.kind,
        wanted.only_privileged,
        wanted.directory,
        wanted.with_gone,
        wanted.login,
        wanted.object_id,
        wanted.most,
    )
    return [dict(row) for row in rows]
