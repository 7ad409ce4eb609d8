"""The entries of a catalog file: what each may say, checked by itself."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from contracts.events.event import Name, OsFamily, Severity
from services.compliance.catalog.model import Owed, Reads
from services.compliance.catalog.numbers import numbers
from services.compliance.catalog.versions import Scheme
from services.compliance.subjects import Category

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)


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
Cve = Annotated[str, Field(pattern=r"^CVE-[0-9]{4}-[0-9]{4,19}$")]
LATER_FIELDS: Final = {
    "release_confirmed": True,
    "cves": [],
    "category": None,
    "due_at": None,
    "owed": "always",
    "versions": None,
    "fixed_version": None,
}
"""Fields that came later, with what they are where a file does not have them: then its digest stays what it was."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ReleaseEntry(_Entry):
    """One patch. `patches` are the ids and titles by which RMMs call it; `supersedes` may name patches not in here.

    `release_confirmed`: `released_at` is the vendor's own moment. `category` is, where it is not given, that of the
    product: a system or an application. `due_at` is an end of its own, such as the end of service. `fixed_version` is
    that of the package which has the fix; it puts the releases of a train in order.
    """

    release: Label
    released_at: Released
    kb: str | None = Field(default=None, pattern=r"^[0-9]{5,9}$")
    patches: tuple[Name, ...] = ()
    severity: Severity = Severity.UNKNOWN
    fixed_build: Numbered | None = None
    build_confirmed: bool = False
    reboot: bool = False
    supersedes: tuple[Name, ...] = ()
    release_confirmed: bool = True
    cves: tuple[Cve, ...] = ()
    category: Category | None = None
    due_at: Released | None = None
    fixed_version: Name | None = None

    @model_validator(mode="after")
    def _is_findable(self) -> Self:
        is_read = self.category is Category.LIFECYCLE and self.fixed_build is not None
        if self.kb is None and not self.patches and not is_read:
            raise ValueError("has neither kb nor patches: no evidence could ever name it")
        return self


class TrainEntry(_Entry):
    """One fix line of a product."""

    train: Label
    owed: Owed = Owed.ALWAYS
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
    `versions`: by whose rules its readings and fixed builds compare; not given: as plain numbers.
    """

    product: Label
    os_family: OsFamily
    for_servers: bool | None = None
    reads: Reads = Reads.NOTHING
    line: Numbered | None = None
    select: tuple[SelectorEntry, ...] = ()
    versions: Scheme | None = None
    trains: tuple[TrainEntry, ...] = Field(min_length=1)

    @property
    def ordinary_category(self) -> Category:
        """Return what a release of it is a fix of, if it says nothing else."""
        return Category.SYSTEM if self.select else Category.APPLICATION


class CatalogDocument(_Entry):
    """A whole catalog: loading it replaces what was known before; earlier versions are kept."""

    name: Name
    products: tuple[ProductEntry, ...] = Field(min_length=1)

    @property
    def digest(self) -> str:
        """Return what the content is recognised by, whatever its spacing and order of fields."""
        content = _without_later_fields(self.model_dump(mode="json"))
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _without_later_fields(content: Any) -> Any:
    """Return the content without fields that came later, where they say nothing."""
    if isinstance(content, list):
        return [_without_later_fields(each) for each in content]
    if not isinstance(content, dict):
        return content
    return {
        name: _without_later_fields(value)
        for name, value in content.items()
        if name not in LATER_FIELDS or value != LATER_FIELDS[name]
    }
