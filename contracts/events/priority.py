"""Which patch comes first and why, and what must be looked at before one is. Producer: compliance; consumers: analysts.

Topic: `compliance.events`. `priority.decided.v1` has the client and requirement as its subject, `triage.changed.v1` the
asset.
"""

from typing import ClassVar, Literal

from pydantic import Field

from contracts.events.event import Event, Moment, Name, Severity, Text, Tier, Value
from contracts.events.obligation import DeviceLabel


class MachineClass(Value):
    """The machines that a decision is for: alike in everything that the tables ask. `None`: no tag says so."""

    tier: Tier
    exposed: bool | None = None
    isolated: bool = False
    business: Name | None = None
    ephi: bool | None = None


class TableVerdict(Value):
    """What one table says. Points that nobody knows are taken at their worst; `at_best` is what they could make it."""

    table: Name
    outcome: Name
    at_best: Name
    unknown: tuple[Name, ...] = ()


class PriorityInputs(Value):
    """What was known when it was decided, the worst of the release's vulnerabilities; `None`: nobody said."""

    cves: tuple[Name, ...] = ()
    kev_added_at: Moment | None = None
    ransomware: bool | None = None
    exploitation: Name | None = None
    automatable: bool | None = None
    technical_impact_total: bool | None = None
    epss: float | None = None
    cvss: float | None = None
    versions: tuple[Name, ...] = ()


class PriorityOverride(Value):
    """A person's word instead of the table's, until when."""

    outcome: Name
    reason: Text
    by: Name
    until: Moment


class PriorityDecided(Event):
    """How urgent a release is on one class of a client's machines. Told again only when what it was decided by changed.

    `outcome` is what holds: the override's, else the verdict's of `table`. `before` is what held before; `None`: the
    first decision. `also` has what the other tables say.
    """

    TYPE: ClassVar[str] = "priority.decided.v1"
    requirement: Name
    product: Name
    train: Name
    release: Name
    severity: Severity = Severity.UNKNOWN
    machines: MachineClass
    inputs: PriorityInputs
    policy: Name
    catalog: Name
    table: Name
    outcome: Name
    verdict: TableVerdict
    also: tuple[TableVerdict, ...] = ()
    override: PriorityOverride | None = None
    before: Name | None = None


class TriageStep(Value):
    """One thing to be done, by when, and when it was; `late`: its moment passed before it was."""

    step: Literal["scoping", "evidence", "decision"]
    due_at: Moment
    done_at: Moment | None = None
    late: bool = False


class TriageChanged(Event):
    """A forensic triage began, went on, missed a moment, was overtaken by a patch, or ended.

    Keep the highest `sequence`.
    `order_violated`: a patch was deployed at `deployed_at`, before volatile evidence was captured. `finding`: what the
    triage's decision was. `closed`: nothing more is to be done.
    """

    TYPE: ClassVar[str] = "triage.changed.v1"
    label: DeviceLabel
    requirement: Name
    product: Name
    train: Name
    release: Name | None = None
    rule: Name
    started_at: Moment
    steps: tuple[TriageStep, ...] = Field(min_length=3, max_length=3)
    deployed_at: Moment | None = None
    order_violated: bool = False
    finding: Literal["none", "suspected", "confirmed"] | None = None
    closed: bool = False
    why: Text
