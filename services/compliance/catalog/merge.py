"""What a vendor's list adds to the catalog that is there: nothing that was known is lost, nothing moves. Pure.

A release that is known stays on its train; what a list states of it holds from now on, but a moment that it does not
know for sure never replaces the vendor's own.
"""

from collections.abc import Sequence
from typing import Final

from services.compliance.catalog.document import checked
from services.compliance.catalog.entries import CatalogDocument, ProductEntry, ReleaseEntry, TrainEntry
from services.compliance.catalog.model import folded_name

ADDED_TO: Final = frozenset({"patches", "supersedes", "cves"})
"""Lists of which a release has what any source told."""


def merged(known: CatalogDocument | None, found: Sequence[ProductEntry], *, name: str) -> CatalogDocument:
    """Return the catalog with what was found. Products that are known keep their place and their selectors.

    Raises:
        CatalogRefused: what was found contradicts itself or what is known.
    """
    by_name = {each.product: each for each in known.products} if known else {}
    for each in found:
        by_name[each.product] = _product(by_name[each.product], each) if each.product in by_name else each
    return checked(CatalogDocument(name=name, products=tuple(_in_order(each) for each in by_name.values())))


def _product(known: ProductEntry, found: ProductEntry) -> ProductEntry:
    train_of = {release.release: train.train for train in known.trains for release in train.releases}
    trains = {train.train: train for train in known.trains}
    for train in found.trains:
        for release in train.releases:
            name = train_of.get(release.release, train.train)
            there = trains.get(name)
            trains[name] = (
                train.model_copy(update={"releases": (release,)})
                if there is None
                else there.model_copy(update={"releases": _with(there, release)})
            )
    return known.model_copy(update={"trains": tuple(trains.values())})


def _with(train: TrainEntry, release: ReleaseEntry) -> tuple[ReleaseEntry, ...]:
    by_name = {each.release: each for each in train.releases}
    known = by_name.get(release.release)
    by_name[release.release] = release if known is None else _release(known, release)
    return tuple(by_name.values())


def _release(known: ReleaseEntry, found: ReleaseEntry) -> ReleaseEntry:
    stated = {name: getattr(found, name) for name in found.model_fields_set - ADDED_TO}
    if known.release_confirmed and not found.release_confirmed:
        stated.pop("released_at", None)
        stated.pop("release_confirmed", None)
    together = {name: (*getattr(known, name), *getattr(found, name)) for name in ADDED_TO}
    return known.model_copy(update=stated | together)


def _in_order(product: ProductEntry) -> ProductEntry:
    """Return the product in the one order and spelling that makes the same content the same document."""
    trains = tuple(_train_in_order(each) for each in sorted(product.trains, key=lambda each: each.train))
    return product.model_copy(update={"trains": trains})


def _train_in_order(train: TrainEntry) -> TrainEntry:
    releases = (
        each.model_copy(
            update={
                "patches": tuple(sorted({folded_name(name) for name in each.patches})),
                "supersedes": tuple(sorted(set(each.supersedes))),
                "cves": tuple(sorted(set(each.cves))),
            }
        )
        for each in train.releases
    )
    ordered = tuple(sorted(releases, key=lambda each: (each.released_at, each.release)))
    return train.model_copy(update={"releases": ordered})
