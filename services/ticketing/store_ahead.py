"""Moments that a clock which ran ahead has planned for the tracker, and how they come back to the present."""

from datetime import timedelta
from typing import Final, LiteralString

from chassis.ahead import Planned
from services.ticketing.rules_effects import LONGEST_PAUSE_SECONDS

PULL_INTENTS_BACK: Final[LiteralString] = """
    UPDATE intent
    SET due_at = CASE state WHEN 'leased' THEN $3::timestamptz ELSE $1 END,
        acted_at = CASE WHEN acted_at > $1 THEN $1 ELSE acted_at END  -- what was written then was written until now
    WHERE state IN ('pending', 'leased', 'uncertain') AND due_at > $2
"""
PULL_MERGES_BACK: Final[LiteralString] = """
    UPDATE merge SET due_at = greatest($1, $3::timestamptz) WHERE due_at > $2
"""
PULL_HINTS_BACK: Final[LiteralString] = """
    UPDATE hint SET due_at = greatest($1, $3::timestamptz) WHERE due_at > $2
"""
PULL_ROUND_BACK: Final[LiteralString] = """
    UPDATE round
    SET due_at = least(due_at, $3::timestamptz),
        completed_at = CASE WHEN completed_at > $2 THEN $1 ELSE completed_at END
    WHERE due_at > $2 OR completed_at > $2
"""


def planned(*, look_every: timedelta, round_every: timedelta, lease: timedelta) -> tuple[Planned, ...]:
    """Return what the worker, the reconciler and the rereading plan: nothing later than a look or the longest pause."""
    farthest = max(look_every, timedelta(seconds=LONGEST_PAUSE_SECONDS)) + lease
    acts = tuple(Planned(each, farthest, lease) for each in (PULL_INTENTS_BACK, PULL_MERGES_BACK, PULL_HINTS_BACK))
    return (*acts, Planned(PULL_ROUND_BACK, max(farthest, round_every + lease), lease))
