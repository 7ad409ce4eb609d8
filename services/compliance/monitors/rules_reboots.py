"""A restart, judged by what the client agreed to: a window, a consent, an approval; or nobody was asked. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple, assert_never

from contracts.events.event import Tier
from contracts.events.monitor import RebootVerdict
from services.compliance.clocks.windows import WindowRule, window_at
from services.compliance.monitors.rules_agreed import Agreed, later
from services.compliance.policies.parts import Immediately, ManualApproval, RebootRule, Scheduled, UserPrompted

SAME_BOOT: Final = timedelta(minutes=10)
"""Two sources may differ so much about one restart. Unconfirmed: no vendor says; nobody restarts twice in that time."""

EVER: Final = datetime.min.replace(tzinfo=UTC)


class Said(StrEnum):
    """What was said of a restart to come."""

    NOTIFIED = "notified"
    DEFERRED = "deferred"
    CONSENTED = "consented"
    APPROVED = "approved"


class Word(NamedTuple):
    """One thing that was said, by whom where the source says."""

    at: datetime
    said: Said
    by: str | None = None


class Deployed(NamedTuple):
    """A deployer's word on a patch: it was put there, or tried to."""

    at: datetime
    patch: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a restart was, and what is kept of how it came about."""

    booted_at: datetime
    verdict: RebootVerdict
    why: str
    deployed: bool
    rule: str | None = None
    window: str | None = None
    notified_at: datetime | None = None
    deferrals: int = 0
    consented_by: str | None = None
    consented_at: datetime | None = None

    @property
    def notice(self) -> timedelta | None:
        """Return how long before the restart its user was told."""
        return None if self.notified_at is None else self.booted_at - self.notified_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What is known of one machine's restarts. `boots` and `words` in any order.

    `tells`: some source of the client has ever told of a notice, a deferral or a consent, so that silence means none.
    `forgotten`: there were more boots than are kept.
    """

    tier: Tier
    boots: Sequence[datetime]
    words: Sequence[Word] = ()
    deployed: Sequence[Deployed] = ()
    tells: bool = False
    forgotten: bool = False


def judged(agreed: Agreed, heard: Heard) -> list[Judged]:
    """Return every restart since the policy holds, each once, in order.

    Where older boots are forgotten, the oldest that is kept is only what the next one counts from.
    """
    starts: list[datetime | None] = [*_distinct(heard.boots)]
    steps = pairwise(starts if heard.forgotten else [None, *starts])
    return [_judged(agreed, heard, before, at) for before, at in steps if at is not None and at >= agreed.since]


def _distinct(boots: Sequence[datetime]) -> list[datetime]:
    """Return the first word on each restart."""
    found: list[datetime] = []
    for at in sorted(boots):
        if not found or at - found[-1] > SAME_BOOT:
            found.append(at)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Restart:
    """One restart with all that was said since the one before."""

    at: datetime
    words: Sequence[Word]
    deployed: Sequence[Deployed]
    tells: bool

    def last(self, said: Said) -> Word | None:
        return max((word for word in self.words if word.said is said), default=None, key=lambda word: word.at)

    @property
    def notified(self) -> Word | None:
        """Return the first notice: a deferral is counted from there."""
        return min((word for word in self.words if word.said is Said.NOTIFIED), default=None, key=lambda word: word.at)

    @property
    def deferrals(self) -> int:
        return sum(word.said is Said.DEFERRED for word in self.words)


def _judged(agreed: Agreed, heard: Heard, before: datetime | None, at: datetime) -> Judged:
    since = before or EVER
    restart = _Restart(
        at=at,
        words=[word for word in heard.words if since < word.at <= at],
        deployed=sorted(each for each in heard.deployed if since < each.at <= at),
        tells=heard.tells,
    )
    rule = agreed.reboots.get(heard.tier)
    verdict, why = _verdict(rule, restart, agreed.windows, agreed.zone)
    consent = _agreement(rule, restart) or restart.last(Said.APPROVED) or restart.last(Said.CONSENTED)
    by = rule.immediately_accepted_by if isinstance(rule, Immediately) else consent.by if consent else None
    return Judged(
        booted_at=at,
        verdict=verdict,
        why=why,
        deployed=bool(restart.deployed),
        rule=rule.kind if rule else None,
        window=_open(rule.windows, agreed.windows, at) if isinstance(rule, Scheduled) else None,
        notified_at=restart.notified.at if restart.notified else None,
        deferrals=restart.deferrals,
        consented_by=by,
        consented_at=consent.at if consent else None,
    )


Verdict = tuple[RebootVerdict, str]


