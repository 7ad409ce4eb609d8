"""What a vendor's list adds to the catalog that is there: nothing that was known is lost, nothing moves. Pure.

A release that is known stays on its train; what a list states of it holds from now on, but a moment that it does not
know for sure never replaces the vendor's own.
"""

from collections.abc import Sequence
from functools import cmp_to_key
from itertools import pairwise
from typing import Final

from services.compliance.catalog.document import checked
from services.compliance.catalog.entries import CatalogDocument, ProductEntry, ReleaseEntry, TrainEntry
from services.compliance.catalog.model import Reads, folded_name
from services.compliance.catalog.versions import Scheme, Version, version
from services.compliance.subjects import Category

ADDED_TO: Final = frozenset({"patches", "supersedes", "cves"})
"""Lists of which a release has what any source told."""


def merged(known: CatalogDocument | None, found: Sequence[ProductEntry], *, name: str) -> CatalogDocument:
    """Return the catalog with what was found. Products that are known keep their place and their selectors.

    Raises:
        CatalogRefused: what was found contradicts itself or what is known.
    """
    by_name = {each.product: each for each in known.products} if known else {}
    for each in found:
        there = by_name.get(each.product)
        by_name[each.product] = each if there is None else _product(there, each)
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
    reads = found.reads if known.reads is Reads.NOTHING else known.reads
    more = {"reads": reads, "versions": known.versions or found.versions}
    return known.model_copy(update={"trains": tuple(trains.values()), **more})


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
    trains = sorted(product.trains, key=lambda each: each.train)
    category = product.ordinary_category
    ordered = tuple(_train_in_order(_superseding(each, product.versions), category) for each in trains)
    return product.model_copy(update={"trains": ordered})


def _superseding(train: TrainEntry, scheme: Scheme | None) -> TrainEntry:
    """Return the train with each version superseding the next lower one, by the rules of `scheme`."""
    if scheme is None:
        return train
    read = {each.release: version(scheme, each.fixed_version) for each in train.releases}
    known = [(found, name) for name, found in read.items() if found is not None]
    known.sort(key=cmp_to_key(_by_version))
    older = {newer[1]: before[1] for before, newer in pairwise(known) if _compared(before[0], newer[0]) < 0}
    releases = tuple(
        each.model_copy(update={"supersedes": (*each.supersedes, *filter(None, [older.get(each.release)]))})
        for each in train.releases
    )
    return train.model_copy(update={"releases": releases})


def _by_version(one: tuple[Version, str], other: tuple[Version, str]) -> int:
    return _compared(one[0], other[0])


def _compared(one: Version, other: Version) -> int:
    return 0 if one == other else 1 if one.is_at_least(other) else -1


def _train_in_order(train: TrainEntry, category: Category) -> TrainEntry:
    releases = (
        each.model_copy(
            update={
                "patches": tuple(sorted({folded_name(name) for name in each.patches})),
                "supersedes": tuple(sorted(set(each.supersedes))),
                "cves": tuple(sorted(set(each.cves))),
                "category": each.category or category,
            }
        )
        for each in train.releases
    )
    ordered = tuple(sorted(releases, key=lambda each: (each.released_at, each.release)))
    return train.model_copy(update={"releases": ordered})
