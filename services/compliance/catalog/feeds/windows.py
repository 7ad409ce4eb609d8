"""Windows: a list of KBs by product, and the graph of what supersedes what, as CSV files.

Columns of the list: kb, product, date_posted, max_severity, supersedes, cves (several in one field by semicolons); of
the graph: kb, supersedes_kb. Each product's KBs that lead to one another make one fix line; the largest is `cumulative`
and owed by every device, the others (hotpatches, servicing stacks, .NET) by those of which evidence names one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from contracts.events.event import OsFamily
from services.compliance.catalog.entries import CatalogDocument, ProductEntry, ReleaseEntry, TrainEntry
from services.compliance.catalog.feeds.epss import CVE
from services.compliance.catalog.feeds.found import FeedRefused, File, Found, Options, severity_of
from services.compliance.catalog.feeds.tables import columns, rows
from services.compliance.catalog.feeds.windows_dates import Moment, moments
from services.compliance.catalog.feeds.windows_names import normal_name, system_of
from services.compliance.catalog.graph import Supersedence, SupersedesItself
from services.compliance.catalog.model import Owed

LIST: Final = ("kb", "product", "date_posted", "max_severity", "supersedes", "cves")
EDGES: Final = ("kb", "supersedes_kb")
CUMULATIVE: Final = "cumulative"


@dataclass(frozen=True, slots=True)
class Kb:
    """One row of the list."""

    number: str
    product: str
    posted_on: date
    severity: str
    supersedes: tuple[str, ...]
    cves: tuple[str, ...]


def read(files: Sequence[File], options: Options) -> Found:
    """Return the products with their fix lines.

    Raises:
        FeedRefused: a file is neither a list nor a graph, a row is wrong, or a KB supersedes itself.
    """
    listed = [kb for file in files if "product" in columns(file) for kb in _listed(file)]
    edges = [edge for file in files if "product" not in columns(file) for edge in _edges(file)]
    if not listed:
        raise FeedRefused(f"no file has the columns {', '.join(LIST)}")
    try:
        graph = Supersedence([*edges, *((kb.number, older) for kb in listed for older in kb.supersedes)])
    except SupersedesItself as error:
        raise FeedRefused(f"{files[0].name}: {error}") from error
    posted: dict[str, set[date]] = {}
    for kb in listed:
        posted.setdefault(kb.number, set()).add(kb.posted_on)
    when = moments(posted, graph)
    products = _products(listed, graph, when, options.known)
    newest = max(each.posted_on for each in listed)
    return Found(label=f"{newest}", entries=len(listed), products=products, notes=_notes(when, products))


def _listed(file: File) -> list[Kb]:
    found = []
    for number, row in rows(file, LIST):
        try:
            posted_on = date.fromisoformat(row["date_posted"])
        except ValueError as error:
            raise FeedRefused(f"{file.name}, line {number}: {row['date_posted']!r} is no day") from error
        found.append(
            Kb(
                number=_kb(row["kb"], file, number),
                product=normal_name(row["product"]) or " ".join(row["product"].split()),
                posted_on=posted_on,
                severity=row["max_severity"],
                supersedes=tuple(_kb(each, file, number) for each in row["supersedes"].split(";") if each.strip()),
                cves=tuple(each for each in row["cves"].split(";") if CVE.fullmatch(each)),
            )
        )
    return found


def _edges(file: File) -> list[tuple[str, str]]:
    return [
        (_kb(row["kb"], file, number), _kb(row["supersedes_kb"], file, number)) for number, row in rows(file, EDGES)
    ]


def _kb(text: str, file: File, number: int) -> str:
    digits = text.strip().upper().removeprefix("KB")
    if not (digits.isdecimal() and 5 <= len(digits) <= 9):
        raise FeedRefused(f"{file.name}, line {number}: {text[:40]!r} is no KB number")
    return digits


def _products(
    listed: Sequence[Kb], graph: Supersedence, when: Mapping[str, Moment], known: CatalogDocument | None
) -> tuple[ProductEntry, ...]:
    by_product: dict[str, dict[str, Kb]] = {}
    for kb in listed:
        by_product.setdefault(kb.product, {})[kb.number] = kb
    known_by_name = {each.product: each for each in known.products} if known else {}
    return tuple(
        _product(name, _trains(kbs, graph, when, known_by_name.get(name))) for name, kbs in sorted(by_product.items())
    )


def _product(name: str, trains: tuple[TrainEntry, ...]) -> ProductEntry:
    system = system_of(name)
    if system is None:
        return ProductEntry(product=name, os_family=OsFamily.WINDOWS, trains=trains)
    return system.entry(name, trains)


def _trains(
    kbs: Mapping[str, Kb], graph: Supersedence, when: Mapping[str, Moment], known: ProductEntry | None
) -> tuple[TrainEntry, ...]:
    return tuple(
        TrainEntry(
            train=train,
            owed=Owed.ALWAYS if train == CUMULATIVE else Owed.WHEN_NAMED,
            releases=tuple(
                _release(kbs[each], when[each], older=_nearest(each, kbs, graph), reboot=train == CUMULATIVE)
                for each in line
            ),
        )
        for train, line in _named_lines(lines(kbs, graph), known)
    )


def lines(kbs: Iterable[str], graph: Supersedence) -> list[tuple[str, ...]]:
    """Return the KBs in groups that lead to one another, over others too; the largest first, each in its own order."""
    group = {kb: kb for kb in kbs}
    for kb in sorted(group):
        for newer in graph.superseders.get(kb, frozenset()) & group.keys():
            one, other = _root(group, kb), _root(group, newer)
            group[max(one, other)] = min(one, other)
    found: dict[str, list[str]] = {}
    for kb in sorted(group, key=lambda each: (len(each), each)):
        found.setdefault(_root(group, kb), []).append(kb)
    return sorted((tuple(line) for line in found.values()), key=lambda line: (-len(line), line))


def _root(group: dict[str, str], kb: str) -> str:
    while group[kb] != kb:
        kb = group[kb]
    return kb


def _named_lines(found: Sequence[tuple[str, ...]], known: ProductEntry | None) -> list[tuple[str, tuple[str, ...]]]:
    """Return each line under its name: that under which one of its KBs is known, so that a fix line keeps its id.

    Two lines of one name are one line: the list does not have what connects them. If none goes on with the known
    cumulative line, the largest does.
    """
    train_of = {release.kb: train.train for train in (known.trains if known else ()) for release in train.releases}
    is_continued = any(train_of.get(kb) == CUMULATIVE for line in found for kb in line)
    by_name: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(found):
        names = sorted({train_of[kb] for kb in line if kb in train_of})
        name = CUMULATIVE if CUMULATIVE in names else names[0] if names else None
        if name is None:
            name = CUMULATIVE if number == 0 and not is_continued else f"KB{line[0]}"
        by_name[name] = (*by_name.get(name, ()), *line)
    return list(by_name.items())


def _release(kb: Kb, moment: Moment, *, older: Sequence[str], reboot: bool) -> ReleaseEntry:
    return ReleaseEntry(
        release=f"KB{kb.number}",
        kb=kb.number,
        released_at=moment.at,
        release_confirmed=moment.is_confirmed,
        severity=severity_of(kb.severity),
        reboot=reboot,
        supersedes=tuple(f"KB{each}" for each in older),
        cves=kb.cves,
    )


def _nearest(kb: str, kbs: Mapping[str, Kb], graph: Supersedence) -> list[str]:
    """Return the next older KBs of the product, over those that the list does not have for it."""
    nearest, passed, waiting = set[str](), {kb}, [kb]
    while waiting:
        older = graph.predecessors(waiting.pop()) - passed
        passed |= older
        nearest |= older & kbs.keys()
        waiting += older - kbs.keys()
    return sorted(nearest)


def _notes(when: Mapping[str, Moment], products: Sequence[ProductEntry]) -> tuple[str, ...]:
    unconfirmed = sum(1 for each in when.values() if not each.is_confirmed)
    unselected = [each.product for each in products if not each.select]
    notes = []
    if unconfirmed:
        why = "posted on another day than released, or out of band"
        notes.append(f"{unconfirmed} of {len(when)} KBs were {why}: their moment of release stays unconfirmed")
    if unselected:
        notes.append(f"no build is known that selects {', '.join(unselected)}: owed where evidence names a patch")
    return tuple(notes)
