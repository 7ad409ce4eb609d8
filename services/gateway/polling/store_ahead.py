"""Polls that a clock which ran ahead has planned, and how they come back to the present."""

from datetime import timedelta
from typing import Final, LiteralString

from chassis.ahead import Planned

FARTHEST: Final = timedelta(minutes=5)
"""Beyond two intervals of a source: so far ahead no poll is planned where none has failed."""

PULL_POLLS_BACK: Final[LiteralString] = """
    UPDATE poll_state AS p
    SET next_at = CASE p.failures WHEN 0 THEN least(p.next_at, $1::timestamptz + make_interval(secs => s.poll_seconds))
                  ELSE p.next_at END,  -- after a failure the vendor may have asked for so long a pause
        leased_until = CASE WHEN p.leased_until > $3 THEN $3::timestamptz ELSE p.leased_until END
    FROM source AS s
    WHERE s.source_id = p.source
      AND (p.leased_until > $2
           OR (p.failures = 0 AND p.next_at > $2::timestamptz + make_interval(secs => 2 * s.poll_seconds)))
"""


def planned(lease: timedelta) -> Planned:
    """Return what the pollers plan of their sources."""
    return Planned(PULL_POLLS_BACK, FARTHEST + lease, lease)
