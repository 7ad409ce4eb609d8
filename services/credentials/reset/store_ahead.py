"""Moments that a clock which ran ahead has planned for steps and directories, and how they come back to the present."""

from datetime import timedelta
from typing import Final, LiteralString

from chassis.ahead import Planned
from services.credentials.reset.rules_steps import LONGEST_PAUSE_SECONDS

PULL_STEPS_BACK: Final[LiteralString] = """
    UPDATE case_step
    SET due_at = CASE state WHEN 'leased' THEN $3::timestamptz ELSE $1 END,
        acted_at = CASE WHEN acted_at > $1 THEN $1 ELSE acted_at END  -- what was done then was done until now
    WHERE due_at > $2
      AND (state = 'leased' OR (state = 'uncertain' AND acted_at > $1) OR (state = 'pending' AND reason IS NULL))
"""
"""What is put off waits for its ticket, for people, or for as long as a directory asked: that is left as it is."""

PULL_DIRECTORIES_BACK: Final[LiteralString] = """
    UPDATE directory
    SET next_at = CASE failures WHEN 0 THEN least(next_at, $1::timestamptz + make_interval(secs => every_seconds))
                  ELSE next_at END,
        leased_until = CASE WHEN leased_until > $3 THEN $3::timestamptz ELSE leased_until END
    WHERE leased_until > $2 OR (failures = 0 AND next_at > $2::timestamptz + make_interval(secs => 2 * every_seconds))
"""


def planned(*, lease: timedelta, reading: timedelta) -> tuple[Planned, ...]:
    """Return what the worker plans of steps with that lease, and what is planned of directories while one is read."""
    farthest = timedelta(seconds=LONGEST_PAUSE_SECONDS)
    return (
        Planned(PULL_STEPS_BACK, farthest + lease, lease),
        Planned(PULL_DIRECTORIES_BACK, farthest + reading, reading),
    )
