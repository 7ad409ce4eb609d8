"""What the worker's parts hand to each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import MayWorkLater
from contracts.events.credential import CaseStep
from services.credentials.cases.records import Case
from services.credentials.guard.records import Act, Guarding
from services.credentials.records import Identity
from services.credentials.reset.store_steps import Row, Turn


class NotYet(MayWorkLater):
    """A step has to wait for something that is told in words; it is looked at again after so many seconds."""

    def __init__(self, reason: str, *, seconds: float) -> None:
        """Say what for."""
        super().__init__(reason)
        self.seconds = seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """A leased step's case as it is now. `identity`: its account as we last read it; `None`: none is known."""

    case: Case
    rows: Mapping[CaseStep, Row]
    guarding: Guarding
    identity: Identity | None

    def done_at(self, step: CaseStep) -> datetime | None:
        """Return when a step was done; `None`: it was not."""
        row = self.rows.get(step)
        return None if row is None else row.done_at

    def proof(self, step: CaseStep) -> str | None:
        """Return what a step's end showed."""
        row = self.rows.get(step)
        return None if row is None else row.proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things take to show. `settle`: an accepted write in a directory; `verify`: until it is looked at."""

    settle: timedelta = timedelta(seconds=60)
    verify: timedelta = timedelta(seconds=60)


def act_of(turn: Turn, case: Case) -> Act:
    """Return the act that the guard is asked about, or told the end of."""
    return Act(tenant=case.tenant, case=case.id, step=turn.step, privileged=case.privileged, cause=case.cause)
