"""Whether a policy can be met at all: each cell against how its machines are patched, from the worst release. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from contracts.events.event import Tier
from services.compliance.policies.rules_cells import Cell
from services.compliance.policies.rules_path import DayEnd, Span, Step, Wait
from services.compliance.policies.rules_practice import Practice
from services.compliance.policies.rules_worst import Travel, Way, instants_to_try, worst
from services.compliance.policy import Starts, Term
from services.compliance.priority.rules_triage import EXTRA as TRIAGE
from services.compliance.priority.rules_triage import TERMS
from services.compliance.priority.rules_triage import Step as Capture


class Measure(StrEnum):
    """What a deadline may promise: that the package was sent, or that its installation is verified.

    Source: playbook step 4: deployment is not verification.
    """

    DEPLOYMENT = "deployment"
    VERIFICATION = "verification"


class From(StrEnum):
    """Which releases are looked at: those of the vendor's calendar, or one at any instant."""

    CALENDAR = "calendar"
    ANY_INSTANT = "any_instant"


class Verdict(StrEnum):
    """Whether it can be met. `depends`: only if people act in time, and nothing was agreed about that."""

    MET = "met"
    DEPENDS = "depends"
    NOT_MET = "not_met"


WITH_CALENDAR: Final = frozenset(
    {Starts.RELEASE, Starts.LATER_OF_RELEASE_AND_FIRST_SEEN, Starts.LATER_OF_RELEASE_AND_DETECTION}
)
"""Clocks that begin with the release, if the machine is known and is scanned; the others begin at any instant."""


EVIDENCE: Final = Wait("evidence captured", TERMS[Capture.EVIDENCE], UTC)
"""What a forensic triage asks for before the patch. Source: cisa-bod-26-04, as reported."""
_A_MOMENT: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Proof:
    """One cell, looked at in one way, with the release that is worst for it.

    `with_rings`: the machines of the last ring, after every soak; else as if there were no rings. `promised`: what the
    row promises, whichever of the two this is about.
    """

    cell: Cell
    measure: Measure
    of: From
    with_rings: bool
    worst: Travel
    waits_for: tuple[str, ...]
    promised: Measure = Measure.VERIFICATION

    @property
    def verdict(self) -> Verdict:
        """Return whether the worst release is in time."""
        late = self.worst.late
        if late is None or late > timedelta(0):
            return Verdict.NOT_MET
        return Verdict.DEPENDS if self.waits_for else Verdict.MET


Promised = Mapping[tuple[str, str], Measure]
"""What a row promises, by its regime and id; a row that is not named promises the verification."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What is looked at: the months of `horizon`, the vendor's releases in it, and how far windows are known."""

    horizon: Span
    known: Span
    releases: tuple[datetime, ...]


def proofs(
    cells: Sequence[Cell],
    practices: Mapping[Tier, Practice],
    calendar: Calendar,
    zone: tzinfo,
    *,
    promised: Promised = MappingProxyType({}),
) -> tuple[Proof, ...]:
    """Return the proofs of every cell that has a clock: both measures, both kinds of release, without and with rings.

    Deployment comes before verification, the vendor's calendar before any instant, without rings before with them.
    """
    bench = _Bench(calendar)
    found = []
    for cell in cells:
        if cell.rule.within is None:
            continue
        promise = promised.get((cell.regime, cell.rule.id), Measure.VERIFICATION)
        clock = clock_of(cell.rule.within, zone, ends_with_day=cell.rule.ends_with_day)
        for measure, of, with_rings in _ways(cell, practices[cell.tier]):
            path = path_of(practices[cell.tier], measure, with_rings=with_rings, extra=cell.rule.extra)
            if (travel := bench.worst_of(path, clock, of)) is not None:
                waits_for = _people(practices[cell.tier], measure, with_rings=with_rings)
                found.append(Proof(cell, measure, of, with_rings, travel, waits_for, promise))
    return tuple(found)


class _Bench:
    """Finds worst releases, each way and each clock once: tiers that are patched alike are looked at once."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._ways: list[Way] = []
        self._clocks: dict[tuple[Step, ...], Way] = {}
        self._found: dict[tuple[int, tuple[Step, ...], From], Travel | None] = {}

    def worst_of(self, path: tuple[Step, ...], clock: tuple[Step, ...], of: From) -> Travel | None:
        number = self._number(path)
        key = number, clock, of
        if key not in self._found:
            way, due = self._ways[number], self._clocks.setdefault(clock, self._way(clock))
            instants = self._calendar.releases
            if of is From.ANY_INSTANT:
                instants = tuple(instants_to_try(way, due, self._calendar.horizon))
            self._found[key] = worst(instants, way, due)
        return self._found[key]

    def _number(self, path: tuple[Step, ...]) -> int:
        """Return the place of a way; ways have calendars of hundreds of windows, which are compared, not hashed."""
        for number, way in enumerate(self._ways):
            if way.steps == path:
                return number
        self._ways.append(self._way(path))
        return len(self._ways) - 1

    def _way(self, steps: tuple[Step, ...]) -> Way:
        return Way(steps, within=self._calendar.horizon, known=self._calendar.known)


def clock_of(within: Term, zone: tzinfo, *, ends_with_day: bool) -> tuple[Step, ...]:
    """Return the clock of a row as steps, so that its bends are known as those of the way are."""
    due = Wait("due", within, zone)
    return (due, DayEnd(zone)) if ends_with_day else (due,)


def path_of(practice: Practice, measure: Measure, *, with_rings: bool, extra: Sequence[str] = ()) -> tuple[Step, ...]:
    """Return the steps from the release to what is measured. The verification needs a restart: the worst is meant.

    `extra`: as the row has it; evidence that must be captured first takes all the time that it may, as a hold does.
    """
    before = (*practice.hold, *((EVIDENCE,) if TRIAGE in extra else ()))
    longest = (max(before, key=lambda step: step.after(_A_MOMENT) or _A_MOMENT),) if before else ()
    to_deployment = (*longest, *(practice.rings if with_rings else ()), *practice.send)
    return to_deployment if measure is Measure.DEPLOYMENT else (*to_deployment, *practice.restart)


def _ways(cell: Cell, practice: Practice) -> Iterator[tuple[Measure, From, bool]]:
    origins = tuple(From) if cell.rule.starts in WITH_CALENDAR else (From.ANY_INSTANT,)
    for measure in Measure:
        for of in origins:
            yield measure, of, False
            if practice.rings:
                yield measure, of, True


def _people(practice: Practice, measure: Measure, *, with_rings: bool) -> tuple[str, ...]:
    promoting = practice.rings_wait_for if with_rings else ()
    return promoting if measure is Measure.DEPLOYMENT else (*promoting, *practice.restart_waits_for)


def decisive(found: Sequence[Proof]) -> tuple[Proof, ...]:
    """Return the proofs that decide about the policy: what a row promises, by the vendor's calendar, after every ring.

    A clock that does not begin with a release has no calendar: there it is any instant.
    """
    ringed = {proof.cell.tier for proof in found if proof.with_rings}
    return tuple(
        proof
        for proof in found
        if proof.measure is proof.promised
        and (proof.of is From.CALENDAR or proof.cell.rule.starts not in WITH_CALENDAR)
        and proof.with_rings is (proof.cell.tier in ringed)
    )
