"""Presets: what regulators, standards and the service's own documents ask for, as data with authority and status.

Each is a file in `presets/`, in our own words. What was not re-read at its source is listed in `unconfirmed`.
"""

import json
from datetime import date
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

from pydantic import ValidationError, model_validator

from chassis.strict_yaml import DocumentRefused, mapping_of
from contracts.events.event import Severity, Tier
from services.compliance.policies.parts import Due, Part, Reason, Word
from services.compliance.policy import Category, Level, Starts

NAMES: Final = (
    "msp-playbook",
    "msp-service-levels",
    "cisa-bod-26-04",
    "cisa-bod-22-01",
    "cisa-bod-19-02",
    "pci-4.0.1-6.3.3",
    "ce-3.3-danzell",
    "e8-ml1",
    "e8-ml2",
    "e8-ml3",
    "cis-8.1-c7",
    "nist-800-40r4",
    "hipaa-2013",
    "hipaa-nprm-2025",
)


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


def preset_of(said: dict[str, Any]) -> Preset:
    """Return a preset from its fields.

    Raises:
        DocumentRefused: a field is unknown or wrong.
    """
    try:
        return Preset.model_validate_json(json.dumps(said), strict=True)
    except ValidationError as error:
        raise DocumentRefused(str(error)) from error


@cache
def shipped(name: str) -> Preset | None:
    """Return the preset of that name that this release brings; `None`: it brings none."""
    if name not in NAMES:
        return None
    file = resources.files("services.compliance.policies") / "presets" / f"{name}.yaml"
    return preset_of(mapping_of(file.read_bytes(), example="id: ce-3.3-danzell"))
