"""Lengths and moments as people read them. Pure."""

from datetime import datetime, timedelta, tzinfo
from typing import Final

_HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)


def duration_in_words(length: timedelta) -> str:
    """Return a length in hours, as deadlines count them: `85 h`, `1 h 30 min`; below a minute in seconds."""
    sign, length = ("-", -length) if length < timedelta(0) else ("", length)
    hours, rest = divmod(length, _HOUR)
    minutes, seconds = divmod(rest, _MINUTE)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    if not hours and not minutes:
        parts.append(f"{seconds / timedelta(seconds=1):g} s")
    return sign + " ".join(part for part in parts if part)


def short_moment(at: datetime) -> str:
    """Return a moment in UTC to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def wall_moment(at: datetime, zone: tzinfo) -> str:
    """Return a moment as the wall shows it there: `Sun 2026-12-13 02:00 EST`."""
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M %Z}"
