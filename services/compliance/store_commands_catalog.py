"""Adds a catalog version, as the operator's role: versions are never changed or removed."""

import json
from datetime import datetime
from itertools import chain
from typing import Final, LiteralString

from chassis.postgres import Connection
from contracts import ids
from services.compliance.catalog.entries import CatalogDocument, ProductEntry, ReleaseEntry, TrainEntry
from services.compliance.catalog.model import folded_name

EXCLUDE: Final[LiteralString] = "SELECT pg_advisory_xact_lock(hashtextextended('compliance.catalog', 0))"
NEWEST: Final[LiteralString] = "SELECT version, digest FROM compliance.catalog_version ORDER BY version DESC LIMIT 1"
ADD_VERSION: Final[LiteralString] = """
    INSERT INTO compliance.catalog_version (version, name, digest, loaded_at) VALUES ($1, $2, $3, $4)
"""


async def add(tx: Connection, document: CatalogDocument, loaded_at: datetime) -> tuple[int, bool]:
    """Make `document` the newest catalog; return its version, and whether it was not the newest already.

    Waits until the batches under way are committed; those after it decide by the new version.
    """
    await tx.execute(EXCLUDE)
    newest = await tx.fetchrow(NEWEST)
    if newest is not None and newest["digest"] == document.digest:
        return newest["version"], False
    version = newest["version"] + 1 if newest else 1
    await tx.execute(ADD_VERSION, version, document.name, document.digest, loaded_at)
    await _add_products(tx, version, document)
    await _add_releases(tx, version, document, loaded_at)
    await _add_patches(tx, version, document)
    return version, True


ADD_PRODUCTS: Final[LiteralString] = """
    INSERT INTO compliance.catalog_product (version, position, product, os_family, for_servers, reads, line, selectors,
                                            versions)
    SELECT $1, position, product, os_family, for_servers, reads, line, selectors::jsonb, versions
    FROM unnest($2::integer[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::text[], $9::text[])
        AS added (position, product, os_family, for_servers, reads, line, selectors, versions)
"""
ADD_REQUIREMENTS: Final[LiteralString] = """
    INSERT INTO compliance.catalog_requirement (version, requirement_id, product, train, owed)
    SELECT $1, added.* FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[]) AS added
"""


async def _add_products(tx: Connection, version: int, document: CatalogDocument) -> None:
    products = document.products
    await tx.execute(
        ADD_PRODUCTS,
        version,
        list(range(len(products))),
        [each.product for each in products],
        [each.os_family for each in products],
        [each.for_servers for each in products],
        [each.reads for each in products],
        [each.line for each in products],
        [json.dumps([selector.model_dump(exclude_none=True) for selector in each.select]) for each in products],
        [each.versions for each in products],
    )
    trains = _trains(document)
    await tx.execute(
        ADD_REQUIREMENTS,
        version,
        [ids.requirement_id(product.product, train.train) for product, train in trains],
        [product.product for product, _ in trains],
        [train.train for _, train in trains],
        [train.owed for _, train in trains],
    )


def _trains(document: CatalogDocument) -> list[tuple[ProductEntry, TrainEntry]]:
    return [(product, train) for product in document.products for train in product.trains]


def _releases(document: CatalogDocument) -> list[tuple[ProductEntry, TrainEntry, ReleaseEntry]]:
    return [(product, train, release) for product, train in _trains(document) for release in train.releases]


ADD_RELEASES: Final[LiteralString] = """
    INSERT INTO compliance.catalog_release (version, requirement_id, release, released_at, severity, fixed_build,
                                            build_confirmed, reboot, supersedes, release_confirmed, cves, category,
                                            due_at, fixed_version, catalogued_at)
    SELECT $1, added.requirement_id, added.release, added.released_at, added.severity, added.fixed_build,
           added.build_confirmed, added.reboot, ARRAY(SELECT jsonb_array_elements_text(added.supersedes::jsonb)),
           added.release_confirmed, ARRAY(SELECT jsonb_array_elements_text(added.cves::jsonb)), added.category,
           added.due_at, added.fixed_version,
           coalesce((SELECT min(earlier.catalogued_at) FROM compliance.catalog_release AS earlier
                     WHERE earlier.requirement_id = added.requirement_id AND earlier.release = added.release), $15)
    FROM unnest($2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::boolean[], $8::boolean[],
                $9::text[], $10::boolean[], $11::text[], $12::text[], $13::timestamptz[], $14::text[])
        AS added (requirement_id, release, released_at, severity, fixed_build, build_confirmed, reboot, supersedes,
                  release_confirmed, cves, category, due_at, fixed_version)
"""


async def _add_releases(tx: Connection, version: int, document: CatalogDocument, loaded_at: datetime) -> None:
    rows = _releases(document)
    releases = [release for _, _, release in rows]
    await tx.execute(
        ADD_RELEASES,
        version,
        [ids.requirement_id(product.product, train.train) for product, train, _ in rows],
        [each.release for each in releases],
        [each.released_at for each in releases],
        [each.severity for each in releases],
        [each.fixed_build for each in releases],
        [each.build_confirmed for each in releases],
        [each.reboot for each in releases],
        [json.dumps(each.supersedes) for each in releases],
        [each.release_confirmed for each in releases],
        [json.dumps(each.cves) for each in releases],
        [each.category or product.ordinary_category for product, _, each in rows],
        [each.due_at for each in releases],
        [each.fixed_version for each in releases],
        loaded_at,
    )


ADD_PATCHES: Final[LiteralString] = """
    INSERT INTO compliance.catalog_patch (version, scheme, name, product, requirement_id, release)
    SELECT $1, added.* FROM unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::text[]) AS added
"""


async def _add_patches(tx: Connection, version: int, document: CatalogDocument) -> None:
    rows = [
        (scheme, name, product.product, ids.requirement_id(product.product, train.train), release.release)
        for product, train, release in _releases(document)
        for scheme, name in chain(
            [("kb", release.kb)] if release.kb else [],
            sorted({("name", folded_name(patch)) for patch in release.patches}),
        )
    ]
    await tx.execute(ADD_PATCHES, version, *([row[column] for row in rows] for column in range(5)))
