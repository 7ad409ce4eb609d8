"""Vendors' security advisories in CSAF 2.0: which version of which package on which system fixes what.

Every advisory becomes one release, owed by devices of which evidence names it; releases of one package are put in order
by the distribution's own rules for versions. What an advisory does not fix makes no requirement; its scores are kept.
Source: CSAF 2.0 (OASIS), sections 3.2.1 (document), 3.2.2 (product tree), 3.2.3 (vulnerabilities).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from contracts.events.event import OsFamily
from services.compliance.catalog.entries import ProductEntry, ReleaseEntry, TrainEntry
from services.compliance.catalog.feeds.csaf_products import Fix, fixes, tree
from services.compliance.catalog.feeds.epss import CVE
from services.compliance.catalog.feeds.found import Facts, FeedRefused, File, Found, Options, parsed, severity_of
from services.compliance.catalog.feeds.scores import digest_label, score_of
from services.compliance.catalog.intelligence import Feed, Known
from services.compliance.catalog.model import Owed

IDS_SHOWN: Final = 5


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Word(_Part):
    text: str


class _Tracking(_Part):
    id: str = Field(min_length=1, max_length=100)
    initial_release_date: AwareDatetime
    status: str


class _Document(_Part):
    tracking: _Tracking
    aggregate_severity: _Word | None = None


class _Status(_Part):
    fixed: tuple[str, ...] = ()
    first_fixed: tuple[str, ...] = ()


class _Score(_Part):
    cvss_v2: dict[str, Any] | None = None
    cvss_v3: dict[str, Any] | None = None


class _Vulnerability(_Part):
    cve: str | None = None
    product_status: _Status = _Status()
    scores: tuple[_Score, ...] = ()


class _Advisory(_Part):
    document: _Document
    product_tree: dict[str, Any] = Field(default_factory=dict)
    vulnerabilities: tuple[_Vulnerability, ...] = ()


ADVISORY: TypeAdapter[_Advisory] = TypeAdapter(_Advisory)


def read(files: Sequence[File], _: Options) -> Found:
    """Return the advisories' packages and scores.

    Raises:
        FeedRefused: a file is no CSAF document.
    """
    advisories = [_advisory(file) for file in files]
    products: dict[str, dict[str, list[tuple[Fix, ReleaseEntry]]]] = {}
    for advisory in advisories:
        for fix, release in _releases(advisory):
            products.setdefault(fix.product.name, {}).setdefault(fix.package, []).append((fix, release))
    label = advisories[0].document.tracking.id if len(files) == 1 else f"{len(files)} advisories"
    unfixed = [each.document.tracking.id for each in advisories if not any(_releases(each))]
    known = tuple(each for advisory in advisories for each in _scores(advisory))
    scores = (Facts(feed=Feed.CVSS, label=label, known=_worst_of_each(known)),) if known else ()
    return Found(
        label=f"{label} ({digest_label(File('all', ''.join(file.text for file in files)))})",
        entries=len(advisories),
        products=tuple(_product(trains) for _, trains in sorted(products.items())),
        facts=scores,
        notes=_notes(unfixed),
        published_at=max(each.document.tracking.initial_release_date for each in advisories),
    )


def _advisory(file: File) -> _Advisory:
    try:
        content = json.loads(file.text)
    except (ValueError, RecursionError) as error:
        raise FeedRefused(f"{file.name}: is not JSON: {error}") from error
    return parsed(ADVISORY, content, file)


def _releases(advisory: _Advisory) -> list[tuple[Fix, ReleaseEntry]]:
    """Return what an advisory brings: for each product the first of its packages, in their order."""
    known = tree(advisory.product_tree)
    stated = [each.product_status for each in advisory.vulnerabilities]
    named = [name for each in stated for name in (*each.fixed, *each.first_fixed)]
    about = advisory.document
    severity = severity_of(about.aggregate_severity.text if about.aggregate_severity else None)
    cves = tuple(sorted({each.cve for each in advisory.vulnerabilities if each.cve and CVE.fullmatch(each.cve)}))
    return [
        (
            fix,
            ReleaseEntry(
                release=about.tracking.id,
                released_at=about.tracking.initial_release_date,
                patches=(about.tracking.id,),
                severity=severity,
                cves=cves,
                fixed_version=fix.version,
            ),
        )
        for fix in fixes(known, named)
    ]


def _product(trains: Mapping[str, Sequence[tuple[Fix, ReleaseEntry]]]) -> ProductEntry:
    product = next(iter(trains.values()))[0][0].product
    return ProductEntry(
        product=product.name,
        os_family=product.os_family or OsFamily.OTHER,
        select=product.select,
        versions=product.scheme,
        trains=tuple(
            TrainEntry(train=package, owed=Owed.WHEN_NAMED, releases=tuple(release for _, release in found))
            for package, found in sorted(trains.items())
        ),
    )


def _scores(advisory: _Advisory) -> list[Known]:
    found = []
    for each in advisory.vulnerabilities:
        vectors = [
            str(score["vectorString"])
            for scored in each.scores
            for score in (scored.cvss_v3, scored.cvss_v2)
            if score and "vectorString" in score
        ]
        rated = [(score, vector) for vector in vectors if (score := score_of(vector)) is not None]
        if each.cve and CVE.fullmatch(each.cve) and rated:
            score, vector = max(rated)
            found.append(Known(cve=each.cve, cvss=score, cvss_vector=vector))
    return found


def _worst_of_each(known: Sequence[Known]) -> tuple[Known, ...]:
    return tuple({each.cve: each for each in sorted(known, key=lambda each: each.cvss or 0)}.values())


def _notes(unfixed: Sequence[str]) -> tuple[str, ...]:
    if not unfixed:
        return ()
    shown = ", ".join(unfixed[:IDS_SHOWN]) + (" …" if len(unfixed) > IDS_SHOWN else "")
    return (f"{len(unfixed)} advisories fix nothing by name of a product and make no requirement: {shown}",)
