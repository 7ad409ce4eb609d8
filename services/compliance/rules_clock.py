"""Which clock runs for one release on one machine: the strictest of all that a policy asks for. Pure.

Every regime answers with its own row, and every row counts from a moment of its own. A moment that has not come (nobody
approved, nothing detected it, it is in no list of exploited ones) starts no clock of that row.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple, assert_never

from services.compliance.policy import Rule, Starts, Subject
from services.compliance.rules_case import Case
from services.compliance.rules_deadline import deadline
from services.compliance.rules_views import ReleaseView

_RELEASE: Final = Starts.RELEASE


class Clock(NamedTuple):
    """Until when, counted from when, and by which row: `regime:row`. Of two with one end the first start counts."""

    due_at: datetime
    starts_at: datetime
    rule: str


class Asked(NamedTuple):
    """What a policy asks of one release on one machine.

    `clock` is the one that ends first; `None`: none runs. `before` is what must be done before the release is deployed,
    each with the row that asks for it.
    """

    clock: Clock | None
    before: tuple[tuple[str, str], ...] = ()


def asked(case: Case, view: ReleaseView) -> Asked:
    """Return what the policy asks.

    A release with an end of its own (the end of a product's service) is due then, or when the client's entitlement to
    longer support ends, whatever the tables say.
    """
    release = view.release
    if release.due_at is not None:
        until = case.policy.supported_until.get(case.requirement.product.name)
        due_at = release.due_at if until is None else max(release.due_at, until)
        return Asked(Clock(due_at, release.released_at, "lifecycle:end of service"))
    rules = _rules(case, view)
    before = [(extra, f"{id_}:{rule.id}") for id_, rule in rules for extra in rule.extra]
    clocks = list(_clocks(case, view, rules))
    return Asked(min(clocks) if clocks else None, tuple(before))


def _rules(case: Case, view: ReleaseView) -> tuple[tuple[str, Rule], ...]:
    asset, release = case.asset, view.release
    risk = case.risk_of(release)
    return case.policy.rules_for(
        Subject(asset.tier, release.severity, release.category, asset.exposed, asset.business, asset.ephi, risk)
    )


def _clocks(case: Case, view: ReleaseView, rules: Iterable[tuple[str, Rule]]) -> Iterator[Clock]:
    for id_, rule in rules:
        if rule.within is None:
            continue
        starts_at = _starts_at(case, view, rule.starts)
        if starts_at is not None:
            due_at = deadline(starts_at, rule.within, case.zone, ends_with_day=rule.ends_with_day)
            yield Clock(due_at, starts_at, f"{id_}:{rule.id}")


def _starts_at(case: Case, view: ReleaseView, starts: Starts) -> datetime | None:
    """Return when a clock of this kind began; `None`: it has not begun.

    Nobody can patch what is not released: what became known as exploited earlier counts from the release.
    """
    released_at = view.release.released_at
    if starts is _RELEASE:
        return released_at
    match starts:
        case Starts.DETECTION:
            return _detected_at(case, view)
        case Starts.KEV_ADDED:
            added_at = case.risk_of(view.release).kev_added_at
            return None if added_at is None else max(added_at, released_at)
        case Starts.APPROVAL:
            return view.approved.at if view.approved else None
        case Starts.LATER_OF_RELEASE_AND_FIRST_SEEN:
            return max(released_at, case.asset.first_seen_at)
        case Starts.LATER_OF_RELEASE_AND_DETECTION:
            detected_at = _detected_at(case, view)
            return None if detected_at is None else max(released_at, detected_at)
        case _:
            assert_never(starts)


def _detected_at(case: Case, view: ReleaseView) -> datetime | None:
    """Return when it was first known to be lacking; `None`: nothing says that it is.

    The first listing is kept for ever. Of readings only the newest are, so where nothing but a build below tells, it
    counts from the machine's first scan that could have found it: never later than the first such reading was.
    """
    if view.first_listed_at is not None:
        return view.first_listed_at
    if not case.signs.first_scans or case.reading_below(view.release) is None:
        return None
    return max(min(case.signs.first_scans).at, view.release.released_at)
