"""Reads the newest catalog version back as the document that it is, so that a vendor's list can be added to it."""

from typing import Any, Final, LiteralString
from uuid import UUID

from chassis.postgres import Connection
from services.compliance.catalog.entries import CatalogDocument

NEWEST: Final[LiteralString] = "SELECT version, name FROM compliance.catalog_version ORDER BY version DESC LIMIT 1"
PRODUCTS: Final[LiteralString] = """
    SELECT product, os_family, for_servers, reads, line, selectors AS select, versions
    FROM compliance.catalog_product WHERE version = $1 ORDER BY position
"""
TRAINS: Final[LiteralString] = """
    SELECT requirement_id, product, train, owed FROM compliance.catalog_requirement WHERE version = $1
    ORDER BY product, train
"""
RELEASES: Final[LiteralString] = """
    SELECT requirement_id, release, released_at, severity, fixed_build, build_confirmed, reboot, supersedes,
           release_confirmed, cves, category, due_at, fixed_version
    FROM compliance.catalog_release WHERE version = $1 ORDER BY released_at, release
"""
PATCHES: Final[LiteralString] = """
    SELECT requirement_id, release, scheme, name FROM compliance.catalog_patch WHERE version = $1 ORDER BY scheme, name
"""


async def newest_document(tx: Connection) -> CatalogDocument | None:
    """Return the newest catalog; names of patches come back folded. `None`: none was ever loaded."""
    newest = await tx.fetchrow(NEWEST)
    if newest is None:
        return None
    version = newest["version"]
    releases = await _releases(tx, version)
    trains: dict[str, list[dict[str, Any]]] = {}
    for row in await tx.fetch(TRAINS, version):
        train = {"train": row["train"], "owed": row["owed"], "releases": releases[row["requirement_id"]]}
        trains.setdefault(row["product"], []).append(train)
    products = [dict(row) | {"trains": trains[row["product"]]} for row in await tx.fetch(PRODUCTS, version)]
    return CatalogDocument.model_validate({"name": newest["name"], "products": products})


async def _releases(tx: Connection, version: int) -> dict[UUID, list[dict[str, Any]]]:
    by_release: dict[tuple[UUID, str], dict[str, Any]] = {}
    for row in await tx.fetch(RELEASES, version):
        content = {name: value for name, value in row.items() if name != "requirement_id"}
        by_release[row["requirement_id"], row["release"]] = content | {"patches": []}
    for row in await tx.fetch(PATCHES, version):
        release = by_release[row["requirement_id"], row["release"]]
        if row["scheme"] == "kb":
            release["kb"] = row["name"]
        else:
            release["patches"].append(row["name"])
    grouped: dict[UUID, list[dict[str, Any]]] = {}
    for (requirement_id, _), content in by_release.items():
        grouped.setdefault(requirement_id, []).append(content)
    return grouped
