"""The catalog as decisions see it: products, requirements, releases, and how a vendor's name leads to them. Pure."""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from contracts.events.event import OsFamily, Severity, Tier
from services.compliance.catalog.graph import Supersedence
from services.compliance.catalog.intelligence import NOTHING_KNOWN, Intelligence
from services.compliance.catalog.numbers import Numbers, begins_with, is_at_least, numbers
from services.compliance.catalog.versions import Scheme, Version, version
from services.compliance.subjects import Category, Risk

Reading = Numbers | Version
"""What a device reads, as something that compares: numbers, or a version of the product's own scheme."""


class Owed(StrEnum):
    """Which devices of a product owe a fix line: all, or those of which evidence ever named one of its patches."""

    ALWAYS = "always"
    WHEN_NAMED = "when_named"


class Reads(StrEnum):
    """Which reading of a device tells whether a release is there."""

    BUILD = "build"
    VERSION = "version"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What inventory knows of a device's operating system."""

    os_family: OsFamily
    os_name: str | None = None
    os_version: str | None = None
    os_build: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """How a device shows that it is a product: everything that is given must hold. Names compare without case."""

    build: str | None = None
    version: str | None = None
    name_has: str | None = None
    name_lacks: str | None = None

    def selects(self, system: System) -> bool:
        """Return whether `system` shows it. A name that is not known has no word, and so lacks every one."""
        name = (system.os_name or "").casefold()
        return (
            (self.build is None or begins_with(numbers(system.os_build), numbers(self.build)))
            and (self.version is None or _is_version(system.os_version or "", self.version))
            and (self.name_has is None or self.name_has.casefold() in name)
            and (self.name_lacks is None or self.name_lacks.casefold() not in name)
        )


def _is_version(told: str, wanted: str) -> bool:
    """Return whether `told` is `wanted` or something below it: `15.1.1` is a 15, `150` is not."""
    rest = told[len(wanted) :]
    return told.casefold().startswith(wanted.casefold()) and not rest[:1].isalnum()


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Something that is patched. One without selectors is an application: devices owe it once evidence names it.

    `versions`: by whose rules its readings compare; `None`: as plain numbers.
    """

    name: str
    os_family: OsFamily
    for_servers: bool | None = None
    reads: Reads = Reads.NOTHING
    line: str | None = None
    selectors: tuple[Selector, ...] = ()
    versions: Scheme | None = None

    @property
    def is_system(self) -> bool:
        """Return whether it is what a device is, rather than something installed on it."""
        return bool(self.selectors)

    def comparable(self, os_build: str | None, os_version: str | None) -> Reading | None:
        """Return the reading as what compares with this product's fixed builds; `None` where it is none."""
        text = os_build if self.reads == "build" else os_version if self.reads == "version" else None
        read = numbers(text)
        if not read or not (self.line is None or begins_with(read, numbers(self.line))):
            return None
        return self.reading(text)

    def reading(self, text: str | None) -> Reading | None:
        """Return a build or version, read or fixed, as something that compares; `None` where there is none."""
        if self.versions is not None:
            return version(self.versions, text.split()[0]) if text and text.strip() else None
        return numbers(text) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One patch of a train. `fixed` is what a device reads once it is there; `None`: no reading tells.

    `release_confirmed`: the vendor's own moment, not one that was worked out. `due_at`: an end that no policy moves
    forward, such as the end of service; `None`: policies alone say until when.
    """

    name: str
    released_at: datetime
    catalogued_at: datetime
    severity: Severity = Severity.UNKNOWN
    fixed: Reading | None = None
    reboot: bool = False
    supersedes: frozenset[str] = frozenset()
    release_confirmed: bool = True
    cves: tuple[str, ...] = ()
    category: Category = Category.SYSTEM
    due_at: datetime | None = None

    def is_in(self, read: Reading, product: Product) -> bool | None:
        """Return whether a reading shows that this release, or a newer one, is there; `None`: it does not tell."""
        fixed = self.fixed
        if isinstance(fixed, Version) and isinstance(read, Version):
            return read.is_at_least(fixed)
        if isinstance(fixed, tuple) and isinstance(read, tuple):
            return is_at_least(read, fixed, is_whole=product.reads == "version")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One fix line of one product. `releases` are in the order of their release."""

    id: UUID
    product: Product
    train: str
    releases: tuple[Release, ...]
    superseders: Mapping[str, frozenset[str]]
    owed: Owed = Owed.ALWAYS

    def release(self, name: str) -> Release:
        """Return the release of that name."""
        return next(each for each in self.releases if each.name == name)


