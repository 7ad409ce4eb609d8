"""Patch state that can be proven. Producer: compliance; consumers: ticketing, analysts. Topic: `compliance.events`."""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from contracts.events.event import Event, Method, Moment, Name, OsFamily, Severity, Text, Tier, Value


class State(StrEnum):
    """Every obligation is in exactly one. The first ten are the population; the last three are listed beside it."""

    VERIFIED = "VERIFIED"
    PENDING_REBOOT = "PENDING_REBOOT"
    REPORTED_UNVERIFIED = "REPORTED_UNVERIFIED"
    FAILED = "FAILED"
    MISSING_IN_SLA = "MISSING_IN_SLA"
    MISSING_OVERDUE = "MISSING_OVERDUE"
    EXCEPTED = "EXCEPTED"
    STALE = "STALE"
    UNKNOWN = "UNKNOWN"
    CONTRADICTED = "CONTRADICTED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"
    RETIRED = "RETIRED"


OUTSIDE_POPULATION = frozenset({State.NOT_APPLICABLE, State.OUT_OF_SCOPE, State.RETIRED})


class Witness(Value):
    """Who says so, how, and when they looked."""

    source: Name
    method: Method
    saw: Name
    at: Moment


class DeviceLabel(Value):
    """What a person needs to find the machine."""

    asset: Name
    source: Name
    device: Name
    hostname: Name | None = None
    os_family: OsFamily = OsFamily.OTHER
    tier: Tier = Tier.WORKSTATION


class ObligationStateChanged(Event):
    """An obligation (asset, requirement) moved between states. Keep the highest `sequence` of each asset.

    `continues_on` is the asset with which what was said of this one goes on: the two were merged, or parted again.
    `continues_as` is the state that the obligation has there, where it was known at once. `proof` is the kind of
    evidence that verified it: `build`, `boot`, `second_source`, or a person's word (`attested`), which is no reading.
    """

    TYPE: ClassVar[str] = "obligation.state_changed.v1"
    label: DeviceLabel
    requirement: Name
    product: Name
    train: Name
    release: Name | None = None
    severity: Severity = Severity.UNKNOWN
    before: State | None = None
    state: State
    why: Text
    failures: int = Field(default=0, ge=0)
    code: Name | None = None
    due_at: Moment | None = None
    witnesses: tuple[Witness, ...] = ()
    continues_on: Name | None = None
    continues_as: State | None = None
    proof: Name | None = None


class ObligationBreached(Event):
    """An obligation is overdue by the policy that the client agreed to, or is so no longer (`breached` is false).

    Whatever its state, so long as it is in the population, not verified and not excepted. `since` is the deadline that
    passed (a deadline never moves because of an exception), and when it ends the moment of what ended it. `rule` is
    the row of the table by which it was due. `continues_on` is the asset with which it goes on: the two were merged, or
    parted again; it is breached there if `continues_breached`, where that was known at once. Consumer: ticketing.
    """

    TYPE: ClassVar[str] = "obligation.breached.v1"
    label: DeviceLabel
    requirement: Name
    product: Name
    train: Name
    release: Name | None = None
    severity: Severity = Severity.UNKNOWN
    breached: bool
    since: Moment
    due_at: Moment | None = None
    state: State
    why: Text
    policy: Name
    rule: Name | None = None
    continues_on: Name | None = None
    continues_breached: bool | None = None


class ObligationAttested(Event):
    """A person says that a machine has a release, and shows a file for it: evidence of a class of its own.

    `evidence` is the SHA-256 of the file that was shown, in hexadecimal digits; the file itself stays with the client.
    """

    TYPE: ClassVar[str] = "obligation.attested.v1"
    asset: Name
    requirement: Name
    release: Name
    attested_at: Moment
    attested_by: Name
    reason: Text
    evidence: Name
    evidence_name: Name


class ObligationFailureRepeated(Event):
    """An obligation that had failed failed again: `failures` counts every distinct failure so far."""

    TYPE: ClassVar[str] = "obligation.failure_repeated.v1"
    label: DeviceLabel
    requirement: Name
    product: Name
    train: Name
    release: Name | None = None
    severity: Severity = Severity.UNKNOWN
    failures: int = Field(ge=1)
    code: Name | None = None


class UncataloguedFailureChanged(Event):
    """A patch that no catalog knows fails on a device, fails again, or fails no longer (`failing` is false).

    `continues_on` is the asset with which the failure goes on: the two were merged, or parted again; it fails there if
    `continues_failing`, where that was known at once.
    """

    TYPE: ClassVar[str] = "patch.uncatalogued_failure_changed.v1"
    label: DeviceLabel
    patch: Name
    kb: str | None = None
    product: Name | None = None
    title: Text | None = None
    severity: Severity = Severity.UNKNOWN
    failing: bool
    failures: int = Field(ge=0)
    code: Name | None = None
    continues_on: Name | None = None
    continues_failing: bool | None = None


class PatchCatalogued(Event):
    """The catalog came to know a patch: its `failed_uncatalogued` ticket belongs to `requirement` from now on."""

    TYPE: ClassVar[str] = "patch.catalogued.v1"
    patch: Name
    kb: str | None = None
    product: Name | None = None
    requirement: Name
    requirement_product: Name
    requirement_train: Name


class FigurePublished(Event):
    """The partition and the headline figure of one cell. Keep the highest `sequence`. Topic: `compliance.figures`.

    `percent` is F-STRICT: verified / population, rounded down to 0.1, 100.0 only when exactly all; `None` for an empty
    population. `attested` of the verified ones are so by a person's word alone, and never blended with the others.
    """

    TYPE: ClassVar[str] = "figure.published.v1"
    formula: Name = "F-STRICT"
    os_family: OsFamily
    tier: Tier
    severity: Severity
    as_of: Moment
    as_known: Moment
    population: int = Field(ge=0)
    counts: dict[State, int]
    percent: float | None = Field(default=None, ge=0, le=100)
    policy: Name
    catalog: Name
    tzdata: Name
    attested: int | None = Field(default=None, ge=0)
