"""Two witnesses of whom only one can be right: a claim, a list, a build, a person's word. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from services.compliance.rules_case import Case
from services.compliance.rules_views import ReleaseView, Saying

Pair = tuple[Saying, Saying]


def disagreement(case: Case, view: ReleaseView) -> Pair | None:
    """Return the two that disagree about a release; `None`: nobody does."""
    if view.standing_claim is None and not case.readings and not case.attested:
        return None  # each of them needs one of these
    for disagree in DISAGREEMENTS:
        if (pair := disagree(case, view)) is not None:
            return pair
    return None


def _claimed_but_listed(case: Case, view: ReleaseView) -> Pair | None:
    claim, listed = view.standing_claim, view.listed
    if claim is None or listed is None or (shows_from := _shows_from(case, view, claim)) is None:
        return None
    return (claim, listed) if view.absent is None and listed.at > shows_from else None


def _claimed_but_below(case: Case, view: ReleaseView) -> Pair | None:
    claim, below = view.standing_claim, case.reading_below(view.release)
    if claim is None or below is None or (shows_from := _shows_from(case, view, claim)) is None:
        return None
    return (claim, below) if below.at > claim.at and below.at >= shows_from else None


def _listed_but_there(case: Case, view: ReleaseView) -> Pair | None:
    """No contradiction where the deployer took it off in between."""
    there, listed = case.readings_at_least(view.release), view.listed
    if not there or listed is None or view.absent is not None:
        return None
    if view.rolled_back is not None and there[-1] < view.rolled_back:
        return None
    return (there[-1], listed) if listed.at > there[-1].at else None


def _absent_but_below(case: Case, view: ReleaseView) -> Pair | None:
    absent, below = view.absent, case.reading_below(view.release)
    if absent is None or below is None or view.is_worded or view.rejected or case.waits_since(view.listed):
        return None
    return (absent, below) if below.at > absent.at else None


def _attested_but_lacking(case: Case, view: ReleaseView) -> Pair | None:
    """A person's word against a list or a build of later on, where the deployer did not take it off in between."""
    word = max(case.attested.get(view.release.name, ()), default=None)
    if word is None or (view.rolled_back is not None and word < view.rolled_back):
        return None
    if view.listed is not None and view.absent is None and view.listed.at > word.at:
        return word, view.listed
    below = case.reading_below(view.release)
    return (word, below) if below is not None and below.at > word.at else None


def _shows_from(case: Case, view: ReleaseView, claim: Saying) -> datetime | None:
    """Return from when on what was claimed must show: the first boot after it, or at once; `None`: not yet."""
    if not view.release.reboot and not view.claim_awaits_boot:
        return claim.at
    boot = case.boot_after(claim.at)
    return boot.at if boot else None


DISAGREEMENTS: Final[tuple[Callable[[Case, ReleaseView], Pair | None], ...]] = (
    _claimed_but_listed,
    _claimed_but_below,
    _listed_but_there,
    _absent_but_below,
    _attested_but_lacking,
)