def requirement(
    id_: UUID, product: Product, train: str, releases: Iterable[Release], *, owed: Owed = Owed.ALWAYS
) -> Requirement:
    """Return a requirement with its releases in order, and who supersedes whom, all the way up.

    Raises:
        SupersedesItself: releases supersede one another in a circle.
    """
    ordered = tuple(sorted(releases, key=lambda each: (each.released_at, each.name)))
    names = {each.name for each in ordered}
    above = Supersedence((each.name, older) for each in ordered for older in each.supersedes & names).superseders
    superseders = {name: above.get(name, frozenset()) for name in names}
    return Requirement(id=id_, product=product, train=train, releases=ordered, superseders=superseders, owed=owed)


class Named(NamedTuple):
    """What a vendor's name for a patch leads to, for one product."""

    requirement_id: UUID
    product: str
    release: str


def folded_name(name: str) -> str:
    """Return a vendor's patch id or title in the one spelling that is looked up."""
    return " ".join(name.split()).casefold()


class Catalog:
    """Everything of one version. `patches` maps (scheme, name) to what it is for each product that has it.

    `intelligence` is what feeds say of the vulnerabilities that its releases fix.
    """

    def __init__(
        self,
        *,
        version: int,
        name: str,
        products: Iterable[Product],
        requirements: Iterable[Requirement],
        patches: Mapping[tuple[str, str], tuple[Named, ...]],
        intelligence: Intelligence = NOTHING_KNOWN,
    ) -> None:
        """Index the parts of one version; `products` are in the order in which they select."""
        self.version = version
        self.label = f"{name}#{version}"
        self.products = {product.name: product for product in products}
        self.requirements = {each.id: each for each in requirements}
        self.intelligence = intelligence
        self._patches = patches
        self._meanings: dict[tuple[str, str | None, Tier], Named | None] = {}
        self._trains: dict[str, tuple[UUID, ...]] = {}
        for each in self.requirements.values():
            if each.owed is Owed.WHEN_NAMED:
                continue
            self._trains[each.product.name] = (*self._trains.get(each.product.name, ()), each.id)

    @property
    def cves(self) -> frozenset[str]:
        """Return every vulnerability that one of its releases fixes."""
        return frozenset(
            cve for each in self.requirements.values() for release in each.releases for cve in release.cves
        )

    def informed(self, intelligence: Intelligence) -> "Catalog":
        """Return the same catalog with other knowledge of its vulnerabilities."""
        other = copy(self)
        other.intelligence = intelligence
        return other

    def risk(self, release: Release) -> Risk:
        """Return what is known of the vulnerabilities that a release fixes, the worst of each."""
        return self.intelligence.risk_of(release.cves)

    def product_of(self, system: System) -> str | None:
        """Return the product that a device is; the first that selects it; `None`: none does."""
        for product in self.products.values():
            if product.os_family == system.os_family and any(each.selects(system) for each in product.selectors):
                return product.name
        return None

    def trains_of(self, product: str | None) -> tuple[UUID, ...]:
        """Return the requirements that every device of a product owes."""
        return self._trains.get(product, ()) if product is not None else ()

    def named(self, kb: str | None, names: Iterable[str]) -> tuple[Named, ...]:
        """Return what a KB number or, without one, any of a vendor's names leads to."""
        if kb is not None:
            return self._patches.get(("kb", kb), ())
        return next((found for name in names if (found := self._patches.get(("name", folded_name(name)), ()))), ())

    def kb_meant(self, kb: str, *, product: str | None, tier: Tier) -> Named | None:
        """Return what a KB number means on a device of `product`; answers on numbers that it knows are kept."""
        key = kb, product, tier
        if key in self._meanings:
            return self._meanings[key]
        named = self.named(kb, ())
        found = self.meant(named, product=product, tier=tier)
        if named:
            self._meanings[key] = found
        return found

    def meant(self, named: Iterable[Named], *, product: str | None, tier: Tier) -> Named | None:
        """Return what a name means on a device of `product`; `None`: nothing, or it cannot be told.

        While the product of a device is not known, its tier tells a server's system from a workstation's.
        """
        systems = [each for each in named if self.products[each.product].is_system]
        mine = [each for each in systems if each.product == product] or [
            each for each in named if not self.products[each.product].is_system
        ]
        if not mine and product is None:
            is_server = tier is Tier.SERVER
            mine = [each for each in systems if self.products[each.product].for_servers in {None, is_server}]
        return mine[0] if len(mine) == 1 else None


EMPTY = Catalog(version=0, name="none", products=(), requirements=(), patches={})
"""The catalog before the first is loaded: it knows nothing, so all evidence is parked."""