def _verdict(rule: RebootRule | None, restart: _Restart, windows: Mapping[str, WindowRule], zone: tzinfo) -> Verdict:
    if rule is None:
        return RebootVerdict.NOT_JUDGED, "the policy says nothing of restarts of such machines"
    found = _allowed(rule, restart, windows, zone)
    if found is not None:
        return found
    if not restart.deployed:
        return RebootVerdict.NOT_JUDGED, "nothing was deployed since the restart before: its user, or a power cut"
    cause = restart.deployed[-1]
    after = f"{cause.patch} was deployed {cause.at:%Y-%m-%d %H:%M}Z"
    if isinstance(rule, UserPrompted) and not restart.tells:
        return RebootVerdict.NOT_JUDGED, f"{after}; no source of this client tells of notices and consents"
    return RebootVerdict.SURPRISE, f"{_missing(rule, restart)}; {after}"


def _allowed(rule: RebootRule, restart: _Restart, windows: Mapping[str, WindowRule], zone: tzinfo) -> Verdict | None:
    """Return why the client's agreement covers it; `None`: it does not."""
    agreement = _agreement(rule, restart)
    match rule:
        case ManualApproval(by=whose):
            return (RebootVerdict.APPROVED, f"{whose} approved it") if agreement else None
        case Immediately(immediately_accepted_by=whose):
            return RebootVerdict.CONSENTED, f"{whose} agreed that such machines restart as soon as they must"
        case Scheduled(windows=names):
            if (name := _open(names, windows, restart.at)) is not None:
                return RebootVerdict.IN_WINDOW, f"{name} was open"
        case UserPrompted(notice=notice, deadline=deadline):
            told = restart.notified
            if told is not None and restart.at >= max(later(told.at, each, zone) for each in (notice, deadline)):
                return RebootVerdict.AT_DEADLINE, f"its user was told {told.at:%Y-%m-%d %H:%M}Z, and the time was up"
        case _:
            assert_never(rule)
    return _agreed_by(agreement)


def _agreement(rule: RebootRule | None, restart: _Restart) -> Word | None:
    """Return the word that it waited for: that of whoever must approve it, or the user's who did not put it off since.

    What others say takes nothing back.
    """
    if isinstance(rule, ManualApproval):
        mine = {None, rule.by.casefold()}
        approvals = [word for word in restart.words if word.said is Said.APPROVED]
        theirs = [word for word in approvals if (word.by and word.by.casefold()) in mine]
        return max(theirs, default=None, key=lambda word: word.at)
    consented, deferred = restart.last(Said.CONSENTED), restart.last(Said.DEFERRED)
    if consented is not None and deferred is not None and deferred.at > consented.at:
        consented = None
    return restart.last(Said.APPROVED) or consented


def _agreed_by(word: Word | None) -> Verdict | None:
    if word is None:
        return None
    verdict = RebootVerdict.APPROVED if word.said is Said.APPROVED else RebootVerdict.CONSENTED
    return verdict, f"{word.by or 'its user'} agreed {word.at:%Y-%m-%d %H:%M}Z"


def _missing(rule: RebootRule, restart: _Restart) -> str:
    """Return what would have made it no surprise."""
    match rule:
        case ManualApproval(by=whose):
            others = restart.last(Said.APPROVED)
            return f"{others.by} approved it, but {whose} must" if others else f"{whose} had not approved it"
        case Scheduled(windows=names):
            return f"none of its windows was open ({', '.join(names) or 'it has none'}), and nobody had agreed"
        case UserPrompted():
            put_off = f" and had put it off {restart.deferrals} times" if restart.deferrals else ""
            if restart.notified is None:
                return f"its user was not told before{put_off or ', and had not agreed'}"
            return f"its user was told {restart.notified.at:%Y-%m-%d %H:%M}Z{put_off}, and the time was not up"
        case Immediately():
            return ""
        case _:
            assert_never(rule)


def _open(names: Sequence[str], windows: Mapping[str, WindowRule], at: datetime) -> str | None:
    return next((name for name in names if name in windows and window_at(windows[name], at) is not None), None)


def news(before: Sequence[Judged], now: Sequence[Judged]) -> list[Judged]:
    """Return the restarts that are told: new ones, and those that what was heard since changed.

    A restart keeps the moment that it was first told with: another source's word may differ a little.
    """
    found = []
    for each in now:
        known = next((one for one in before if abs(one.booted_at - each.booted_at) <= SAME_BOOT), None)
        kept = replace(each, booted_at=known.booted_at) if known else each
        if kept != known:
            found.append(kept)
    return found
