"""The policy: how long a device of each tier may lack a patch of each severity, and when a scan is too old. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from contracts.events.event import Severity, Tier


@dataclass(frozen=True, slots=True)
class Hours:
    """Exact hours: 24 of them are 24 of them, whatever the clocks on the wall do."""

    hours: int


@dataclass(frozen=True, slots=True)
class Days:
    """Calendar days in the client's zone: the same time on the wall so many days later."""

    days: int


Window = Hours | Days


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of the rules that an obligation is judged by. A changed policy gets another id.

    `out_of_scope` gives, by train, the reason why it is listed outside the population.
    """

    id: str
    windows: Mapping[tuple[Tier, Severity], Window]
    stale_after: timedelta
    out_of_scope: Mapping[str, str]


def _row(tier: Tier, *windows: Window) -> dict[tuple[Tier, Severity], Window]:
    order = (Severity.CRITICAL, Severity.HIGH, Severity.MODERATE, Severity.LOW, Severity.UNKNOWN)
    return {(tier, severity): window for severity, window in zip(order, windows, strict=True)}


DEFAULT_1: Final = Policy(
    id="default-1",
    windows={
        **_row(Tier.SERVER, Hours(24), Days(7), Days(14), Days(30), Days(14)),
        **_row(Tier.WORKSTATION, Days(7), Days(7), Days(14), Days(30), Days(14)),
        **_row(Tier.KIOSK, Days(7), Days(7), Days(14), Days(30), Days(14)),
        **_row(Tier.DO_NOT_DISRUPT, Days(14), Days(30), Days(30), Days(30), Days(30)),
    },
    stale_after=timedelta(days=14),
    out_of_scope={"definitions": "definition updates are renewed several times a day and are not counted"},
)
"""The built-in policy. Which cells a source gives and which we filled is told in docs/patch-state.md.

Source: playbook step 1 (core servers, critical: 24 hours; workstations, high: 7 days; do not disrupt, routine: 30
days) and its FAQ (workstations, critical: 7 days). A scan is stale after two weeks: weekly discovery, missed once.
"""
