"""Forensic triage before a patch: what is to be done by when, what is late, whether a patch destroyed evidence. Pure.

A rule of a client's policy asks for it (`extra: forensic_triage`). The terms are those that are reported of the
directive's implementation guidance, not confirmed: scoping within 2 hours of the addition to KEV, volatile evidence
within 24 hours and before patching, a decision within 72 hours. Source: patch-policy reference 3.5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

EXTRA: Final = "forensic_triage"
"""How a rule of a policy asks for it."""


class Step(StrEnum):
    """What is done, in this order of their terms."""

    SCOPING = "scoping"
    EVIDENCE = "evidence"
    DECISION = "decision"


class Found(StrEnum):
    """What the decision is: whether the machine was broken into."""

    NONE = "none"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"


TERMS: Final[Mapping[Step, timedelta]] = {
    Step.SCOPING: timedelta(hours=2),
    Step.EVIDENCE: timedelta(hours=24),
    Step.DECISION: timedelta(hours=72),
}
"""Exact hours from the addition to KEV. As reported, unconfirmed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """One triage: a machine, a requirement, and the moment from which its clocks run."""

    tenant_id: UUID
    asset_id: UUID
    requirement_id: UUID
    rule: str
    product: str
    train: str
    release: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a person recorded: a step, when it was done, when we knew, and what the decision was."""

    step: Step
    done_at: datetime
    recorded_at: datetime
    found: Found | None = None


@dataclass(frozen=True, slots=True)
class StepStanding:
    """How one step stands. `is_late`: its moment passed before it was done."""

    step: Step
    due_at: datetime
    done_at: datetime | None
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a triage stands at one moment. `next_change_at`: when time alone makes a step late."""

    steps: tuple[StepStanding, ...]
    deployed_at: datetime | None
    order_violated: bool
    found: Found | None
    is_closed: bool
    why: str
    next_change_at: datetime | None


def started_at(kev_added_at: datetime, first_seen_at: datetime | None) -> datetime:
    """Return from when the clocks run: the addition to KEV; of a machine that came later, its first sight.

    That the client agreed to the directive later moves nothing: such a triage is late from its beginning.
    """
    return kev_added_at if first_seen_at is None else max(kev_added_at, first_seen_at)


def standing(triage: Triage, recorded: Iterable[Recorded], deployed_at: datetime | None, now: datetime) -> Standing:
    """Return how a triage stands. The earliest moment at which a step was done counts, the last decision holds.

    A patch that was deployed before the clocks began destroyed nothing that was asked for.
    """
    kept = sorted(recorded, key=lambda each: (each.recorded_at, each.done_at, each.step))
    done = {step: min((each.done_at for each in kept if each.step is step), default=None) for step in Step}
    found = next((each.found for each in reversed(kept) if each.step is Step.DECISION), None)
    steps = tuple(_step(step, triage.started_at + TERMS[step], done[step], now) for step in Step)
    deployed_at = deployed_at if deployed_at is not None and deployed_at >= triage.started_at else None
    evidence_at = done[Step.EVIDENCE]
    violated = deployed_at is not None and (evidence_at is None or evidence_at > deployed_at)
    closed = all(each.done_at is not None for each in steps) or (violated and found is not None)
    waiting = [each.due_at for each in steps if each.done_at is None and not each.is_late]
    return Standing(
        steps=steps,
        deployed_at=deployed_at,
        order_violated=violated,
        found=found,
        is_closed=closed,
        why=_why(steps, deployed_at if violated else None, found),
        next_change_at=None if closed else min(waiting, default=None),
    )


def handed_on(stood: Standing, to: UUID) -> Standing:
    """Return how the triage of a machine stands that turned out to be asset `to`: its own triage goes on there.

    What was recorded counts there too. It is no end: should the two part again, this one goes on as it stood.
    """
    return replace(stood, is_closed=True, next_change_at=None, why=f"goes on with asset {to}; {stood.why}")


def _step(step: Step, due_at: datetime, done_at: datetime | None, now: datetime) -> StepStanding:
    """A step is late from its deadline on: done exactly then, it is not."""
    return StepStanding(step, due_at, done_at, now >= due_at if done_at is None else done_at > due_at)


def _why(steps: tuple[StepStanding, ...], overtaken_at: datetime | None, found: Found | None) -> str:
    said = [f"deployed {overtaken_at:%Y-%m-%d %H:%M}Z before volatile evidence was captured"] if overtaken_at else []
    for each in steps:
        late = ", late" if each.is_late else ""
        if each.done_at is not None:
            said.append(f"{each.step} done {each.done_at:%Y-%m-%d %H:%M}Z{late}")
        else:
            said.append(f"{each.step} due {each.due_at:%Y-%m-%d %H:%M}Z{late}")
    return "; ".join([*said, f"finding: {found}"] if found else said)
