"""The newest catalog, read once and kept while it is the newest."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

import asyncpg

from chassis.postgres import Connection
from contracts.events.event import OsFamily, Severity
from services.compliance.catalog.model import (
    EMPTY,
    Catalog,
    Named,
    Owed,
    Product,
    Reads,
    Release,
    Requirement,
    Selector,
    requirement,
)
from services.compliance.catalog.versions import Scheme
from services.compliance.policies.store_policies import PolicyShelf
from services.compliance.policy import Policy
from services.compliance.store_intelligence import intelligence
from services.compliance.subjects import Category

SHARE: Final[LiteralString] = "SELECT pg_advisory_xact_lock_shared(hashtextextended('compliance.catalog', 0))"
NEWEST: Final[LiteralString] = """
    SELECT version, name, (SELECT coalesce(max(id), 0) FROM feed_version) AS feeds
    FROM catalog_version ORDER BY version DESC LIMIT 1
"""
SHARE_BOTH: Final[LiteralString] = """
    SELECT pg_advisory_xact_lock_shared(hashtextextended('compliance.catalog', 0)),
           pg_advisory_xact_lock_shared(hashtextextended('compliance.policies', 0))
"""
BOTH: Final[LiteralString] = """
    SELECT version, name, (SELECT coalesce(max(id), 0) FROM feed_version) AS feeds,
           coalesce(number, 0) AS number, coalesce(noticed_at, 'epoch') AS noticed_at
    FROM (SELECT) AS always
         LEFT JOIN (SELECT version, name FROM catalog_version ORDER BY version DESC LIMIT 1) AS newest ON true
         LEFT JOIN policy_noticed ON true
"""
PRODUCTS: Final[LiteralString] = """
    SELECT product, os_family, for_servers, reads, line, selectors, versions
    FROM catalog_product
    WHERE version = $1
    ORDER BY position
"""
RELEASES: Final[LiteralString] = """
    SELECT requirement_id, product, train, owed, release, released_at, catalogued_at, severity, fixed_build, reboot,
           supersedes, release_confirmed, cves, category, due_at
    FROM catalog_requirement JOIN catalog_release USING (version, requirement_id)
    WHERE version = $1
"""
PATCHES: Final[LiteralString] = """
    SELECT scheme, name, product, requirement_id, release FROM catalog_patch WHERE version = $1 ORDER BY product
"""


class CatalogShelf:
    """Holds the newest catalog of one process, and what the feeds say of the vulnerabilities that it names.

    `policies` are those of the clients: whoever decides by the one needs the others.
    """

    def __init__(self) -> None:
        """Hold the empty catalog until the first look."""
        self.policies = PolicyShelf()
        self._catalog = EMPTY
        self._feeds = 0

    async def newest(self, tx: Connection) -> Catalog:
        """Return the newest catalog; no other can be loaded until the transaction ends.

        So every decision made with an older one is committed before the next version is there, and whoever decides
        anew because of it sees them all.
        """
        await tx.execute(SHARE)
        row = await tx.fetchrow(NEWEST)
        return self._catalog if row is None else await self._known(tx, row)

    async def newest_with_policies(self, tx: Connection, now: datetime) -> tuple[Catalog, Mapping[UUID, Policy]]:
        """Return the newest catalog and the policies in force at `now`: as one after the other, in half the questions.

        Every batch asks for both, and nearly always knows both.
        """
        await tx.execute(SHARE_BOTH)
        row = await tx.fetchrow(BOTH)
        if row is None:
            raise LookupError("a select without a condition has a row")
        catalog = self._catalog if row["version"] is None else await self._known(tx, row)
        return catalog, await self.policies.noticed(tx, now, row["number"], row["noticed_at"])

    async def _known(self, tx: Connection, row: asyncpg.Record) -> Catalog:
        catalog = self._catalog
        is_new = row["version"] != catalog.version
        if is_new:
            catalog = await _read(tx, row["version"], row["name"])
        if is_new or row["feeds"] != self._feeds:
            catalog = catalog.informed(await intelligence(tx, catalog.cves))
        self._catalog, self._feeds = catalog, row["feeds"]  # at once: others ask meanwhile
        return catalog


async def _read(tx: Connection, version: int, name: str) -> Catalog:
    products = [
        Product(
            name=row["product"],
            os_family=OsFamily(row["os_family"]),
            for_servers=row["for_servers"],
            reads=Reads(row["reads"]),
            line=row["line"],
            selectors=tuple(Selector(**each) for each in row["selectors"]),
            versions=Scheme(row["versions"]) if row["versions"] else None,
        )
        for row in await tx.fetch(PRODUCTS, version)
    ]
    patches: dict[tuple[str, str], tuple[Named, ...]] = {}
    for row in await tx.fetch(PATCHES, version):
        key = row["scheme"], row["name"]
        patches[key] = (*patches.get(key, ()), Named(row["requirement_id"], row["product"], row["release"]))
    return Catalog(
        version=version,
        name=name,
        products=products,
        requirements=await _requirements(tx, version, {each.name: each for each in products}),
        patches=patches,
    )


async def _requirements(tx: Connection, version: int, product_by_name: dict[str, Product]) -> list[Requirement]:
    releases: dict[tuple[UUID, str, str, str], list[Release]] = {}
    for row in await tx.fetch(RELEASES, version):
        key = row["requirement_id"], row["product"], row["train"], row["owed"]
        releases.setdefault(key, []).append(
            Release(
                name=row["release"],
                released_at=row["released_at"],
                catalogued_at=row["catalogued_at"],
                severity=Severity(row["severity"]),
                fixed=product_by_name[row["product"]].reading(row["fixed_build"]),
                reboot=row["reboot"],
                supersedes=frozenset(row["supersedes"]),
                release_confirmed=row["release_confirmed"],
                cves=tuple(row["cves"]),
                category=Category(row["category"]),
                due_at=row["due_at"],
            )
        )
    return [
        requirement(id_, product_by_name[product], train, of_train, owed=Owed(owed))
        for (id_, product, train, owed), of_train in sorted(releases.items(), key=lambda item: item[0])
    ]
