"""What a preset says, as data: whose it is, whether it is in force, its rows, and what of it is not confirmed. Pure."""

from datetime import date
from typing import Literal

from pydantic import model_validator

from contracts.events.event import Severity, Tier
from services.compliance.policies.parts import Due, Part, Reason, Word
from services.compliance.policy import Category, Level, Starts


class PresetWhen(Part):
    """For which subjects a row is; see `subjects.When`. Empty: for all."""

    tiers: frozenset[Tier] | None = None
    severities: frozenset[Severity] | None = None
    categories: frozenset[Category] | None = None
    business: frozenset[Level] | None = None
    exposed: bool | None = None
    ephi: bool | None = None
    kev: bool | None = None
    automatable: bool | None = None
    technical_impact_total: bool | None = None
    exploited: bool | None = None
    cvss_at_least: float | None = None
    epss_at_least: float | None = None
    newest_cve_before: int | None = None
    any_of: tuple["PresetWhen", ...] = ()


class PresetRow(Part):
    """One row: `due: null` means at the next upgrade, with no clock. `extra`: what must be done before the patch."""

    id: Word
    when: PresetWhen = PresetWhen()
    due: Due | None
    clock_start: Starts | None = None
    extra: tuple[Literal["forensic_triage"], ...] = ()


class PresetExceptions(Part):
    """What the regime says of exceptions; `longest: null`: it names no limit."""

    allowed: bool
    longest: Due | None = None
    needs: tuple[Word, ...] = ("ticket", "owner_signature", "compensating_control")


class PresetLevel(Part):
    """A level of service that the preset promises, in percent."""

    tiers: tuple[Tier, ...]
    at_least: float


class Preset(Part):
    """One regime. `effective_until` is the first day on which it no longer holds.

    `unit`: days of the calendar or exact hours; `organisation`: it names no number, whoever follows it says it in a
    table of their own. `unknown_severity: as_high`: rows for high hold for releases without a severity too.
    `unknown_points: worst`: what no tag or feed says counts as the worst; rows are strictest first then.
    """

    id: Word
    title: Word
    authority: Word
    citation: tuple[Word, ...]
    status: Literal["in_force", "revoked", "proposed"]
    effective_from: date | None = None
    effective_until: date | None = None
    clock_start: Starts = Starts.RELEASE
    unit: Literal["calendar", "elapsed", "organisation"]
    ends_with_day: bool = False
    severity_source_order: tuple[Literal["vendor", "cvss_v3_base", "organisation"], ...] = ("vendor",)
    unknown_severity: Literal["as_high", "as_unknown"] = "as_unknown"
    unknown_points: Literal["worst", "as_no"] = "as_no"
    offline: Literal["clock_runs"] = "clock_runs"
    rules: tuple[PresetRow, ...] = ()
    levels: tuple[PresetLevel, ...] = ()
    exceptions: PresetExceptions
    classes: tuple[Reason, ...] = ()
    evidence_controls: tuple[Reason, ...] = ()
    unconfirmed: tuple[Reason, ...] = ()
    notes: tuple[Reason, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Preset":
        if self.status == "revoked" and self.effective_until is None:
            raise ValueError("a revoked preset says until when it held")
        if len({row.id for row in self.rules}) != len(self.rules):
            raise ValueError("rules: an id is given twice")
        return self
