"""Maintenance windows that passed unused: counted, told, and made up for without a surprise. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from contracts.events.monitor import MissedBecause
from services.compliance.clocks.windows import Occurrence, WindowRule, next_window, occurrences
from services.compliance.policies.parts import MissedWindow

GRACE: Final = timedelta(hours=1)
"""How long after its end a window is judged: reports of what was done in it travel, and a poll comes once an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One window that passed, for one machine that it was for.

    `due`: how many requirements it could have served and that are open still; `acted`: something was deployed, failed
    or restarted in it; `heard`: anything at all was said of the machine in it.
    """

    starts_at: datetime
    ends_at: datetime
    due: int
    acted: bool
    heard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Misses:
    """How many windows were missed in a row, the last of them when, and whether a ticket was asked for."""

    misses: int = 0
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    ticket: bool = False


NONE_MISSED: Final = Misses()


def because(passed: Passed) -> MissedBecause | None:
    """Return why a window was missed; `None`: it was not: nothing was due, or something was done."""
    if passed.due == 0 or passed.acted:
        return None
    return MissedBecause.IDLE if passed.heard else MissedBecause.SILENT


def after(before: Misses, passed: Passed, rule: MissedWindow) -> Misses:
    """Return the count after a window. One that is judged already, or is older than the last, counts for nothing."""
    if before.starts_at is not None and passed.starts_at <= before.starts_at:
        return before
    if because(passed) is None:
        return Misses(starts_at=passed.starts_at, ends_at=passed.ends_at)
    misses = before.misses + 1
    return Misses(misses=misses, starts_at=passed.starts_at, ends_at=passed.ends_at, ticket=misses >= rule.ticket_after)


def caught_up(before: Misses) -> Misses:
    """Return the count once nothing is due any more."""
    return Misses(starts_at=before.starts_at, ends_at=before.ends_at)


def why(passed: Passed, rule: MissedWindow, next_starts_at: datetime | None) -> str:
    """Return what happened and what may be done now, for people."""
    was = "nothing was heard of it" if not passed.heard else "it was there, and nothing was done"
    found = f"{passed.due} {'requirement is' if passed.due == 1 else 'requirements are'} due, and {was} in the window"
    return f"{found}; {catch_up(rule, next_starts_at)}"


def catch_up(rule: MissedWindow, next_starts_at: datetime | None) -> str:
    """Return what the policy lets happen before the next window: never a restart that nobody agreed to."""
    when = f"{next_starts_at:%Y-%m-%d %H:%M}Z" if next_starts_at else "none that is known of"
    match rule.catch_up:
        case "wait":
            return f"it waits for its next window: {when}"
        case "run_without_reboot":
            return f"it may be patched as soon as it is back, and restarts in its next window: {when}"
        case "run_and_reboot":
            whose = rule.run_and_reboot_accepted_by
            return f"it may be patched and restarted as soon as it is back, which {whose} agreed to"


def to_judge_first(rule: WindowRule, now: datetime) -> Occurrence | None:
    """Return the occurrence that ends next; `None`: the window does not open any more."""
    return next((each for each in occurrences(rule, now - rule.length, now + _SOON) if each.end > now), None)


def to_judge_after(rule: WindowRule, starts_at: datetime) -> Occurrence | None:
    """Return the occurrence after the one that started at `starts_at`; `None`: the window does not open any more."""
    return next_window(rule, starts_at + _TICK)


_SOON: Final = timedelta(days=400)
_TICK: Final = timedelta(microseconds=1)
