"""A claim is not a proof: what shows that a release is really there, and since when. Pure.

Three proofs, each of witnesses later than the last listing, failure and removal of the patch:
- by build: a scan that does not list it, and a reading of its build or a newer one;
- by boot: a scan that no longer lists it, and a boot, both after the deployer's claim (or, without one, the listing);
- by a second source: after the claim, another than the deployer saw it gone from its own list, or read the build.
Source: design section 1, promise 4.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.compliance.rules_case import Case
from services.compliance.rules_views import ReleaseView, Saying


@dataclass(frozen=True, slots=True)
class Proof:
    """The witnesses that together show it, and the moment at which the last of them looked."""

    at: datetime
    witnesses: tuple[Saying, ...]


def proofs(case: Case, views: Iterable[ReleaseView]) -> Mapping[str, Proof]:
    """Return the earliest proof of each release that is proven, by itself or by one that supersedes it."""
    own = {view.release.name: proof for view in views if (proof := own_proof(case, view))}
    found: dict[str, Proof] = {}
    for view in case.views:
        name = view.release.name
        shown = [own[each] for each in (name, *sorted(case.requirement.superseders[name])) if each in own]
        if shown:
            found[name] = min(shown, key=_at)
    return found


def own_proof(case: Case, view: ReleaseView) -> Proof | None:
    """Return the earliest proof of one release by evidence on it alone."""
    if not view.is_evident and not case.readings:
        return None
    shown = (
        *_by_build(case, view),
        *_by_boot(case, view),
        *_by_second_scan(case, view),
        *_by_second_reading(case, view),
    )
    return min(shown, key=_at, default=None)


def _at(proof: Proof) -> datetime:
    return proof.at


def _by_build(case: Case, view: ReleaseView) -> Iterator[Proof]:
    """A failure does not take a build away, so only the scan must be later than one."""
    readings = _after(case.readings_at_least(view.release), view.listed, view.rolled_back)
    if not readings:
        return
    scans = (*view.unlisted, *(scan for scan in case.signs.scans if scan.source not in view.listing_sources))
    for scan in _after(scans, view.listed, view.rolled_back, view.failed):
        yield from _joint(view, scan, readings, needs_claim=False)


def _by_boot(case: Case, view: ReleaseView) -> Iterator[Proof]:
    boots = _after(case.signs.boots, view.listed, view.rolled_back, view.failed)
    below = case.reading_below(view.release)
    if below is not None:
        boots = [boot for boot in boots if boot.at > below.at]
    if not boots:
        return
    for scan in _absences(case, view, view.unlisted):
        yield from _joint(view, scan, boots, needs_claim=False)
    for scan in _absences(case, view, [poll for poll in case.signs.polls if poll.source not in view.listing_sources]):
        yield from _joint(view, scan, boots, needs_claim=True)


def _joint(view: ReleaseView, scan: Saying, others: Iterable[Saying], *, needs_claim: bool) -> Iterator[Proof]:
    """Yield the proof that `scan` makes with each of `others`, if every claim made by then was made before both.

    A claim that comes after a whole proof is only repeated, and takes nothing away.
    """
    for other in others:
        at = max(scan.at, other.at)
        claims = [claim for claim in view.claims if claim.at < at]
        is_known = view.claims_known_from is None or bool(claims)
        are_before = all(claim.at < min(scan.at, other.at) for claim in claims)
        if is_known and are_before and (claims or not needs_claim):
            yield Proof(at, (scan, other))


def _by_second_scan(case: Case, view: ReleaseView) -> Iterator[Proof]:
    gone = _absences(case, view, view.unlisted)
    for scan in gone:
        deployers = {claim.source for claim in view.claims if claim.at < scan.at}
        if deployers and scan.source not in deployers:
            yield Proof(scan.at, (scan,))
        others = [each for each in gone if each.source != scan.source and each.at <= scan.at]
        if others and not deployers:
            yield Proof(scan.at, (others[0], scan))


def _by_second_reading(case: Case, view: ReleaseView) -> Iterator[Proof]:
    for reading in _after(case.readings_at_least(view.release), view.listed, view.rolled_back, view.failed):
        deployers = {claim.source for claim in view.claims if claim.at < reading.at}
        if deployers and reading.source not in deployers:
            yield Proof(reading.at, (reading,))


def _absences(case: Case, view: ReleaseView, scans: Iterable[Saying]) -> list[Saying]:
    """Return those of `scans` in which its absence means something.

    A list may lack it for another reason: it was rejected, or a newer one was listed in its place by then.
    """
    since = view.claim
    rejected = view.rejected if view.rejected and (since is None or since < view.rejected) else None
    newer = case.requirement.superseders[view.release.name]
    listed_at = [other.first_listed_at for other in case.views if other.release.name in newer and other.first_listed_at]
    explained_from = min([*listed_at, *([rejected.at] if rejected else [])], default=None)
    telling = _after(scans, view.listed, view.rolled_back, view.failed)
    return [scan for scan in telling if explained_from is None or scan.at < explained_from]


def _after(sayings: Iterable[Saying], *bounds: Saying | None) -> list[Saying]:
    """Return those later than every bound."""
    last = max((bound.at for bound in bounds if bound is not None), default=None)
    return [each for each in sayings if last is None or each.at > last]
