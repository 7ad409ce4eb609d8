"""Products of a CSAF document: its tree, what a fixed product is, and what the catalog calls it. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from contracts.events.event import OsFamily
from services.compliance.catalog.entries import SelectorEntry
from services.compliance.catalog.versions import Scheme, version

NEVRA: Final = re.compile(
    r"(?P<name>[^:/]+)-(?P<version>(?:[0-9]+:)?[^-:]+-[^-]+)\.(?P<arch>src|noarch|x86_64|aarch64|ppc64le|ppc64|s390x|i[36]86)"
)
IMAGE: Final = re.compile(r"(?P<name>.+):v?(?P<version>[^:/]+)")
PURL: Final = re.compile(r"pkg:(?:rpm|deb)/(?:[^@?]*/)?(?P<name>[^/@?]+)@(?P<version>[^?#]+)(?:\?(?P<more>[^#]*))?")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A family of systems: what the catalog calls one version of it, and by whose rules its packages compare."""

    words: str
    scheme: Scheme
    by_major: bool
    suffix: str = ""


DISTRIBUTIONS: Final[tuple[tuple[re.Pattern[str], Distribution], ...]] = tuple(
    (re.compile(pattern), distribution)
    for pattern, distribution in (
        (r"redhat:(enterprise_linux|rhel_\w+)", Distribution("Red Hat Enterprise Linux", Scheme.RPM, by_major=True)),
        (r"almalinux:almalinux", Distribution("AlmaLinux", Scheme.RPM, by_major=True)),
        (r"rocky(linux)?:rocky(_linux)?", Distribution("Rocky Linux", Scheme.RPM, by_major=True)),
        (r"oracle:linux", Distribution("Oracle Linux", Scheme.RPM, by_major=True)),
        (r"suse:sles\w*", Distribution("SUSE Linux Enterprise Server", Scheme.RPM, by_major=True)),
        (r"debian:debian_linux", Distribution("Debian", Scheme.DEB, by_major=True)),
        (r"canonical:ubuntu_linux", Distribution("Ubuntu", Scheme.DEB, by_major=False, suffix=" LTS")),
    )
)


@dataclass(frozen=True, slots=True)
class Platform:
    """What a fix is for: a system of the catalog, or a product that evidence must name."""

    name: str
    scheme: Scheme
    os_family: OsFamily | None = None
    select: tuple[SelectorEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Fix:
    """One package at the version that has the fix, on one product."""

    product: Platform
    package: str
    version: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A product of the tree, with its identification helpers."""

    id: str
    name: str
    branch: str
    cpe: str
    purl: str


@dataclass(frozen=True, slots=True)
class Tree:
    """Products by id, and (component, platform) by the id of what both are together."""

    products: Mapping[str, Listed]
    parts: Mapping[str, tuple[str, str]]


def tree(content: Mapping[str, Any]) -> Tree:
    """Return the products of a tree, however deep; what is not of the expected form is left out."""
    products: dict[str, Listed] = {}
    waiting = [content]
    while waiting:
        branch = waiting.pop()
        waiting += _objects(branch.get("branches"))
        for product in _objects([branch.get("product")], branch.get("full_product_names")):
            [helper] = _objects([product.get("product_identification_helper")]) or [{}]
            found = Listed(
                id=str(product.get("product_id")),
                name=str(product.get("name")),
                branch=str(branch.get("name") or ""),
                cpe=str(helper.get("cpe") or ""),
                purl=str(helper.get("purl") or ""),
            )
            products[found.id] = found
    parts = {
        str(whole.get("product_id")): (
            str(each.get("product_reference")),
            str(each.get("relates_to_product_reference")),
        )
        for each in _objects(content.get("relationships"))
        for whole in _objects([each.get("full_product_name")])
    }
    return Tree(products, parts)


def _objects(*lists: Any) -> list[Mapping[str, Any]]:
    """Return the objects of lists; what is no list or no object is left out."""
    return [each for found in lists if isinstance(found, list) for each in found if isinstance(each, dict)]


def fixes(known: Tree, named: Sequence[str]) -> list[Fix]:
    """Return one fix for each product that `named` ids are of: its source package, or else its first by name.

    Where streams of one system have it at several versions, the highest counts.
    """
    found: dict[str, list[tuple[bool, Fix]]] = {}
    for is_source, fix in _each(known, named):
        found.setdefault(fix.product.name, []).append((is_source, fix))
    return [_chosen(candidates) for _, candidates in sorted(found.items())]


def _each(known: Tree, named: Sequence[str]) -> Iterator[tuple[bool, Fix]]:
    for id_ in sorted(set(named)):
        component, platform = known.parts.get(id_, (id_, id_))
        if platform == component:
            listed = known.products.get(id_)
            if listed is not None and (whole := _whole(listed)) is not None:
                yield False, whole
        elif platform in known.products and (package := _package(known.products.get(component), component)):
            name, text, arch = package
            yield arch == "src", Fix(_platform(known.products[platform]), name, text)


def _chosen(candidates: Sequence[tuple[bool, Fix]]) -> Fix:
    sources = [fix for is_source, fix in candidates if is_source] or [fix for _, fix in candidates]
    first = min(fix.package for fix in sources)
    best, *others = [fix for fix in sources if fix.package == first]
    for each in others:
        one, other = (version(each.product.scheme, fix.version) for fix in (each, best))
        if one is not None and other is not None and one.is_at_least(other):
            best = each
    return best


def _package(listed: Listed | None, id_: str) -> tuple[str, str, str] | None:
    """Return the name, version and architecture of a package, by its purl or else by its id."""
    if listed is not None and (match := PURL.fullmatch(listed.purl)):
        more = parse_qs(match["more"] or "")
        epoch = more.get("epoch", [""])[0]
        text = unquote(match["version"])
        return unquote(match["name"]), f"{epoch}:{text}" if epoch else text, more.get("arch", [""])[0]
    spelled = listed.name if listed is not None else id_
    if match := NEVRA.fullmatch(spelled):
        return match["name"], match["version"], match["arch"]
    if match := IMAGE.fullmatch(spelled):
        return match["name"], match["version"], ""
    return None


def _platform(listed: Listed) -> Platform:
    kind, identity, release = _cpe(listed.cpe)
    for pattern, distribution in DISTRIBUTIONS if kind == "o" else ():
        if pattern.fullmatch(identity) and release:
            number = release.split(".")[0] if distribution.by_major else release
            spelled = f"{distribution.words} {number}"
            selectors = (
                SelectorEntry(version=number, name_has=distribution.words),
                SelectorEntry(name_has=spelled),
            )
            return Platform(f"{spelled}{distribution.suffix}", distribution.scheme, OsFamily.LINUX, selectors)
    return Platform(listed.name, Scheme.GENERIC)


def _whole(listed: Listed) -> Fix | None:
    """Return a product that is fixed as a whole: an application at a version."""
    text = _cpe(listed.cpe)[2] or listed.branch
    name = listed.name.removesuffix(text).strip()
    return Fix(Platform(name, Scheme.GENERIC), "stable", text) if text and name and name != listed.name else None


def _cpe(text: str) -> tuple[str, str, str]:
    """Return part, vendor:product and version of a CPE 2.2 or 2.3 name; empty where there is none."""
    fields = text.removeprefix("cpe:2.3:").removeprefix("cpe:/").split(":")
    part, vendor, product, release = (*fields, "", "", "", "")[:4]
    return part, f"{vendor}:{product}", "" if release in {"*", "-"} else release
