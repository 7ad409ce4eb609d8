"""Names of time zones as people write them, and what to write instead where one would go wrong. Pure."""

from typing import Final

from tzlocal.windows_tz import win_tz

from services.compliance.zones import zone_of

UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC"})
WINDOWS_NAME_BY_FOLDED: Final = {name.casefold(): zone for name, zone in win_tz.items()}
"""CLDR's windowsZones: the IANA name for the whole territory of each Windows name."""

ADVICE: Final = {
    "EST": "America/New_York",
    "EDT": "America/New_York",
    "EST5EDT": "America/New_York",
    "CST": "America/Chicago",
    "CDT": "America/Chicago",
    "CST6CDT": "America/Chicago",
    "MST": "America/Denver, or America/Phoenix where the clocks never change",
    "MDT": "America/Denver",
    "MST7MDT": "America/Denver",
    "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles",
    "PST8PDT": "America/Los_Angeles",
    "HST": "Pacific/Honolulu",
    "GMT": "Europe/London, or UTC where the clocks never change",
    "BST": "Europe/London",
    "WET": "Europe/Lisbon",
    "CET": "Europe/Berlin",
    "CEST": "Europe/Berlin",
    "MET": "Europe/Berlin",
    "EET": "Europe/Helsinki",
    "AEST": "Australia/Sydney, or Australia/Brisbane where the clocks never change",
    "AEDT": "Australia/Sydney",
}
"""What somebody means who writes an abbreviation. Some are IANA names too, but of clocks that never change."""


class UnknownZone(ValueError):
    """A name that is no time zone, or one that would be read as another zone than was meant."""


def iana(name: str) -> str:
    """Return the IANA name of a zone given by its IANA or its Windows name.

    Raises:
        UnknownZone: it is neither, or an abbreviation or a fixed offset, whose clocks would never change; says what to
            write instead.

    Source: patch-policy reference 4.7, traps 8 and 9; CLDR windowsZones.
    """
    if name in UTC_NAMES:
        return name
    if (meant := ADVICE.get(name.upper())) is not None:
        raise UnknownZone(f"{name!r} is an abbreviation whose clocks never change: write {meant}")
    if (mapped := WINDOWS_NAME_BY_FOLDED.get(name.casefold())) is not None:
        return mapped
    if name.startswith("Etc/") or "/" not in name:
        raise UnknownZone(f"{name!r} is not a place: write a place's name such as America/New_York")
    if zone_of(name) is None:
        raise UnknownZone(f"{name!r} is no time zone: write an IANA name such as America/New_York")
    return name
