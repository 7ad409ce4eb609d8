"""What a policy's author should know before it counts, though it forbids nothing. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Final

from services.compliance.clocks.durations import spelled
from services.compliance.clocks.windows import Note, WindowRule, occurrences, skipped
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.rules_feasible import From, Measure, Proof, Verdict
from services.compliance.policies.rules_path import Span
from services.compliance.policies.rules_practice import length
from services.compliance.policies.rules_words import duration_in_words, short_moment
from services.compliance.policy import Term


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning: what it is about, by a name that does not change, and a sentence for people."""

    about: str
    text: str


@dataclass(frozen=True, slots=True)
class ExceptionLimit:
    """What a regime says of exceptions. `longest`: ISO 8601; `None`: it names no limit."""

    regime: str
    allowed: bool
    longest: str | None


def of_windows(rules: Mapping[str, WindowRule], horizon: Span, install: timedelta | None) -> Iterator[Warned]:
    """Yield what is odd about the windows: never, in a change of the clocks, shorter than an installation."""
    for name, rule in sorted(rules.items()):
        coming = list(occurrences(rule, horizon.start, horizon.end))
        if rule.recurs is None:
            yield Warned("empty_window", f"window {name} is empty: that means never")
        elif not coming:
            yield Warned("no_window_in_time", f"window {name} does not open once in the time looked at")
        changed = [f"{each.local:%Y-%m-%d} ({_CHANGES[each.note]})" for each in coming if each.note]
        gone = [f"{each:%Y-%m-%d} (none: the clocks skip it)" for each in skipped(rule, horizon.start, horizon.end)]
        if dates := sorted({*changed, *gone}):
            yield Warned("clock_change", f"window {name} falls in a change of the clocks: {', '.join(dates)}")
        if install is not None and coming and rule.length < install:
            yield Warned(
                "window_shorter_than_install",
                f"window {name} lasts {duration_in_words(rule.length)}; nine of ten installations seen here "
                f"took up to {duration_in_words(install)}",
            )


_CHANGES: Final = {
    Note.MOVED_FORWARD: "begins later: the clocks skip its start",
    Note.FIRST_OF_TWO: "the first of two",
    Note.SECOND_OF_TWO: "the second of two",
    Note.CLOCKS_CHANGE_WITHIN: "within it",
}


def of_exceptions(document: PolicyDocument, limits: Sequence[ExceptionLimit]) -> Iterator[Warned]:
    """Yield where exceptions may last longer than a regime allows, renewals counted."""
    if not document.exceptions.allowed:
        return
    longest, times = length(document.exceptions.longest), 1 + document.exceptions.renewals
    for limit in limits:
        if not limit.allowed:
            text = f"{limit.regime} knows no exceptions; this policy allows them"
            yield Warned("exceptions_not_allowed", text)
        elif limit.longest is not None and times * _days(longest) > _days(length(limit.longest)):
            text = (
                f"exceptions may last {document.exceptions.longest}, {times} times with renewals; "
                f"{limit.regime} allows {limit.longest}"
            )
            yield Warned("exceptions_too_long", text)


def _days(term: Term | timedelta) -> float:
    """Return about how many days a term has, to compare it with another."""
    if isinstance(term, timedelta):
        return term / timedelta(days=1)
    number, _, unit = spelled(term).partition(" ")
    return int(number) * {"h": 1 / 24, "d": 1.0, "m": 30.4375}[unit[0]]


def of_rings(document: PolicyDocument, proofs: Sequence[Proof]) -> Iterator[Warned]:
    """Yield a hold that begins anew, and soaks that take longer than a cell has."""
    if document.rings.hold is not None and document.rings.hold_restarts:
        yield Warned(
            "hold_restarts",
            f"the hold of {document.rings.hold} begins anew with each re-release, so a release that is often renewed "
            "is never sent; the clock does not begin anew",
        )
    soaks = [stage.soak for stage in document.rings.stages[:-1] if stage.soak is not None]
    soaking = sum(_days(length(soak)) for soak in soaks)
    told = {
        (proof.cell.tier.value, proof.cell.rule.id): spelled(proof.cell.rule.within)
        for proof in proofs
        if proof.with_rings and proof.cell.rule.within and soaking > _days(proof.cell.rule.within)
    }
    for (tier, rule), within in sorted(told.items()):
        text = f"{tier}, {rule}: the rings alone soak for {' + '.join(soaks)}, longer than the {within} it has"
        yield Warned("soak_longer_than_sla", text)


def of_proofs(proofs: Sequence[Proof]) -> Iterator[Warned]:
    """Yield the cells that hold for the vendor's calendar but not for a release at any instant."""
    on_calendar = {
        (proof.cell, proof.measure, proof.with_rings)
        for proof in proofs
        if proof.of is From.CALENDAR and proof.verdict is not Verdict.NOT_MET
    }
    for proof in proofs:
        key = (proof.cell, proof.measure, proof.with_rings)
        is_late = proof.of is From.ANY_INSTANT and proof.verdict is Verdict.NOT_MET and key in on_calendar
        if is_late and proof.measure is Measure.VERIFICATION:
            late = proof.worst.late
            by = "for ever" if late is None else f"by {duration_in_words(late)}"
            text = (
                f"{proof.cell.tier.value}, {proof.cell.rule.id}{', with rings' if proof.with_rings else ''}: a release "
                f"outside the vendor's calendar may be late {by}, worst at {short_moment(proof.worst.released_at)}"
            )
            yield Warned("late_out_of_band", text)


def of_promises(proofs: Sequence[Proof]) -> Iterator[Warned]:
    """Yield the rows that promise the deployment alone, where the verification will be late."""
    told = set()
    for proof in proofs:
        late = proof.worst.late
        is_late = proof.measure is Measure.VERIFICATION and proof.verdict is Verdict.NOT_MET
        key = (proof.cell.tier, proof.cell.rule.id)
        if proof.promised is Measure.DEPLOYMENT and is_late and proof.of is From.CALENDAR and key not in told:
            told.add(key)
            by = "for ever" if late is None else f"by {duration_in_words(late)}"
            text = (
                f"{proof.cell.tier.value}, {proof.cell.rule.id} promises the deployment alone; its obligations are met "
                f"by proof, and will be overdue {by} all the same"
            )
            yield Warned("verification_late", text)


def warnings(
    document: PolicyDocument,
    rules: Mapping[str, WindowRule],
    proofs: Sequence[Proof],
    *,
    horizon: Span,
    install: timedelta | None,
    limits: Sequence[ExceptionLimit],
) -> tuple[Warned, ...]:
    """Return every warning, those about windows first."""
    return tuple(
        chain(
            of_windows(rules, horizon, install),
            of_exceptions(document, limits),
            of_rings(document, proofs),
            of_promises(proofs),
            of_proofs(proofs),
        )
    )
