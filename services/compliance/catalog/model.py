"""The catalog as decisions see it: products, requirements, releases, and how a vendor's name leads to them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from contracts.events.event import OsFamily, Severity, Tier
from services.compliance.catalog.numbers import Numbers, begins_with, is_at_least, numbers


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
    """Something that is patched. One without selectors is an application: devices owe it once evidence names it."""

    name: str
    os_family: OsFamily
    for_servers: bool | None = None
    reads: Reads = Reads.NOTHING
    line: str | None = None
    selectors: tuple[Selector, ...] = ()

    @property
    def is_system(self) -> bool:
        """Return whether it is what a device is, rather than something installed on it."""
        return bool(self.selectors)

    def comparable(self, os_build: str | None, os_version: str | None) -> Numbers | None:
        """Return the reading as numbers that compare with this product's fixed builds; `None` where it is none."""
        read = numbers(os_build if self.reads == "build" else os_version if self.reads == "version" else None)
        return read if read and (self.line is None or begins_with(read, numbers(self.line))) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One patch of a train. `fixed` is what a device reads once it is there; `None`: no reading tells."""

    name: str
    released_at: datetime
    catalogued_at: datetime
    severity: Severity = Severity.UNKNOWN
    fixed: Numbers | None = None
    reboot: bool = False
    supersedes: frozenset[str] = frozenset()

    def is_in(self, read: Numbers, product: Product) -> bool | None:
        """Return whether a reading shows that this release, or a newer one, is there; `None`: it does not tell."""
        return None if self.fixed is None else is_at_least(read, self.fixed, is_whole=product.reads == "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One fix line of one product. `releases` are in the order of their release."""

    id: UUID
    product: Product
    train: str
    releases: tuple[Release, ...]
    superseders: Mapping[str, frozenset[str]]

    def release(self, name: str) -> Release:
        """Return the release of that name."""
        return next(each for each in self.releases if each.name == name)


def requirement(id_: UUID, product: Product, train: str, releases: Iterable[Release]) -> Requirement:
    """Return a requirement with its releases in order, and who supersedes whom, all the way up."""
    ordered = tuple(sorted(releases, key=lambda each: (each.released_at, each.name)))
    superseders: dict[str, set[str]] = {each.name: set() for each in ordered}
    for newer in ordered:
        reached, waiting = set[str](), [newer]
        while waiting:
            below = {name for name in waiting.pop().supersedes if name in superseders} - reached
            reached |= below
            waiting += [each for each in ordered if each.name in below]
        for name in reached - {newer.name}:
            superseders[name].add(newer.name)
    frozen = {name: frozenset(names) for name, names in superseders.items()}
    return Requirement(id=id_, product=product, train=train, releases=ordered, superseders=frozen)


class Named(NamedTuple):
    """What a vendor's name for a patch leads to, for one product."""

    requirement_id: UUID
    product: str
    release: str


def folded_name(name: str) -> str:
    """Return a vendor's patch id or title in the one spelling that is looked up."""
    return " ".join(name.split()).casefold()


class Catalog:
    """Everything of one version. `patches` maps (scheme, name) to what it is for each product that has it."""

    def __init__(
        self,
        *,
        version: int,
        name: str,
        products: Iterable[Product],
        requirements: Iterable[Requirement],
        patches: Mapping[tuple[str, str], tuple[Named, ...]],
    ) -> None:
        """Index the parts of one version; `products` are in the order in which they select."""
        self.version = version
        self.label = f"{name}#{version}"
        self.products = {product.name: product for product in products}
        self.requirements = {each.id: each for each in requirements}
        self._patches = patches
        self._trains: dict[str, tuple[UUID, ...]] = {}
        for each in self.requirements.values():
            self._trains[each.product.name] = (*self._trains.get(each.product.name, ()), each.id)

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
