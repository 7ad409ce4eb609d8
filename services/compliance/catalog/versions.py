"""Versions that compare by the rules of who made them: Debian's, RPM's, semantic ones and others. Pure.

Source: the library `univers`, which follows each ecosystem's own rules (rpmvercmp, Debian policy 5.6.12, semver.org).
"""

from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from univers.versions import (
    AlpineLinuxVersion,
    DebianVersion,
    InvalidVersion,
    MavenVersion,
    NugetVersion,
    PypiVersion,
    RpmVersion,
    SemverVersion,
)


class Scheme(StrEnum):
    """Whose rules a product's versions follow; `generic`: runs of digits and of letters, as RPM compares them."""

    RPM = "rpm"
    DEB = "deb"
    APK = "apk"
    SEMVER = "semver"
    PYPI = "pypi"
    MAVEN = "maven"
    NUGET = "nuget"
    GENERIC = "generic"


_CLASSES: Final[dict[Scheme, Any]] = {
    Scheme.RPM: RpmVersion,
    Scheme.DEB: DebianVersion,
    Scheme.APK: AlpineLinuxVersion,
    Scheme.SEMVER: SemverVersion,
    Scheme.PYPI: PypiVersion,
    Scheme.MAVEN: MavenVersion,
    Scheme.NUGET: NugetVersion,
    Scheme.GENERIC: RpmVersion,  # the library's own generic version compares as text: 10.0 would be below 9.9
}


class Version:
    """A version that can be compared with others of its scheme."""

    __slots__ = ("ordered", "scheme", "text")

    def __init__(self, scheme: Scheme, text: str, ordered: Any) -> None:
        """Keep the library's value, which orders."""
        self.scheme = scheme
        self.text = text
        self.ordered = ordered

    def __eq__(self, other: object) -> bool:
        """Return whether both are the same version, however they are spelled."""
        return isinstance(other, Version) and self.scheme == other.scheme and bool(self.ordered == other.ordered)

    def __hash__(self) -> int:
        """Return the same for versions that are equal: only the scheme is sure to be."""
        return hash(self.scheme)

    def __repr__(self) -> str:
        """Return the version as it was written."""
        return f"{self.text} ({self.scheme})"

    def is_at_least(self, other: "Version") -> bool | None:
        """Return whether it is `other` or newer; `None`: versions of two schemes do not compare."""
        return bool(self.ordered >= other.ordered) if self.scheme == other.scheme else None


@lru_cache(maxsize=65_536)
def version(scheme: Scheme, text: str | None) -> Version | None:
    """Return `text` as a version of `scheme`; `None`: it is none by that scheme's rules."""
    spelled = (text or "").strip()
    if not any(char.isdecimal() for char in spelled):
        return None
    try:
        return Version(scheme, spelled, _CLASSES[scheme](spelled))
    except (InvalidVersion, ValueError, TypeError):
        return None
