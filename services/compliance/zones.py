"""Time zones from the tz data that Patchline ships, not from the machine: the same deadline on every machine."""

import zoneinfo
from datetime import UTC, tzinfo
from typing import Final

import tzdata  # type: ignore[import-untyped]  # ships no types

TZDATA: Final = str(tzdata.IANA_VERSION)
"""The version that every figure names."""


def use_shipped_zones() -> None:
    """Read zones from the `tzdata` package only. Called once, before the first zone is read."""
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()


def zone_of(name: str | None) -> tzinfo | None:
    """Return the zone of an IANA name, UTC for a client that nobody told us of; `None`: there is no such zone."""
    if name is None:
        return UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None
