"""What the monitors of hygiene look at, and what they found before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.credentials.directory.rules_hygiene import Change, Finding, Leaver, Monitor, Subject
from services.credentials.directory.rules_identity import login_of
from services.credentials.directory.store_identity import identity_of
from services.credentials.records import Identity

ENLIST: Final[LiteralString] = """
    INSERT INTO hygiene_round (tenant_id) SELECT DISTINCT tenant_id FROM directory ORDER BY tenant_id
    ON CONFLICT DO NOTHING
"""
TURN: Final[LiteralString] = """
    SELECT r.tenant_id FROM hygiene_round AS r
    WHERE r.looked_at IS NULL OR r.looked_at <= $1
       OR EXISTS (SELECT FROM directory AS d
                  WHERE d.tenant_id = r.tenant_id AND d.fresh_at > coalesce(r.fresh_at, '-infinity'))
    ORDER BY r.looked_at NULLS FIRST, r.tenant_id
    LIMIT 1
    FOR UPDATE OF r SKIP LOCKED
"""


async def next_turn(tx: Connection, before: datetime) -> UUID | None:
    """Lock and return a client whose accounts were read since they were looked at, or were last looked at `before`.

    `None`: there is none. Nobody else looks at it until the transaction ends.
    """
    await tx.execute(ENLIST)
    tenant: UUID | None = await tx.fetchval(TURN, before)
    return tenant


LOOKED: Final[LiteralString] = """
    UPDATE hygiene_round SET looked_at = $2,
        fresh_at = (SELECT max(d.fresh_at) FROM directory AS d WHERE d.tenant_id = hygiene_round.tenant_id)
    WHERE tenant_id = $1
"""


async def looked(tx: Connection, tenant: UUID, at: datetime) -> None:
    """Say that a client was looked at."""
    await tx.execute(LOOKED, tenant, at)


OF_INTEREST: Final[LiteralString] = """
    SELECT tenant_id, directory, account, kind, kind_why, privileged, read_at
    FROM identity
    WHERE tenant_id = $1 AND gone_at IS NULL
      AND (privileged OR kind <> 'person' OR account -> 'mfa' = 'false'
           OR logins && $2::text[] OR object_id = ANY($3::text[]))
    ORDER BY directory, object_id
"""
REGISTERED: Final[LiteralString] = """
    SELECT i.tenant_id, i.directory, i.account, i.kind, i.kind_why, i.privileged, i.read_at
    FROM unnest($2::text[]) AS bare (login)
    JOIN login AS l ON l.tenant_id = $1 AND l.login = bare.login
    JOIN identity AS i ON (i.directory, i.object_id) = (l.directory, l.object_id)
    WHERE i.gone_at IS NULL AND i.account -> 'mfa' = 'true'
    ORDER BY i.directory, i.object_id
"""


async def load_accounts(
    tx: Connection, tenant: UUID, *, named: Sequence[str], leavers: Sequence[Leaver]
) -> list[Identity]:
    """Return the accounts that a monitor could find something about; a policy lists `named`, logins or ids.

    Of who shows no second factor in one directory also the copies in others that show one.
    """
    logins = sorted({*named, *(each.login for each in leavers)})
    object_ids = sorted({*named, *(object_id for each in leavers for _, object_id in each.accounts)})
    found = [identity_of(row) for row in await tx.fetch(OF_INTEREST, tenant, logins, object_ids)]
    bare = {login_of(login) for each in found if each.account.mfa is False for login in each.account.logins}
    copies = [identity_of(row) for row in await tx.fetch(REGISTERED, tenant, sorted(bare))]
    return list({(each.directory, each.object_id): each for each in (*found, *copies)}.values())


SHOWS_USE: Final[LiteralString] = """
    SELECT d.name FROM directory AS d
    WHERE d.tenant_id = $1
      AND EXISTS (SELECT FROM identity AS i WHERE i.directory = d.name AND i.account -> 'last_used_at' <> 'null')
"""


async def show_use(tx: Connection, tenant: UUID) -> frozenset[str]:
    """Return the directories of a client that tell of at least one account when it was used."""
    return frozenset(row["name"] for row in await tx.fetch(SHOWS_USE, tenant))


LEAVERS: Final[LiteralString] = """
    SELECT o.login, o.directories, o.object_ids, o.leaves_at,
           ARRAY(SELECT item FROM offboarding_item AS i
                 WHERE i.offboarding_id = o.offboarding_id AND i.done_at IS NULL ORDER BY number) AS open_items
    FROM offboarding AS o
    WHERE o.tenant_id = $1 AND o.called_off_at IS NULL
    ORDER BY o.login
"""


async def load_leavers(tx: Connection, tenant: UUID) -> list[Leaver]:
    """Return who leaves a client, or left it."""
    return [
        Leaver(
            login=row["login"],
            accounts=frozenset(zip(row["directories"], row["object_ids"], strict=True)),
            leaves_at=row["leaves_at"],
            open_items=tuple(row["open_items"]),
        )
        for row in await tx.fetch(LEAVERS, tenant)
    ]


BEFORE: Final[LiteralString] = "SELECT monitor, about, failing FROM hygiene_finding WHERE tenant_id = $1"


async def load_before(tx: Connection, tenant: UUID) -> dict[Subject, bool]:
    """Return of everything that was ever found about a client's accounts whether it failed when last looked at."""
    return {(Monitor(row["monitor"]), row["about"]): row["failing"] for row in await tx.fetch(BEFORE, tenant)}


SAVE: Final[LiteralString] = """
    INSERT INTO hygiene_finding AS f (tenant_id, monitor, about, failing, why, since)
    SELECT $1, t.*, $6 FROM unnest($2::text[], $3::text[], $4::boolean[], $5::text[])
        AS t (monitor, about, failing, why)
    ON CONFLICT (tenant_id, monitor, about) DO UPDATE
    SET failing = excluded.failing, why = excluded.why, since = excluded.since
    WHERE f.failing <> excluded.failing
"""


async def save(tx: Connection, tenant: UUID, changes: Sequence[Change], at: datetime) -> None:
    """Keep what is different from before."""
    ordered = sorted(changes, key=lambda each: each.subject)
    await tx.execute(
        SAVE,
        tenant,
        [each.subject[0].value for each in ordered],
        [each.subject[1] for each in ordered],
        [each.failing for each in ordered],
        [each.why for each in ordered],
        at,
    )


REWORD: Final[LiteralString] = """
    UPDATE hygiene_finding AS f SET why = t.why
    FROM unnest($2::text[], $3::text[], $4::text[]) AS t (monitor, about, why)
    WHERE f.tenant_id = $1 AND f.monitor = t.monitor AND f.about = t.about AND f.failing AND f.why <> t.why
"""


async def reword(tx: Connection, tenant: UUID, found: Sequence[Finding]) -> None:
    """Keep the newest words of what goes on failing; nobody is told of them."""
    await tx.execute(
        REWORD,
        tenant,
        [each.monitor.value for each in found],
        [each.about for each in found],
        [each.why for each in found],
    )
