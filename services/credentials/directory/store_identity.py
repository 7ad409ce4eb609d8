"""Accounts as we know them, in PostgreSQL. Unqualified names: the schema is on the search path."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Final, LiteralString
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from chassis.postgres import Connection
from contracts.events.credential import AccountKind
from services.credentials.directory import rules_identity
from services.credentials.records import Account, Identity

Wanted = tuple[UUID, str]
"""A client, and a login or a directory's immutable id of an account of it."""

_ACCOUNT: Final = TypeAdapter(Account)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old what we know of a client's accounts is.

    `read_at` is when the reading of the directory that was read longest ago began; `None`: one of them was never read
    whole, or the client has none.
    """

    read_at: datetime | None

    def within(self, limit: timedelta, now: datetime) -> bool:
        """Return whether all of it was read at most `limit` ago."""
        return self.read_at is not None and now - self.read_at <= limit


FIND: Final[LiteralString] = """
    SELECT i.tenant_id, i.directory, i.object_id, i.logins, i.account, i.kind, i.kind_why, i.privileged, i.read_at
    FROM (
        SELECT l.directory, l.object_id
        FROM unnest($1::uuid[], $2::text[]) AS w (tenant, login)
        JOIN login AS l ON l.tenant_id = w.tenant AND l.login = w.login
        UNION
        SELECT i.directory, i.object_id
        FROM unnest($1::uuid[], $3::text[]) AS w (tenant, object)
        JOIN identity AS i ON i.tenant_id = w.tenant AND i.object_id = w.object
    ) AS found
    JOIN identity AS i USING (directory, object_id)
    WHERE i.gone_at IS NULL
"""
"""One look for all: asking for ten thousand one by one takes a minute, and that is what a flood brings."""


async def find(tx: Connection, wanted: Collection[Wanted]) -> dict[Wanted, list[Identity]]:
    """Return by each client and login, or immutable id, the accounts that have it: several where directories overlap.

    What nobody has is not in the answer; an account that the directory shows no longer is nobody's. A login is
    compared as `rules_identity.login_of` writes it. `rules_identity.authoritative` says which of several counts.
    """
    ordered = sorted(set(wanted))
    tenants, texts = [tenant for tenant, _ in ordered], [text for _, text in ordered]
    rows = await tx.fetch(FIND, tenants, [rules_identity.login_of(text) for text in texts], texts) if ordered else []
    having: dict[Wanted, list[asyncpg.Record]] = {}
    for row in rows:
        for name in {row["object_id"], *row["logins"]}:
            having.setdefault((row["tenant_id"], name), []).append(row)
    found: dict[Wanted, list[Identity]] = {}
    for tenant, text in ordered:
        by_id, by_login = having.get((tenant, text), []), having.get((tenant, rules_identity.login_of(text)), [])
        whole = {(row["directory"], row["object_id"]): row for row in (*by_id, *by_login)}
        if whole:
            found[tenant, text] = [identity_of(row) for _, row in sorted(whole.items(), key=itemgetter(0))]
    return found


ONE: Final[LiteralString] = """
    SELECT tenant_id, directory, account, kind, kind_why, privileged, read_at
    FROM identity
    WHERE directory = $1 AND object_id = $2 AND gone_at IS NULL
"""


async def load(tx: Connection, directory: str, object_id: str) -> Identity | None:
    """Return one account by its immutable id; `None`: the directory does not show it, or no longer."""
    row = await tx.fetchrow(ONE, directory, object_id)
    return None if row is None else identity_of(row)


POWERFUL: Final[LiteralString] = """
    SELECT tenant_id, directory, account, kind, kind_why, privileged, read_at
    FROM identity
    WHERE tenant_id = $1 AND privileged AND gone_at IS NULL
    ORDER BY directory, object_id
"""


async def privileged(tx: Connection, tenant: UUID) -> list[Identity]:
    """Return every account of a client that has power: what `rules_identity.is_last_path` looks at."""
    return [identity_of(row) for row in await tx.fetch(POWERFUL, tenant)]


PERSONS: Final[LiteralString] = """
    SELECT tenant_id, count(*) AS persons FROM identity
    WHERE tenant_id = ANY($1::uuid[]) AND gone_at IS NULL AND enabled AND kind = 'person'
    GROUP BY tenant_id
"""


async def enabled_persons(tx: Connection, tenants: Collection[UUID]) -> dict[UUID, int]:
    """Return how many enabled persons each client has; a client without any is not in the answer."""
    return {row["tenant_id"]: row["persons"] for row in await tx.fetch(PERSONS, sorted(tenants))}


FRESH: Final[LiteralString] = """
    SELECT tenant_id, CASE WHEN bool_and(fresh_at IS NOT NULL) THEN min(fresh_at) END AS read_at
    FROM directory
    WHERE tenant_id = ANY($1::uuid[])
    GROUP BY tenant_id
"""


async def freshness(tx: Connection, tenants: Collection[UUID]) -> dict[UUID, Freshness]:
    """Return how old what we know of each of these clients is."""
    read_at = {row["tenant_id"]: row["read_at"] for row in await tx.fetch(FRESH, sorted(tenants))}
    return {tenant: Freshness(read_at=read_at.get(tenant)) for tenant in tenants}


async def fresh(tx: Connection, tenant: UUID, now: datetime, *, within: timedelta) -> bool:
    """Return whether all directories of a client were read whole at most `within` ago; false where it has none."""
    return (await freshness(tx, [tenant]))[tenant].within(within, now)


DOMAINS: Final[LiteralString] = """
    SELECT tenant_id, domain FROM directory CROSS JOIN unnest(domains) AS domain WHERE tenant_id = ANY($1::uuid[])
