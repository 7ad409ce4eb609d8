"""From what was agreed to what decisions need: a policy file with its presets becomes a `Policy` and windows. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import Any, Final, Protocol, TypeVar, assert_never
from uuid import UUID
from zoneinfo import ZoneInfo

import rfc8785
from pydantic import BaseModel

from contracts.events.event import Severity
from services.compliance.clocks.durations import MalformedDuration, exact, term
from services.compliance.clocks.malformed import MalformedWindow
from services.compliance.clocks.names import iana
from services.compliance.clocks.windows import Fold, Gap, WindowRule, WindowText, window_rule
from services.compliance.policies.document import PolicyDocument, SlaRow
from services.compliance.policies.parts import WindowEntry
from services.compliance.policies.preset_rows import Preset, PresetWhen
from services.compliance.policy import (
    Days,
    EvidenceRule,
    ExceptionTerms,
    Hours,
    Months,
    Policy,
    Regime,
    Rule,
    TagWords,
    Term,
    When,
)

OWN_REGIME: Final = "client"
"""The regime made of the client's own table."""

FIELD_IN_FILE: Final = {"lasts": "duration", "first_on": "first_day", "except_on": "except_days"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a client's policy, as it was recorded. Versions with a higher `number` were recorded later."""

    tenant_id: UUID
    number: int
    version: int
    document: PolicyDocument
    presets: tuple[Preset, ...]
    digest: str
    recorded_at: datetime
    recorded_by: str
    reason: str

    def holds_at(self, at: datetime) -> bool:
        """Return whether `at` lies in its validity."""
        return self.document.holds_at(at)

    @property
    def policy_id(self) -> str:
        """Return the id that figures and histories name it by: readable, and another for every content."""
        name = re.sub(r"[^a-z0-9]+", "-", self.document.client.casefold()).strip("-") or "client"
        return f"{name[:80]}-v{self.version}-{self.digest[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A version, ready for decisions. `windows` by name, empty ones too."""

    version: Version
    policy: Policy
    windows: Mapping[str, WindowRule]

    @property
    def document(self) -> PolicyDocument:
        """Return what was agreed."""
        return self.version.document


def applied(version: Version) -> Applied:
    """Return a version ready for decisions.

    Raises:
        MalformedWindow, UnknownZone: what was recorded was not read by `reading.policy_of`.
    """
    document = version.document
    return Applied(
        version=version,
        policy=compiled(document, version.presets, id_=version.policy_id, tenant_id=version.tenant_id),
        windows={name: window_of(name, entry, document.zone) for name, entry in sorted(document.windows.items())},
    )


def compiled(
    document: PolicyDocument, presets: Sequence[Preset], *, id_: str = "draft", tenant_id: UUID | None = None
) -> Policy:
    """Return the policy that decisions are made by."""
    own = [Regime(id=OWN_REGIME, rules=tuple(_own_rule(n, row) for n, row in enumerate(document.sla, 1)))]
    return Policy(
        id=id_,
        tenant_id=tenant_id,
        zone=iana(document.zone),
        regimes=(*(own if document.sla else ()), *(regime_of(each) for each in presets if each.rules)),
        stale_after=elapsed(document.stale_after),
        out_of_scope=dict(document.scope.trains),
        products_out={name.casefold(): why for name, why in document.scope.products.items()},
        machines_out={name.casefold(): why for name, why in document.scope.machines.items()},
        breach_tickets=document.breaches.tickets,
        evidence={
            family: EvidenceRule(
                accepts=part.accepts,
                quorum=part.quorum,
                patch_method=part.patch_method,
                verified_by=part.verified_by,
            )
            for family, part in document.evidence.items()
        },
        tags=_tag_words(document),
        supported_until={each.product: each.supported_until for each in document.entitlements},
        exceptions=exception_terms(document, presets),
    )


def _own_rule(number: int, row: SlaRow) -> Rule:
    exposed = {"any": None, "exposed": True, "not_exposed": False}[row.exposure]
    return Rule(
        id=f"sla-{number}",
        when=When(
            tiers=frozenset(row.tiers) or None,
            severities=frozenset(row.severities) or None,
            categories=frozenset(row.categories) or None,
            exposed=exposed,
            ephi=row.ephi,
        ),
        within=term(row.due) if row.due is not None else None,
        starts=row.clock_start,
        ends_with_day=row.ends_with_day,
    )


def _tag_words(document: PolicyDocument) -> TagWords:
    usual, own = TagWords(), document.tags
    rings = {stage.tag.casefold(): stage.name for stage in document.rings.stages if stage.tag is not None}
    return TagWords(
        exposed=usual.exposed | {word.casefold() for word in own.exposed},
        not_exposed=usual.not_exposed | {word.casefold() for word in own.not_exposed},
        isolated=usual.isolated | {word.casefold() for word in own.isolated},
        business={**usual.business, **{word.casefold(): level for word, level in own.business.items()}},
        rings={**usual.rings, **rings},
    )


def regime_of(preset: Preset) -> Regime:
    """Return the table of a preset."""
    return Regime(
        id=preset.id,
        rules=tuple(
            Rule(
                id=row.id,
                when=_when(row.when, preset),
                within=term(row.due) if row.due is not None else None,
                starts=row.clock_start or preset.clock_start,
                ends_with_day=preset.ends_with_day,
                extra=row.extra,
            )
            for row in preset.rules
        ),
    )


def _when(said: PresetWhen, preset: Preset) -> When:
    severities = said.severities
    if severities is not None and Severity.HIGH in severities and preset.unknown_severity == "as_high":
        severities |= {Severity.UNKNOWN}
    fields = {name: value for name, value in said if name not in {"severities", "any_of"}}
    return When(
        **fields,
        severities=severities,
        unknown_meets=preset.unknown_points == "worst",
        any_of=tuple(_when(each, preset) for each in said.any_of),
    )


def window_of(name: str, entry: WindowEntry, zone: str) -> WindowRule:
    """Return a window of a policy whose zone is `zone`.

    Raises:
        MalformedWindow: it cannot be read; its `field` is the one of the file.
    """
    text = WindowText(
        name=name,
        zone=entry.zone or zone,
        start=entry.start or "00:00",
        lasts=entry.duration or "PT1H",
        rule=entry.rule,
        patch_tuesday_plus_days=entry.patch_tuesday_plus_days,
        first_on=entry.first_day,
        except_on=entry.except_days,
        gap=Gap(entry.gap),
        fold=Fold(entry.fold),
    )
    try:
        return window_rule(text)
    except MalformedWindow as error:
        raise MalformedWindow(FIELD_IN_FILE.get(error.field, error.field), error.reason) from error


def exception_terms(document: PolicyDocument, presets: Sequence[Preset]) -> ExceptionTerms:
    """Return the strictest of what the client agreed and what its regimes allow."""
    agreed = document.exceptions
    limits = [each.exceptions.longest for each in presets if each.exceptions.longest is not None]
    return ExceptionTerms(
        allowed=agreed.allowed and all(each.exceptions.allowed for each in presets),
        longest=min((term(limit) for limit in (agreed.longest, *limits)), key=about),
        renewals=agreed.renewals,
        warn_before=term(agreed.warn_before),
    )


def elapsed(text: str) -> timedelta:
    """Return about how long a duration is: days of 24 hours, months of 31 days; to compare, never for a deadline."""
    try:
        return about(term(text))
    except MalformedDuration:
        return exact(text)


def about(kept: Term) -> timedelta:
    """Return about how long a term is, as above."""
    match kept:
        case Hours(hours):
            return timedelta(hours=hours)
        case Days(days):
            return timedelta(days=days)
        case Months(months):
            return timedelta(days=31 * months)
        case _:
            assert_never(kept)


def ends_before(document: PolicyDocument, preset: Preset) -> bool:
    """Return whether a policy is over when `preset` no longer holds."""
    if preset.effective_until is None:
        return True
    over_at = datetime.combine(preset.effective_until, time(), tzinfo=ZoneInfo(iana(document.zone)))
    return document.valid_until is not None and document.valid_until <= over_at


class Valid(Protocol):
    """Something that was recorded as the `number`-th, and is valid for a time."""

    @property
    def number(self) -> int:
        """Return its place among what was recorded."""

    def holds_at(self, at: datetime) -> bool:
        """Return whether `at` lies in its validity."""


V = TypeVar("V", bound=Valid)


def in_force(versions: Iterable[V], at: datetime) -> V | None:
    """Return which of a client's versions holds at `at`: of those whose validity it lies in, the last recorded."""
    return max((each for each in versions if each.holds_at(at)), key=lambda each: each.number, default=None)


def normalised(part: BaseModel) -> dict[str, Any]:
    """Return what a document says as it is kept: sets in order, moments in UTC, so that the same is the same text."""
    return {name: _plain(value) for name, value in part}


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return normalised(value)
        case Mapping():
            return {_plain(key): _plain(each) for key, each in sorted(value.items())}
        case frozenset():
            return sorted(_plain(each) for each in value)
        case tuple() | list():
            return [_plain(each) for each in value]
        case Enum():
            return value.value
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case _:
            return value


def digest_of(document: PolicyDocument, presets: Sequence[Preset]) -> str:
    """Return the SHA-256 of a policy with its presets. Source: RFC 8785, canonical JSON."""
    said: Any = {"document": normalised(document), "presets": [normalised(each) for each in presets]}
    return hashlib.sha256(rfc8785.dumps(said)).hexdigest()
