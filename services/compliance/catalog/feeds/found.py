"""What a reader of a feed is given and gives back. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from chassis.errors import NeverWorks
from contracts.events.event import Severity
from services.compliance.catalog.entries import CatalogDocument, ProductEntry
from services.compliance.catalog.intelligence import Feed, Known

T = TypeVar("T")

SEVERITY_OF_WORD = {
    "critical": Severity.CRITICAL,
    "important": Severity.HIGH,
    "high": Severity.HIGH,
    "moderate": Severity.MODERATE,
    "medium": Severity.MODERATE,
    "low": Severity.LOW,
}
"""Vendors' words in our bands. Source: Microsoft's and Red Hat's scales: critical, important, moderate, low."""


class FeedRefused(NeverWorks):
    """A feed's file is not usable; the text names the file and the entry."""


@dataclass(frozen=True, slots=True)
class File:
    """One file as it was read: its name, for people, and its whole text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may say beside the files. `known` is the newest catalog, for formats that speak of its products."""

    known: CatalogDocument | None = None
    epss_model: str | None = None
    score_date: datetime | None = None
    notice_days: int = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One version of what one feed says of vulnerabilities."""

    feed: Feed
    label: str
    known: tuple[Known, ...]
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was read. `notes` are sentences for people: what is a hint only, what was left out and why."""

    label: str
    entries: int
    products: tuple[ProductEntry, ...] = ()
    facts: tuple[Facts, ...] = ()
    notes: tuple[str, ...] = ()
    published_at: datetime | None = None


def severity_of(word: str | None) -> Severity:
    """Return a vendor's word in our bands; a word that is none of them is unknown."""
    return SEVERITY_OF_WORD.get((word or "").strip().casefold(), Severity.UNKNOWN)


def parsed(adapter: TypeAdapter[T], content: Any, file: File) -> T:
    """Return `content` as what `adapter` describes.

    Raises:
        FeedRefused: names the file, the entry and what is wrong with it.
    """
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FeedRefused(f"{file.name}: {place}: {first['msg']}") from error


def only(files: Sequence[File], kind: str) -> File:
    """Return the one file of a format that has one.

    Raises:
        FeedRefused: there are more.
    """
    if len(files) != 1:
        raise FeedRefused(f"{kind} is one file; {len(files)} were given")
    return files[0]