"""


async def domains(tx: Connection, tenants: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    """Return the domains, lower case, that each client's directories have verified as their own."""
    found: dict[UUID, set[str]] = {tenant: set() for tenant in tenants}
    for row in await tx.fetch(DOMAINS, sorted(found)):
        found[row["tenant_id"]].add(row["domain"])
    return {tenant: frozenset(each) for tenant, each in found.items()}


SAVE: Final[LiteralString] = """
    INSERT INTO identity AS i (directory, object_id, tenant_id, logins, account, enabled, kind, kind_why, privileged,
                               read_at)
    SELECT t.directory, t.object_id, t.tenant, ARRAY(SELECT jsonb_object_keys(t.logins)), t.account, t.enabled,
           t.kind, t.kind_why, t.privileged, t.read_at
    FROM unnest($1::text[], $2::text[], $3::uuid[], $4::jsonb[], $5::jsonb[], $6::boolean[], $7::text[], $8::text[],
                $9::boolean[], $10::timestamptz[])
        AS t (directory, object_id, tenant, logins, account, enabled, kind, kind_why, privileged, read_at)
    ON CONFLICT (directory, object_id) DO UPDATE
    SET logins = excluded.logins, account = excluded.account, enabled = excluded.enabled, kind = excluded.kind,
        kind_why = excluded.kind_why, privileged = excluded.privileged, read_at = excluded.read_at, gone_at = NULL
    WHERE i.tenant_id = excluded.tenant_id AND i.read_at <= excluded.read_at  -- what was asked earlier changes nothing
"""
DROP_LOGINS: Final[LiteralString] = """
    DELETE FROM login AS l USING unnest($1::text[], $2::text[]) AS saved (directory, object_id), identity AS i
    WHERE (l.directory, l.object_id) = (saved.directory, saved.object_id)
      AND (i.directory, i.object_id) = (saved.directory, saved.object_id) AND NOT l.login = ANY(i.logins)
"""
ADD_LOGINS: Final[LiteralString] = """
    INSERT INTO login (tenant_id, login, directory, object_id)
    SELECT i.tenant_id, each.login, i.directory, i.object_id
    FROM unnest($1::text[], $2::text[]) AS saved (directory, object_id)
    JOIN identity AS i USING (directory, object_id)
    CROSS JOIN LATERAL unnest(i.logins) AS each (login)
    ORDER BY i.tenant_id, each.login, i.directory, i.object_id
    ON CONFLICT DO NOTHING
"""


async def save(tx: Connection, identities: Iterable[Identity]) -> None:
    """Keep what was read of accounts, each by the moment at which its directory was asked; repeating it is a no-op."""
    rows = [
        (
            each.directory,
            each.object_id,
            each.tenant,
            {rules_identity.login_of(login): True for login in each.account.logins},  # a list of lists is no array
            _ACCOUNT.dump_python(each.account, mode="json"),
            each.account.enabled,
            each.kind.value,
            each.kind_why,
            each.privileged,
            each.read_at,
        )
        for each in sorted(identities, key=lambda each: (each.directory, each.object_id))
    ]
    if rows:
        await tx.execute(SAVE, *zip(*rows, strict=True))
        saved = [row[0] for row in rows], [row[1] for row in rows]
        await tx.execute(DROP_LOGINS, *saved)
        await tx.execute(ADD_LOGINS, *saved)


async def save_fresh(tx: Connection, identity: Identity) -> None:
    """Keep what a single account looks like now, between two readings of its whole directory."""
    await save(tx, [identity])


GONE: Final[LiteralString] = """
    UPDATE identity SET gone_at = $3, read_at = $3
    WHERE directory = $1 AND object_id = ANY($2::text[]) AND gone_at IS NULL AND read_at <= $3
"""


async def mark_gone(tx: Connection, directory: str, object_ids: Sequence[str], at: datetime) -> None:
    """Say that a directory, asked at `at`, does not have these accounts any more. They are kept."""
    await tx.execute(GONE, directory, sorted(object_ids), at)


GONE_UNSEEN: Final[LiteralString] = """
    UPDATE identity SET gone_at = $3 WHERE directory = $1 AND gone_at IS NULL AND read_at < $2
"""


async def mark_unseen_gone(tx: Connection, directory: str, *, began_at: datetime, at: datetime) -> int:
    """Say that what a whole reading, begun at `began_at`, did not show is gone; return how many accounts that were."""
    return int((await tx.execute(GONE_UNSEEN, directory, began_at, at)).rpartition(" ")[2])


COUNT: Final[LiteralString] = """
    SELECT count(*) AS known, count(*) FILTER (WHERE read_at >= $2) AS seen
    FROM identity
    WHERE directory = $1 AND gone_at IS NULL
"""


async def counted(tx: Connection, directory: str, began_at: datetime) -> tuple[int, int]:
    """Return how many accounts of a directory are known, and how many of them were seen since `began_at`."""
    [row] = await tx.fetch(COUNT, directory, began_at)
    return row["known"], row["seen"]


def identity_of(row: asyncpg.Record) -> Identity:
    """Return an account as we know it from its row."""
    return Identity(
        tenant=row["tenant_id"],
        directory=row["directory"],
        account=account_of(row["account"]),
        kind=AccountKind(row["kind"]),
        kind_why=row["kind_why"],
        privileged=row["privileged"],
        read_at=row["read_at"],
    )


def account_of(kept: Mapping[str, object]) -> Account:
    """Return an account as it was kept."""
    return _ACCOUNT.validate_python(kept)
