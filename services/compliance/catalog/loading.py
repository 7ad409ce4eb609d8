"""Loads what was read: adds its products to the catalog, keeps its facts under its version, says what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from chassis.postgres import Connection
from services.compliance import store_commands_catalog, store_commands_feeds, store_commands_newest
from services.compliance.catalog.entries import CatalogDocument
from services.compliance.catalog.feeds.formats import READERS, Format
from services.compliance.catalog.feeds.found import Facts, FeedRefused, Found, Options
from services.compliance.catalog.files import Source, digest
from services.compliance.catalog.merge import merged
from services.compliance.store_commands_feeds import Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of one file. `is_new` is false where the newest version was the same already."""

    feed: str
    label: str
    entries: int
    is_new: bool
    catalog_version: int | None = None
    notes: tuple[str, ...] = ()


async def load(  # noqa: PLR0917 - where to, what and from where, and when
    tx: Connection, kind: Format, sources: Sequence[Source], options: Options, loaded_at: datetime
) -> list[Loaded]:
    """Read files of one format and load them; one entry for each feed that they speak for.

    Raises:
        FeedRefused: a file cannot be used; nothing was loaded.
        CatalogRefused: what it says of products contradicts the catalog.
    """
    await store_commands_feeds.one_at_a_time(tx)
    known = await store_commands_newest.newest_document(tx)
    stated = Options(
        known=known,
        epss_model=options.epss_model,
        score_date=options.score_date,
        notice_days=options.notice_days,
    )
    found = read(kind, sources, stated)
    loaded = [await _facts(tx, each, sources, loaded_at) for each in found.facts]
    if found.products or not found.facts:
        loaded.insert(0, await _products(tx, kind, sources, found, known, loaded_at))
    else:
        await store_commands_feeds.exclude_decisions(tx)
    first, *others = loaded
    return [_with_notes(first, found.notes), *others]


def read(kind: Format, sources: Sequence[Source], options: Options) -> Found:
    """Return what files of one format say.

    Raises:
        FeedRefused: a file cannot be used.
    """
    try:
        return READERS[kind]([source.file for source in sources], options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FeedRefused(f"{sources[0].name}: an entry's {place}: {first['msg']}") from error
    except OverflowError as error:
        raise FeedRefused(f"{sources[0].name}: has a day beyond all calendars: {error}") from error


async def _facts(tx: Connection, facts: Facts, sources: Sequence[Source], loaded_at: datetime) -> Loaded:
    sha256 = digest(sources)
    is_new = not await store_commands_feeds.is_newest(tx, facts.feed, sha256, facts.label)
    if is_new:
        version = Version(
            feed=facts.feed,
            label=facts.label,
            origin=_origin(sources),
            sha256=sha256,
            entries=len(facts.known),
            published_at=facts.published_at,
            fetched_at=sources[0].fetched_at,
            loaded_at=loaded_at,
        )
        await store_commands_feeds.add(tx, version, facts.known)
    return Loaded(feed=facts.feed, label=facts.label, entries=len(facts.known), is_new=is_new)


async def _products(  # noqa: PLR0917 - what was found, what was known, and where both come from
    tx: Connection,
    kind: Format,
    sources: Sequence[Source],
    found: Found,
    known: CatalogDocument | None,
    loaded_at: datetime,
) -> Loaded:
    sha256 = digest(sources)
    catalog = merged(known, found.products, name=known.name if known else str(kind)) if found.products else None
    number, is_new = None, False
    if catalog is not None:
        number, is_new = await store_commands_catalog.add(tx, catalog, loaded_at)
    if not await store_commands_feeds.is_newest(tx, kind, sha256, found.label):
        version = Version(
            feed=kind,
            label=found.label,
            origin=_origin(sources),
            sha256=sha256,
            entries=found.entries,
            published_at=found.published_at,
            fetched_at=sources[0].fetched_at,
            loaded_at=loaded_at,
            catalog_version=number,
        )
        await store_commands_feeds.add(tx, version, ())
    return Loaded(feed=kind, label=found.label, entries=found.entries, is_new=is_new, catalog_version=number)


def _origin(sources: Sequence[Source]) -> str:
    more = f" and {len(sources) - 1} more" if len(sources) > 1 else ""
    return f"{sources[0].origin}{more}"


def _with_notes(loaded: Loaded, notes: tuple[str, ...]) -> Loaded:
    return Loaded(
        feed=loaded.feed,
        label=loaded.label,
        entries=loaded.entries,
        is_new=loaded.is_new,
        catalog_version=loaded.catalog_version,
        notes=notes,
    )
