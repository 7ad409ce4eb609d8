"""The catalog file that people write and load: JSON, facts only, checked entry by entry."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from chassis.errors import NeverWorks
from contracts.events.event import Name, OsFamily, Severity
from services.compliance.catalog.model import Reads, folded_name
from services.compliance.catalog.numbers import begins_with, numbers

PROBLEMS_SHOWN: Final = 20
EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class CatalogRefused(NeverWorks):
    """A catalog file is not usable; the text names each wrong entry."""


def _readable(text: str) -> str:
    if not numbers(text):
        raise ValueError("begins with no number, so nothing compares with it")
    return text


def _possible(at: datetime) -> datetime:
    if not EARLIEST <= at < LATEST:
        raise ValueError("no possible moment of a release")
    return at


Numbered = Annotated[Name, AfterValidator(_readable)]
Label = Annotated[Name, Field(max_length=100)]
"""A name that stands in events, sentences and indexes."""

Released = Annotated[AwareDatetime, AfterValidator(_possible)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ReleaseEntry(_Entry):
    """One patch. `patches` are the ids and titles by which RMMs call it; `supersedes` may name patches not in here."""

    release: Label
    released_at: Released
    kb: str | None = Field(default=None, pattern=r"^[0-9]{5,9}$")
    patches: tuple[Name, ...] = ()
    severity: Severity = Severity.UNKNOWN
    fixed_build: Numbered | None = None
    build_confirmed: bool = False
    reboot: bool = False
    supersedes: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _is_findable(self) -> Self:
        if self.kb is None and not self.patches:
            raise ValueError("has neither kb nor patches: no evidence could ever name it")
        return self


class TrainEntry(_Entry):
    """One fix line of a product."""

    train: Label
    releases: tuple[ReleaseEntry, ...] = Field(min_length=1)


class SelectorEntry(_Entry):
    """How a device shows that it is the product."""

    build: Numbered | None = None
    version: Name | None = None
    name_has: Name | None = None
    name_lacks: Name | None = None

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        if self.build is None and self.version is None and self.name_has is None:
            raise ValueError("names none of build, version, name_has: it would select every device")
        return self


class ProductEntry(_Entry):
    """One product: an operating system with `select`, an application without.

    `for_servers` tells two systems apart that share a KB, as long as inventory cannot tell which one a device is.
    """

    product: Label
    os_family: OsFamily
    for_servers: bool | None = None
    reads: Reads = Reads.NOTHING
    line: Numbered | None = None
    select: tuple[SelectorEntry, ...] = ()
    trains: tuple[TrainEntry, ...] = Field(min_length=1)


class CatalogDocument(_Entry):
    """A whole catalog: loading it replaces what was known before; earlier versions are kept."""

    name: Name
    products: tuple[ProductEntry, ...] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """Return what the content is recognised by, whatever its spacing and order of fields."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def document(text: str) -> CatalogDocument:
    """Return the catalog in `text`.

    Raises:
        CatalogRefused: names each entry that is wrong, and why.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CatalogRefused(f"the catalog is not JSON: {error}") from error
    try:
        found = CatalogDocument.model_validate_json(text)
    except ValidationError as error:
        problems = [
            f"{_entry(content, problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        raise _refused(problems) from error
    if problems := list(_contradictions(found)):
        raise _refused(problems)
    return found


def _refused(problems: Sequence[str]) -> CatalogRefused:
    more = f"\nand {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
    return CatalogRefused("the catalog cannot be loaded:\n" + "\n".join(problems[:PROBLEMS_SHOWN]) + more)


def _entry(content: Any, place: Sequence[int | str]) -> str:
    """Return a place in the file as people call it: the names of the entries on the way, then the field."""
    words: list[str] = []
    for part in place:
        content = _within(content, part)
        if isinstance(part, str):
            words.append(part)
        elif (named := _named(content)) is None:
            words.append(f"entry {part}")
        else:
            words[-1] = f"{words[-1].removesuffix('s')} {named!r}"
    return ", ".join(words) or "the file"


def _within(content: Any, part: int | str) -> Any:
    try:
        return content[part]
    except (KeyError, IndexError, TypeError):
        return None


def _named(content: Any) -> str | None:
    if not isinstance(content, dict):
        return None
    return next((content[key] for key in ("product", "train", "release") if isinstance(content.get(key), str)), None)


def _contradictions(found: CatalogDocument) -> Iterator[str]:
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
            for problem in _of_train(product, train):
                yield f"{where}, train {train.train!r}, {problem}"


def _of_train(product: ProductEntry, train: TrainEntry) -> Iterator[str]:
    for name in _repeated(each.release for each in train.releases):
        yield f"release {name!r}: is there more than once"
    by_name = {each.release: each for each in train.releases}
    for each in train.releases:
        if each.fixed_build and product.reads is Reads.NOTHING:
            yield f"release {each.release!r}, fixed_build: the product's readings are not compared (reads: nothing)"
        if each.fixed_build and product.line and not begins_with(numbers(each.fixed_build), numbers(product.line)):
            yield f"release {each.release!r}, fixed_build: {each.fixed_build} is not on the line {product.line}"
        for older in (by_name[name] for name in each.supersedes if name in by_name):
            if each.fixed_build and numbers(older.fixed_build) > numbers(each.fixed_build):
                yield f"release {each.release!r}, fixed_build: is lower than of {older.release!r}, which it supersedes"
        if each.release in _below(each, by_name):
            yield f"release {each.release!r}, supersedes: leads back to itself"


def _below(entry: ReleaseEntry, by_name: dict[str, ReleaseEntry]) -> set[str]:
    reached, waiting = set[str](), [entry]
    while waiting:
        new = {name for name in waiting.pop().supersedes if name in by_name} - reached
        reached |= new
        waiting += [by_name[name] for name in new]
    return reached


def _repeated(names: Iterator[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
