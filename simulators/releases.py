"""What vendors had released by 15 January 2025: true KB numbers, builds, versions and supersedence of one true day.

Source: Microsoft's release information for Windows 10, 11, Server 2019 and 2022; Apple's security content of macOS
Sequoia 15.2; Ubuntu security notices of 14 January 2025; the release notes of Chrome 132 and Firefox 134.
`LINE_OF_BUSINESS` is invented: a program that no catalog knows.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

PATCH_TUESDAY: Final = datetime(2025, 1, 14, 18, 0, tzinfo=UTC)
"""10:00 in Redmond."""

MONTH_BEFORE: Final = datetime(2024, 12, 10, 18, 0, tzinfo=UTC)


class Severity(StrEnum):
    """The four words of NinjaOne's patches of operating systems, from bad to less bad."""

    CRITICAL = "CRITICAL"
    IMPORTANT = "IMPORTANT"
    MODERATE = "MODERATE"
    OPTIONAL = "OPTIONAL"


@dataclass(frozen=True, slots=True)
class FixLine:
    """What a device owes: one fix line of one product. `band` is how bad its absence is, in Patchline's words."""

    product: str
    train: str
    band: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One update. `build` and `version` are what the device has after it; `supersedes` is the KB that it replaces.

    `severity` is NinjaOne's word. `fix_line` is `None` for a program that no catalog knows.
    """

    title: str
    released_at: datetime
    severity: Severity
    fix_line: FixLine | None = None
    kb: str | None = None
    build: str | None = None
    version: str | None = None
    supersedes: str | None = None
    is_software: bool = False
    needs_restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An operating system of the fleet, worded as NinjaOne does, and what it lacks on this day.

    `build` is what its devices have when the day begins; `superseded` is the update of the month before, which a few
    of them still lack, and then their build is `old_build`.
    """

    name: str
    family: str
    version: str
    build: str
    update: Release
    superseded: Release | None = None
    old_build: str | None = None


def _windows(
    name: str,
    *,
    version: str,
    product: tuple[str, str],
    december: tuple[str, str],
    january: tuple[str, str],
    old_build: str,
) -> System:
    title, catalogued = product
    fix_line = FixLine(catalogued, "cumulative", "critical")
    previous = Release(
        title=f"2024-12 Cumulative Update for {title} for x64-based Systems (KB{december[0]})",
        released_at=MONTH_BEFORE,
        severity=Severity.CRITICAL,
        fix_line=fix_line,
        kb=december[0],
        build=december[1],
        needs_restart=True,
    )
    update = Release(
        title=f"2025-01 Cumulative Update for {title} for x64-based Systems (KB{january[0]})",
        released_at=PATCH_TUESDAY,
        severity=Severity.CRITICAL,
        fix_line=fix_line,
        kb=january[0],
        build=january[1],
        supersedes=december[0],
        needs_restart=True,
    )
    return System(
        name=name,
        family="windows",
        version=version,
        build=december[1],
        update=update,
        superseded=previous,
        old_build=old_build,
    )


WINDOWS_11_24H2: Final = _windows(
    "Windows 11 Professional Edition",
    version="24H2",
    product=("Windows 11 Version 24H2", "Windows 11 24H2 x64"),
    december=("5048667", "26100.2605"),
    january=("5050009", "26100.2894"),
    old_build="26100.2314",
)
WINDOWS_11_23H2: Final = _windows(
    "Windows 11 Professional Edition",
    version="23H2",
    product=("Windows 11 Version 23H2", "Windows 11 23H2 x64"),
    december=("5048685", "22631.4602"),
    january=("5050021", "22631.4751"),
    old_build="22631.4460",
)
WINDOWS_10_22H2: Final = _windows(
    "Windows 10 Professional Edition",
    version="22H2",
    product=("Windows 10 Version 22H2", "Windows 10 22H2 x64"),
    december=("5048652", "19045.5247"),
    january=("5049981", "19045.5371"),
    old_build="19045.5131",
)
SERVER_2022: Final = _windows(
    "Windows Server 2022 Standard",
    version="21H2",
    product=("Microsoft server operating system version 21H2", "Windows Server 2022"),
    december=("5048654", "20348.2966"),
    january=("5049983", "20348.3091"),
    old_build="20348.2849",
)
SERVER_2019: Final = _windows(
    "Windows Server 2019 Standard",
    version="1809",
    product=("Windows Server 2019", "Windows Server 2019"),
    december=("5048661", "17763.6659"),
    january=("5050008", "17763.6775"),
    old_build="17763.6532",
)
MACOS: Final = System(
    name="macOS Sequoia",
    family="macos",
    version="15.1.1",
    build="24B91",
    update=Release(
        title="macOS Sequoia 15.2",
        released_at=datetime(2024, 12, 11, 18, 0, tzinfo=UTC),
        severity=Severity.IMPORTANT,
        fix_line=FixLine("macOS 15", "updates", "unknown"),
        build="24C101",
        version="15.2",
        needs_restart=True,
    ),
)
UBUNTU: Final = System(
    name="Ubuntu 24.04.1 LTS",
    family="linux",
    version="24.04",
    build="6.8.0-51-generic",
    update=Release(
        title="rsync 3.2.7-1ubuntu1.1 (USN-7206-1)",
        released_at=datetime(2025, 1, 14, 19, 30, tzinfo=UTC),
        severity=Severity.CRITICAL,
        fix_line=FixLine("Ubuntu 24.04 LTS", "rsync", "high"),
    ),
)

CHROME: Final = Release(
    title="Google Chrome 132.0.6834.83",
    released_at=datetime(2025, 1, 14, 21, 0, tzinfo=UTC),
    severity=Severity.IMPORTANT,
    fix_line=FixLine("Google Chrome", "stable", "unknown"),
    is_software=True,
)
FIREFOX: Final = Release(
    title="Mozilla Firefox 134.0",
    released_at=datetime(2025, 1, 7, 14, 0, tzinfo=UTC),
    severity=Severity.IMPORTANT,
    fix_line=FixLine("Mozilla Firefox", "stable", "high"),
    is_software=True,
)
LINE_OF_BUSINESS: Final = Release(
    title="Brightwater Dispatch Client 7.4.2",
    released_at=datetime(2025, 1, 13, 9, 0, tzinfo=UTC),
    severity=Severity.MODERATE,
    is_software=True,
)
