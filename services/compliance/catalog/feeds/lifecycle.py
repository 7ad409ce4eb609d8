"""Ends of service, and service packs that are missing, from endoflife.date's data: obligations for whole systems.

The file maps a product to its `releases`, each with `releaseCycle`, `releaseDate`, `eol` (a day, or whether it ended)
and `latest`. A system of the catalog whose cycle ends owes a supported one by that day; its obligation begins a notice
earlier. Of several editions of one build the one that ends first counts; a client's extended support moves the end by
policy. Source: endoflife.date, fields of its products' front matter.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from contracts.events.event import OsFamily
from services.compliance.catalog.entries import ProductEntry, ReleaseEntry, TrainEntry
from services.compliance.catalog.feeds.found import FeedRefused, File, Found, Options, only, parsed
from services.compliance.catalog.feeds.scores import digest_label
from services.compliance.catalog.feeds.windows_names import systems
from services.compliance.catalog.model import Reads
from services.compliance.catalog.numbers import Numbers, numbers
from services.compliance.subjects import Category

LIFECYCLE: Final = "lifecycle"
SERVICE_PACK: Final = "service_pack"
OTHER_EDITIONS: Final = ("-lts", "-sac", "-ac")
"""End the names of editions of the same build that nothing in an inventory tells from the usual one: bought for a long
life, or servers of a channel that had a short one."""

MOST_PRODUCTS: Final = 20_000
"""Fifty times as many as are known; each that is wrong costs an error of its own."""

VERSIONED: Final = {
    "macOS": "macos",
    "Ubuntu": "ubuntu",
    "Debian": "debian",
    "Red Hat Enterprise Linux": "rhel",
    "AlmaLinux": "almalinux",
    "Rocky Linux": "rocky-linux",
    "Oracle Linux": "oracle-linux",
    "SUSE Linux Enterprise Server": "sles",
}
"""Systems whose cycle is their version, by what the catalog calls them."""


class _Cycle(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(alias="releaseCycle")
    released_on: date = Field(alias="releaseDate")
    ends: date | bool = Field(alias="eol")
    latest: str | None = None
    latest_on: date | None = Field(default=None, alias="latestReleaseDate")

    @property
    def ends_on(self) -> date | None:
        """Return the day after which nothing is released for it; `None`: none is known."""
        return None if isinstance(self.ends, bool) else self.ends


class _Product(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    releases: tuple[_Cycle, ...]


PRODUCTS: TypeAdapter[dict[str, _Product]] = TypeAdapter(dict[str, _Product])


@dataclass(frozen=True, slots=True)
class _System:
    """A product of the catalog and the cycles that it may be, with the cycles that come after it."""

    product: ProductEntry
    own: tuple[_Cycle, ...]
    all: tuple[_Cycle, ...]
    by_build: bool

    def read(self, cycle: _Cycle) -> Numbers:
        """Return what a device of a cycle reads."""
        return numbers(cycle.latest if self.by_build else cycle.name)


def read(files: Sequence[File], options: Options) -> Found:
    """Return what the systems of the newest catalog owe because their service ends, or a service pack is out.

    Raises:
        FeedRefused: the file has another form, or there is no catalog yet whose systems could be looked up.
    """
    file = only(files, "lifecycle data")
    try:
        content = json.loads(file.text)
    except (ValueError, RecursionError) as error:
        raise FeedRefused(f"{file.name}: is not JSON: {error}") from error
    if isinstance(content, dict) and len(content) > MOST_PRODUCTS:
        raise FeedRefused(f"{file.name}: has {len(content)} products; at most {MOST_PRODUCTS} are read")
    told = parsed(PRODUCTS, _by_name(content), file)
    if options.known is None:
        raise FeedRefused("there is no catalog yet: load one first, the ends of service are those of its systems")
    products: list[ProductEntry] = []
    notes: list[str] = []
    for system in _systems(options.known.products, told):
        trains = [*_lifecycle(system, options, notes), *_service_pack(system)]
        if trains:
            products.append(_with(system, trains))
    return Found(
        label=digest_label(file),
        entries=sum(len(each.releases) for each in told.values()),
        products=tuple(products),
        notes=tuple(notes),
    )


def _by_name(content: Any) -> Any:
    """Return the answer of the site's own interface in the form of its data: products by name, its fields renamed.

    Unconfirmed: the interface (`/api/v1/products/full`) was not at hand here; its fields are as it documents them.
    """
    if not isinstance(content, dict) or not isinstance(content.get("result"), list):
        return content
    return {
        name: {"releases": [_renamed(each) if isinstance(each, dict) else each for each in releases]}
        for product in content["result"]
        if isinstance(product, dict)
        and isinstance(name := product.get("name"), str)
        and isinstance(releases := product.get("releases", []), list)
    }


def _renamed(cycle: Mapping[str, Any]) -> dict[str, Any]:
    latest = cycle.get("latest") or {}
    return {
        "releaseCycle": cycle.get("name"),
        "releaseDate": cycle.get("releaseDate"),
        "eol": cycle.get("eolFrom") or bool(cycle.get("isEol")),
        "latest": latest.get("name"),
        "latestReleaseDate": latest.get("date"),
    }


def _with(system: _System, trains: Sequence[TrainEntry]) -> ProductEntry:
    reads = Reads.VERSION if system.product.reads is Reads.NOTHING else system.product.reads
    return system.product.model_copy(update={"trains": tuple(trains), "reads": reads})


def _systems(known: Sequence[ProductEntry], told: Mapping[str, _Product]) -> list[_System]:
    found = []
    for product in (each for each in known if each.select):
        if product.os_family is OsFamily.WINDOWS:
            family = told.get("windows-server" if product.for_servers else "windows")
            cycles = tuple(each for each in family.releases if not each.name.endswith(OTHER_EDITIONS)) if family else ()
            builds = _builds(product)
            own = tuple(each for each in cycles if each.latest and numbers(each.latest) in builds)
        else:
            words, _, rest = product.product.removesuffix(" LTS").rpartition(" ")
            cycles = told[VERSIONED[words]].releases if VERSIONED.get(words) in told else ()
            own = tuple(each for each in cycles if each.name == rest)
        if own:
            found.append(_System(product, own, cycles, by_build=product.os_family is OsFamily.WINDOWS))
    return found


def _builds(product: ProductEntry) -> frozenset[Numbers]:
    system = systems().get(product.product.removesuffix(" x64"))
    spelled = (*(system.builds if system else ()), *(each.build for each in product.select if each.build))
    return frozenset(numbers(each) for each in spelled)


def _lifecycle(system: _System, options: Options, notes: list[str]) -> list[TrainEntry]:
    ends_on = min((each.ends_on for each in system.own if each.ends_on), default=None)
    if ends_on is None:
        return []
    notice = timedelta(days=options.notice_days)
    name = system.product.product
    successor = _successor(system, ends_on + notice)
    if successor is None:
        notes.append(f"{name} ends on {ends_on}, and nothing is known that is supported {options.notice_days} days on")
        return []
    due_at = datetime.combine(ends_on, time(23, 59, 59), tzinfo=UTC)
    release = ReleaseEntry(
        release=f"{name}: end of service",
        released_at=due_at - notice,
        release_confirmed=False,
        category=Category.LIFECYCLE,
        fixed_build=successor.latest if system.by_build else successor.name,
        reboot=True,
        due_at=due_at,
    )
    return [TrainEntry(train=LIFECYCLE, releases=(release,))]


def _successor(system: _System, until: date) -> _Cycle | None:
    """Return the lowest release above it of which every edition is supported longer than `until`."""
    own = max(system.read(each) for each in system.own)
    ended = {system.read(each) for each in system.all if each.ends is True or (each.ends_on and each.ends_on <= until)}
    later = [each for each in system.all if system.read(each) > own and system.read(each) not in ended]
    return min(later, key=system.read, default=None)


def _service_pack(system: _System) -> list[TrainEntry]:
    """Return the newest point release of a system whose version tells it, unless the catalog has a line of builds."""
    has_line = any(
        release.fixed_build and train.train not in {LIFECYCLE, SERVICE_PACK}
        for train in system.product.trains
        for release in train.releases
    )
    cycle = system.own[0]
    if system.by_build or has_line or cycle.latest is None or cycle.latest_on is None:
        return []
    if len(numbers(cycle.latest)) <= len(numbers(cycle.name)):
        return []
    release = ReleaseEntry(
        release=f"{system.product.product}: {cycle.latest}",
        released_at=datetime.combine(cycle.latest_on, time(), tzinfo=UTC),
        release_confirmed=False,
        category=Category.LIFECYCLE,
        fixed_build=cycle.latest,
        reboot=True,
    )
    return [TrainEntry(train=SERVICE_PACK, releases=(release,))]
