"""The clients' policies, read once and kept; which of them hold, and what changed about that."""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from services.compliance.policies.compile import Applied, Version, applied, in_force
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.preset import Preset
from services.compliance.policies.rules_turns import Known, Recorded, Turn, turn
from services.compliance.policy import Policy

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)

SHARE: Final[LiteralString] = "SELECT pg_advisory_xact_lock_shared(hashtextextended('compliance.policies', 0))"
NOTICED: Final[LiteralString] = "SELECT number, noticed_at FROM policy_noticed"
NEWER: Final[LiteralString] = """
    SELECT number, tenant_id, version, document, presets, digest, recorded_at, recorded_by, reason, valid_from,
           valid_until
    FROM policy_version
    WHERE number > $1 AND number <= $2
    ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that nobody needed to read yet: most versions never hold again."""

    row: asyncpg.Record

    @property
    def number(self) -> int:
        """Return its place among what was recorded."""
        found: int = self.row["number"]
        return found

    def holds_at(self, at: datetime) -> bool:
        """Return whether `at` lies in its validity."""
        begins_at, ends_at = self.row["valid_from"], self.row["valid_until"]
        return bool(begins_at <= at and (ends_at is None or at < ends_at))


class PolicyShelf:
    """Holds every client's policies for one process, as far as the service took notice of them."""

    def __init__(self) -> None:
        """Hold nothing until the first look."""
        self._number = 0
        self._versions: dict[UUID, dict[int, Unread]] = {}
        self._ready: dict[int, Applied] = {}
        self._since, self._until = EPOCH, EPOCH
        self._holding: dict[UUID, Applied] = {}
        self._policies: dict[UUID, Policy] = {}

    async def policies_for(self, tx: Connection, tenants: Collection[UUID], now: datetime) -> Mapping[UUID, Policy]:
        """Return the policy of each of these clients that has one in force at `now`; no other comes until `tx` ends.

        So every decision made by an older one is committed before the assets are asked for anew because of it.
        """
        own = await self.all_at(tx, now)
        return {tenant: own[tenant] for tenant in tenants if tenant in own}

    async def all_at(self, tx: Connection, now: datetime) -> Mapping[UUID, Policy]:
        """Return the same of every client that has a policy in force. The mapping is kept: do not change it."""
        await self._look(tx, now)
        return self._policies

    async def all_applied(self, tx: Connection, now: datetime) -> Mapping[UUID, Applied]:
        """Return the same with windows and the document itself."""
        await self._look(tx, now)
        return self._holding

    async def _look(self, tx: Connection, now: datetime) -> None:
        await tx.execute(SHARE)
        row = await tx.fetchrow(NOTICED)
        await self.noticed(tx, now, *((row["number"], row["noticed_at"]) if row else (0, EPOCH)))

    async def noticed(self, tx: Connection, now: datetime, number: int, noticed_at: datetime) -> Mapping[UUID, Policy]:
        """Read what is new up to `number`, and return what holds at `now`, or at `noticed_at` if that was later.

        Both are what changes were last noticed at, read while no other can be noticed. The mapping is kept.
        """
        at = max(now, noticed_at)
        if number == self._number and self._since <= at < self._until:
            return self._policies
        if number < self._number:  # another database than last time
            self._number, self._versions, self._ready = 0, {}, {}
        for each in await tx.fetch(NEWER, self._number, number):
            self._versions.setdefault(each["tenant_id"], {})[each["number"]] = Unread(each)
        holding = await self._held_at(at)
        self._number, self._since = number, at
        self._until = min(self._turns_after(at), default=FOR_EVER)
        self._holding = holding
        self._policies = {tenant: each.policy for tenant, each in holding.items()}
        return self._policies

    async def _held_at(self, at: datetime) -> dict[UUID, Applied]:
        """Return what holds at `at`. Each version takes milliseconds to make ready, so others get their turn."""
        found: dict[UUID, Applied] = {}
        for tenant, theirs in list(self._versions.items()):
            version = in_force(theirs.values(), at)
            if version is None:
                continue
            ready = self._ready.get(version.number)
            if ready is None:
                ready = self._ready[version.number] = applied(version_of(version.row))
                await asyncio.sleep(0)
            found[tenant] = ready
        return found

    def _turns_after(self, at: datetime) -> Iterator[datetime]:
        """Yield the moments after `at` at which a version's validity begins or ends."""
        for theirs in self._versions.values():
            for each in theirs.values():
                moments = each.row["valid_from"], each.row["valid_until"]
                yield from (moment for moment in moments if moment is not None and moment > at)


def version_of(row: asyncpg.Record) -> Version:
    """Return a row of `policy_version` as a version."""
    return Version(
        tenant_id=row["tenant_id"],
        number=row["number"],
        version=row["version"],
        document=PolicyDocument.model_validate(row["document"], strict=False),
        presets=tuple(Preset.model_validate(each, strict=False) for each in row["presets"]),
        digest=row["digest"],
        recorded_at=row["recorded_at"],
        recorded_by=row["recorded_by"],
        reason=row["reason"],
    )


EXCLUDE: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('compliance.policies', 0))"


async def wait_for_decisions(tx: Connection) -> None:
    """Wait until every decision under way is committed; those that come next wait for `tx`. Lock nothing before it."""
    await tx.execute(EXCLUDE)


IS_NEWS: Final[LiteralString] = """
    SELECT EXISTS (SELECT FROM policy_version WHERE number > (SELECT number FROM policy_noticed))
        OR EXISTS (SELECT FROM policy_version
                   WHERE valid_from > (SELECT noticed_at FROM policy_noticed) AND valid_from <= $1)
        OR EXISTS (SELECT FROM policy_version
                   WHERE valid_until > (SELECT noticed_at FROM policy_noticed) AND valid_until <= $1)
"""
NOTED: Final[LiteralString] = "SELECT number, noticed_at FROM policy_noticed FOR UPDATE"
CONCERNED: Final[LiteralString] = """
    SELECT number, tenant_id, version, document, presets, digest, recorded_at, recorded_by, reason, feasible, accepted
    FROM policy_version
    WHERE tenant_id IN (
        SELECT tenant_id FROM policy_version
        WHERE number > $1 OR (valid_from > $2 AND valid_from <= $3) OR (valid_until > $2 AND valid_until <= $3))
    ORDER BY tenant_id, number
"""
NOTE: Final[LiteralString] = "UPDATE policy_noticed SET number = greatest(number, $1), noticed_at = $2"


async def turned(tx: Connection, now: datetime) -> list[Turn]:
    """Return the clients whose policy became another since the last look, and note that they were looked at.

    Whoever decides by the old ones has committed before this returns; whoever decides later does by the new ones.
    """
    if not await tx.fetchval(IS_NEWS, now):
        return []
    await wait_for_decisions(tx)
    noted = await tx.fetchrow(NOTED)
    if noted is None:
        return []
    now = max(now, noted["noticed_at"])
    rows = await tx.fetch(CONCERNED, noted["number"], noted["noticed_at"], now)
    by_tenant: dict[UUID, list[Recorded]] = {}
    for row in rows:
        by_tenant.setdefault(row["tenant_id"], []).append(_recorded(row))
    await tx.execute(NOTE, max((row["number"] for row in rows), default=0), now)
    known = Known(noted["number"], noted["noticed_at"])
    turns = (turn(of_tenant, known, now) for of_tenant in by_tenant.values())
    return [each for each in turns if each is not None]


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(version_of(row), feasible=row["feasible"], accepted=row["accepted"])
