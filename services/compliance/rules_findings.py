"""The states of the population, each found by its own rule; the first that finds something wins. Pure.

The order of precedence is that of `FINDERS`; docs/patch-state.md is the same table for people.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from contracts.events.obligation import State
from contracts.order import in_utc
from services.compliance.catalog.model import Release
from services.compliance.policy import ProofClass
from services.compliance.rules_case import Case
from services.compliance.rules_clock import Clock, asked
from services.compliance.rules_disagreements import disagreement
from services.compliance.rules_proof import proofs
from services.compliance.rules_views import ReleaseView, Saying

_OVERDUE: Final = State.MISSING_OVERDUE
_IN_SLA: Final = State.MISSING_IN_SLA
_VERIFIED: Final = State.VERIFIED
_FAILED: Final = State.FAILED
_PENDING: Final = State.PENDING_REBOOT
_REPORTED: Final = State.REPORTED_UNVERIFIED
_UNKNOWN: Final = State.UNKNOWN
_ATTESTED: Final = ProofClass.ATTESTED
"""Named once: Python 3.11 looks a member of an enum up each time."""


class Finding(NamedTuple):
    """A state, why, since when what makes it true has been so, and who says it. `proof`: by what it is verified."""

    state: State
    why: str
    since: datetime
    release: Release | None = None
    witnesses: tuple[Saying, ...] = ()
    proof: ProofClass | None = None


class Question:
    """A case at one moment, with what follows from it at once. At least one release counts by then.

    `views` are the releases that are out, and those that something was said of; `unmet` those that are not proven;
    `top` is the newest unmet one that something was said of, else the newest unmet one; `lacking` the unmet ones that
    the asset is known to lack, from which the clock counts. All in the order of release.
    """

    __slots__ = ("before", "case", "clock", "clock_started_at", "lacking", "now", "proofs", "top", "unmet", "views")

    def __init__(self, case: Case, now: datetime) -> None:
        """Find what is proven and what is lacking.

        `clock` is what ends first of all that is lacking, `clock_started_at` when the first of them started; `None`: no
        clock runs. `before` is what must be done before it is deployed, each with the row that asks for it.
        """
        self.case = case
        self.now = now
        self.views = [view for view in case.views if view.release.released_at <= now or view.is_evident]
        self.proofs = proofs(case, self.views)
        proven = self.proofs
        self.unmet = [view for view in self.views if view.release.name not in proven] if proven else self.views
        newest = self.unmet[-1:] or self.views[-1:]
        evident = [view for view in self.unmet if view.is_evident]
        self.top = (evident or newest)[-1]
        if len(evident) < len(self.unmet):
            self.lacking = [view for view in self.unmet if self._is_known_lacking(view)] or newest
        else:
            self.lacking = evident or newest
        wanted = [asked(case, view) for view in self.lacking]
        before = [each for want in wanted for each in want.before]
        self.before = sorted(set(before)) if before else before
        clocks = [want.clock for want in wanted if want.clock is not None]
        self.clock: Clock | None = min(clocks, default=None)
        self.clock_started_at = min([each.starts_at for each in clocks], default=None)

    @property
    def due_at(self) -> datetime | None:
        """Return the earliest deadline of what is lacking; `None`: no clock runs."""
        return self.clock.due_at if self.clock else None

    @property
    def has_newer_need(self) -> bool:
        """Return whether a release newer than the top one is unmet: it is out, and nothing was said of it yet."""
        return self.top is not self.unmet[-1]

    def _is_known_lacking(self, view: ReleaseView) -> bool:
        """Return whether anything says so; an older release that nobody ever named may have been there for long.

        A scan lists only the newest of a train. What it replaced keeps its own clock if it was ever listed, tried or
        read below: superseding restarts nothing.
        """
        return view.is_evident or self.case.reading_below(view.release) is not None


def finding(question: Question) -> Finding:
    """Return the state of an obligation that is in the population, scans of any age believed."""
    for find in FINDERS:
        if (found := find(question)) is not None:
            return found
    return _unknown(question)


def _verified(question: Question) -> Finding | None:
    if question.unmet:
        return None
    shown = [question.proofs[view.release.name] for view in question.views]
    proof = max(shown, key=lambda each: each.at)
    is_word = any(each.kind is _ATTESTED for each in shown)
    return Finding(
        state=_VERIFIED,
        why=f"proven: {told(proof.witnesses)}",
        since=proof.at,
        release=question.views[-1].release,
        witnesses=proof.witnesses,
        proof=_ATTESTED if is_word else proof.kind,
    )


def _failed(question: Question) -> Finding | None:
    """Only the newest release that was tried counts: an older one that fails beside it is no news."""
    worded = [view for view in question.unmet if view.is_worded]
    if not worded or (tried := worded[-1]).failed is None or not tried.has_failed:
        return None
    code = f" (code {tried.code})" if tried.code else ""
    why = f"{told((tried.failed,))}{code}; no proof since"
    return Finding(state=_FAILED, why=why, since=tried.failed.at, release=tried.release, witnesses=(tried.failed,))


def _contradicted(question: Question) -> Finding | None:
    pair = disagreement(question.case, question.top)
    if pair is None:
        return None
    return Finding(
        state=State.CONTRADICTED,
        why=f"two witnesses disagree: {told(pair)}",
        since=max(pair).at,
        release=question.top.release,
        witnesses=pair,
    )


def _pending_reboot(question: Question) -> Finding | None:
    top = question.top
    waiting = None if question.has_newer_need else _waiting(question.case, top)
    if waiting is None:
        return None
    why = f"{told((waiting,))}; no boot since"
    return Finding(state=_PENDING, why=why, since=waiting.at, release=top.release, witnesses=(waiting,))


def _waiting(case: Case, view: ReleaseView) -> Saying | None:
    """Return the word by which the release takes effect at a restart only, if no boot has come since."""
    claim = view.standing_claim
    if claim is not None:
        needs_boot = view.release.reboot or view.claim_awaits_boot
        return claim if needs_boot and case.boot_after(claim.at) is None else case.waits_since(claim)
    if view.absent is None or view.is_worded or view.rejected:
        return None
    return case.waits_since(view.listed)


def _reported(question: Question) -> Finding | None:
    case, top = question.case, question.top
    if question.has_newer_need:
        return None
    half = top.standing_claim or _half_proof(case, top)
    if half is None:
        return None
    why = f"{told((half,))}; no proof yet"
    return Finding(state=_REPORTED, why=why, since=half.at, release=top.release, witnesses=(half,))


def _half_proof(case: Case, view: ReleaseView) -> Saying | None:
    """Return a witness that alone proves nothing: it vanished from the list, or a build was read without a scan."""
    if view.taken_off is not None or not case.signs.scans:
        return None
    absent = None if view.rejected or view.has_failed else view.absent
    there = case.readings_at_least(view.release)
    since_listed = bool(there) and (view.listed is None or there[-1].at > view.listed.at)
    return absent or (there[0] if since_listed else None)


def _missing(question: Question) -> Finding | None:
    lacking = _lacking(question)
    if lacking is None:
        return None
    why, witnesses = lacking
    due_at = question.due_at
    is_overdue = due_at is not None and question.now >= due_at
    starts = [due_at if due_at is not None and is_overdue else question.lacking[0].release.released_at]
    starts += [question.top.taken_off.at] if question.top.taken_off else []
    return Finding(
        state=_OVERDUE if is_overdue else _IN_SLA,
        why=why,
        since=max(starts),
        release=question.unmet[-1].release,
        witnesses=witnesses,
    )


def _lacking(question: Question) -> tuple[str, tuple[Saying, ...]] | None:
    """Return why the newest unmet release is known to be lacking, and who says so; `None`: it is not known."""
    case, newest = question.case, question.unmet[-1]
    if question.top.taken_off is not None:
        return told((question.top.taken_off,)), (question.top.taken_off,)
    if not case.signs.scans:
        return None
    listings = [view.listed for view in question.unmet if view.listing_sources and view.listed]
    if listings:
        listed = listings[-1]
        return told((listed,)), (listed,)
    if newest.rejected is not None:
        return f"{told((newest.rejected,))}; a rejection is no exception", (newest.rejected,)
    if (below := case.reading_below(newest.release)) is not None:
        return f"{told((below,))}, below {newest.release.name}", (below,)
    scan = case.signs.scans[-1]
    if scan.at < newest.release.released_at:
        return f"{newest.release.name} is newer than the last scan {moment(scan.at)}", (scan,)
    return None


def _unknown(question: Question) -> Finding:
    case, newest = question.case, question.unmet[-1].release
    why = "no scan has ever been seen"
    if case.signs.scans:
        why = f"no scan has listed {newest.name} since its release, and no build was read that tells"
    since = max(newest.released_at, case.asset.first_seen_at)
    return Finding(state=_UNKNOWN, why=why, since=since, release=newest, witnesses=tuple(case.signs.scans[-1:]))


FINDERS: Final[tuple[Callable[[Question], Finding | None], ...]] = (
    _verified,
    _failed,
    _contradicted,
    _pending_reboot,
    _reported,
    _missing,
)


FOUR_DIGITS: Final = 1000
"""From this year on ISO 8601 and `strftime` write a year alike."""


def told(witnesses: Iterable[Saying]) -> str:
    """Return what witnesses say, in one line for people."""
    return "; ".join([f"{each.saw} {moment(each.at)} ({each.source}, {each.method})" for each in witnesses])


@lru_cache(maxsize=4096)
def moment(at: datetime) -> str:
    """Return a moment for people: UTC, to the minute. One scan is told of all that its machine owes."""
    at = in_utc(at)
    if at.year < FOUR_DIGITS:
        return f"{at:%Y-%m-%d %H:%M}Z"
    return at.isoformat(" ", "minutes")[:16] + "Z"  # the same in a tenth of the time
