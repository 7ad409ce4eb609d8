"""The rules of every zone as Patchline ships them, byte by byte, so that they can be kept and compared later."""

import zoneinfo
from datetime import tzinfo
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Final

PACKAGE: Final = "tzdata.zoneinfo"


def rules_by_zone() -> dict[str, bytes]:
    """Return the compiled rules of every zone that can be read, by its name, in order. Format: TZif, RFC 9636."""
    return {name: _rules(name) for name in sorted(zoneinfo.available_timezones())}


def zone_from(rules: bytes, name: str) -> tzinfo:
    """Return the zone that these rules make, whatever is shipped under its name today."""
    return zoneinfo.ZoneInfo.from_file(BytesIO(rules), key=name)


def _rules(name: str) -> bytes:
    """Return them from where `zoneinfo` reads them: its path first, then the package."""
    parts = name.split("/")
    for root in zoneinfo.TZPATH:
        if (file := Path(root, *parts)).is_file():
            return file.read_bytes()
    return resources.files(PACKAGE).joinpath(*parts).read_bytes()
