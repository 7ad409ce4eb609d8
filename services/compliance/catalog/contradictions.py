"""What in a catalog file contradicts itself, entry by entry. Pure."""

from collections import Counter
from collections.abc import Iterator

from services.compliance.catalog.entries import CatalogDocument, ProductEntry, ReleaseEntry, TrainEntry
from services.compliance.catalog.model import Product, Reads, Release, folded_name
from services.compliance.catalog.numbers import begins_with, numbers
from services.compliance.subjects import Category


def contradictions(found: CatalogDocument) -> Iterator[str]:
    """Yield each entry that another contradicts, and how."""
    for name in _repeated(each.product for each in found.products):
        yield f"product {name!r}: is there more than once"
    for product in found.products:
        where = f"product {product.product!r}"
        for name in _repeated(each.train for each in product.trains):
            yield f"{where}, train {name!r}: is there more than once"
        names = [
            (name, f"train {train.train!r}")
            for train in product.trains
            for release in train.releases
            for name in sorted({release.kb or "", *map(folded_name, release.patches)} - {""})
        ]
        for name in _repeated(name for name, _ in names):
            trains = ", ".join(sorted({train for each, train in names if each == name}))
            yield f"{where}, {trains}: the patch {name!r} names more than one release"
        for train in product.trains:
            for problem in (*_of_train(train), *_of_builds(product, train)):
                yield f"{where}, train {train.train!r}, {problem}"


def _of_train(train: TrainEntry) -> Iterator[str]:
    for name in _repeated(each.release for each in train.releases):
        yield f"release {name!r}: is there more than once"
    by_name = {each.release: each for each in train.releases}
    for each in train.releases:
        if each.release in _below(each, by_name):
            yield f"release {each.release!r}, supersedes: leads back to itself"


def _of_builds(product: ProductEntry, train: TrainEntry) -> Iterator[str]:
    compared = Product(
        name=product.product, os_family=product.os_family, reads=product.reads, versions=product.versions
    )
    by_name = {each.release: each for each in train.releases}
    for each in (each for each in train.releases if each.fixed_build):
        where = f"release {each.release!r}, fixed_build:"
        fixed = compared.reading(each.fixed_build)
        if product.reads is Reads.NOTHING:
            yield f"{where} the product's readings are not compared (reads: nothing)"
        if fixed is None:
            yield f"{where} {each.fixed_build} is no version by the rules of {product.versions}"
        if not _is_on_line(product, each):
            yield f"{where} {each.fixed_build} is not on the line {product.line}"
        for older in (by_name[name] for name in each.supersedes if name in by_name):
            newer = _release(each, compared)
            read = compared.reading(older.fixed_build)
            if read is not None and newer.is_in(read, compared) and read != fixed:
                yield f"{where} is lower than of {older.release!r}, which it supersedes"


def _is_on_line(product: ProductEntry, entry: ReleaseEntry) -> bool:
    """Return whether its build is one of the product's own; what ends a product's life is the next product's."""
    if product.line is None or entry.category is Category.LIFECYCLE:
        return True
    return begins_with(numbers(entry.fixed_build), numbers(product.line))


def _release(entry: ReleaseEntry, product: Product) -> Release:
    fixed = product.reading(entry.fixed_build)
    return Release(name=entry.release, released_at=entry.released_at, catalogued_at=entry.released_at, fixed=fixed)


def _below(entry: ReleaseEntry, by_name: dict[str, ReleaseEntry]) -> set[str]:
    reached, waiting = set[str](), [entry]
    while waiting:
        new = {name for name in waiting.pop().supersedes if name in by_name} - reached
        reached |= new
        waiting += [by_name[name] for name in new]
    return reached


def _repeated(names: Iterator[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
