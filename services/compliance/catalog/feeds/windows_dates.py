"""When a KB was released, where a list has only the day on which its entry was posted. Pure.

A posting is not a release: entries are posted again, months later (a batch of January 2023), or with a day that lies
before what they supersede. So a day counts only while it agrees with the supersedence graph; the rest are worked out
from what superseded them and stay unconfirmed. Source: the vendor releases on the second Tuesday, 10:00 Pacific.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

from services.compliance.catalog.graph import Supersedence
from services.compliance.clocks.releases import patch_tuesday, patch_tuesdays, released_at

REPOSTED_MONTHS: Final = frozenset({(2023, 1)})
"""In which everything was posted again: only what was posted on that month's own Tuesday is of that month."""


class Moment(NamedTuple):
    """A moment of release. Confirmed: the vendor's Tuesday, with nothing against it."""

    at: datetime
    is_confirmed: bool


class Bounds(NamedTuple):
    """Between which days a KB must have been released, by those that are below and above it."""

    after: date | None
    before: date | None

    def allow(self, day: date) -> bool:
        """Return whether `day` lies between them."""
        return (self.after is None or self.after < day) and (self.before is None or day < self.before)


def moments(posted: Mapping[str, Collection[date]], graph: Supersedence) -> dict[str, Moment]:
    """Return when each KB was released. `posted` has every day that the list gives for it."""
    tuesdays = {kb: day for kb, each in posted.items() if (day := _tuesday(each)) is not None}
    days = _agreeing(tuesdays, graph)
    found = {kb: Moment(released_at(day), is_confirmed=True) for kb, day in days.items()}
    for kb in _newest_first(set(posted) - set(days), graph):
        days[kb] = _worked_out(min(posted[kb]), _bounds(kb, days, graph))
        found[kb] = Moment(released_at(days[kb]), is_confirmed=False)
    return found


def _tuesday(days: Collection[date]) -> date | None:
    """Return the latest of the days that is the vendor's Tuesday; of several it is the KB's own."""
    return max((day for day in days if day == patch_tuesday(day.year, day.month)), default=None)


def _agreeing(days: Mapping[str, date], graph: Supersedence) -> dict[str, date]:
    """Return the days that agree with the graph: what contradicts most others is left out, until nothing does."""
    against: dict[str, set[str]] = {kb: set() for kb in days}
    for kb, day in days.items():
        for newer in graph.superseders.get(kb, frozenset()) & days.keys():
            if days[newer] <= day:
                against[kb].add(newer)
                against[newer].add(kb)
    while worst := max((kb for kb in against if against[kb]), key=lambda kb: (len(against[kb]), kb), default=None):
        for other in against.pop(worst):
            against[other].discard(worst)
    return {kb: days[kb] for kb in against}


def _newest_first(kbs: Collection[str], graph: Supersedence) -> list[str]:
    """Return KBs so that each comes after those that supersede it: fewer supersede a newer one."""
    return sorted(kbs, key=lambda kb: (len(graph.superseders.get(kb, frozenset())), kb))


def _bounds(kb: str, days: Mapping[str, date], graph: Supersedence) -> Bounds:
    above = graph.superseders.get(kb, frozenset())
    below = [day for other, day in days.items() if kb in graph.superseders.get(other, frozenset())]
    return Bounds(max(below, default=None), min((days[other] for other in above if other in days), default=None))


def _worked_out(own: date, bounds: Bounds) -> date:
    """Return the day of posting where it can be true; else the vendor's last Tuesday before it was superseded."""
    if bounds.allow(own) and (bounds.before is None or (own.year, own.month) not in REPOSTED_MONTHS):
        return own
    if bounds.before is None:
        return next(patch_tuesdays((bounds.after or own) + timedelta(days=1), date.max))
    tuesday = max(patch_tuesdays(bounds.before - timedelta(days=40), bounds.before))
    return tuesday if bounds.allow(tuesday) else bounds.after or tuesday
