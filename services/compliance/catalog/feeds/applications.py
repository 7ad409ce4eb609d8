"""Applications: a list of products and the versions that have a fix, as a CSV file that people or tools write.

Columns: product, version, released_at (a moment, or a day: then its first moment in UTC, unconfirmed); and, as wished:
severity, cves and patches (several by semicolons), os_family, scheme (whose rules its versions follow), category.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from contracts.events.event import OsFamily
from services.compliance.catalog.entries import ProductEntry, ReleaseEntry, TrainEntry
from services.compliance.catalog.feeds.found import FeedRefused, File, Found, Options, only, severity_of
from services.compliance.catalog.feeds.scores import digest_label
from services.compliance.catalog.feeds.tables import rows
from services.compliance.catalog.versions import Scheme, version
from services.compliance.subjects import Category

NEEDS: Final = ("product", "version", "released_at")
STABLE: Final = "stable"
DAY_CHARACTERS: Final = 10


def read(files: Sequence[File], _: Options) -> Found:
    """Return each product with its releases.

    Raises:
        FeedRefused: names the line that is wrong.
    """
    file = only(files, "a list of applications")
    releases: dict[tuple[str, OsFamily, Scheme], list[ReleaseEntry]] = {}
    for number, row in rows(file, NEEDS):
        try:
            key = row["product"].strip(), OsFamily(row.get("os_family") or "windows"), _scheme(row)
            releases.setdefault(key, []).append(_release(row, key[2]))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise FeedRefused(f"{file.name}, line {number}: {place}: {first['msg']}") from error
        except ValueError as error:
            raise FeedRefused(f"{file.name}, line {number}: {error}") from error
    products = tuple(_product(*key, found) for key, found in sorted(releases.items(), key=lambda item: item[0]))
    entries = sum(len(each) for each in releases.values())
    return Found(label=digest_label(file), entries=entries, products=products)


def _scheme(row: Mapping[str, str]) -> Scheme:
    return Scheme(row.get("scheme") or Scheme.GENERIC)


def _release(row: Mapping[str, str], scheme: Scheme) -> ReleaseEntry:
    text = row["version"].strip()
    if version(scheme, text) is None:
        raise ValueError(f"{text!r} is no version by the rules of {scheme}")
    at, is_moment = _moment(row["released_at"].strip())
    name = f"{row['product'].strip()} {text}"
    stated: dict[str, Any] = {"category": Category(row["category"])} if row.get("category") else {}
    return ReleaseEntry(
        release=name,
        released_at=at,
        release_confirmed=is_moment,
        patches=(name, *_several(row.get("patches"))),
        severity=severity_of(row.get("severity")),
        cves=_several(row.get("cves")),
        fixed_version=text,
        **stated,
    )


def _moment(text: str) -> tuple[datetime, bool]:
    at = datetime.fromisoformat(text)
    is_moment = len(text) > DAY_CHARACTERS
    return at if at.tzinfo else at.replace(tzinfo=UTC), is_moment


def _several(text: str | None) -> tuple[str, ...]:
    return tuple(each.strip() for each in (text or "").split(";") if each.strip())


def _product(name: str, os_family: OsFamily, scheme: Scheme, releases: Sequence[ReleaseEntry]) -> ProductEntry:
    train = TrainEntry(train=STABLE, releases=tuple(releases))
    return ProductEntry(product=name, os_family=os_family, versions=scheme, trains=(train,))
