"""What credentials says, as the tests of ticketing need it."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from contracts.envelope import Envelope
from contracts.events import credential
from contracts.events.credential import (
    AccountKind,
    ApprovalAsked,
    ApprovalCounted,
    BreakerMoved,
    BreakerState,
    CaseClosed,
    CaseDecided,
    CaseOpened,
    CaseStep,
    CaseStepDone,
    CaseStepParked,
    Decision,
    ExposureAppended,
    HygieneChanged,
    Promise,
    PromiseBroken,
)
from tests.builders import ACME, NOON, event

LOGIN = "ana.lima@acme.example"
DUE = NOON + timedelta(hours=1)


class Story:
    """One case, whose events come in their order."""

    def __init__(self, *, tenant: UUID = ACME, login: str = LOGIN, foreign: bool = False) -> None:
        self.case = str(uuid4())
        self.tenant = tenant
        self._common: dict[str, Any] = {"case": self.case, "login": login, "foreign": foreign}
        self._sequence = 0

    def opened(self, decision: Decision = Decision.RESET, **more: Any) -> Envelope:
        told = {
            "feed": "spycloud",
            "breach": "Sample Stealer",
            "kind": AccountKind.PERSON,
            "decision": decision,
            "why": "a stealer log is newer than the last change",
            "summary": f"A password of {self._common['login']} was found in a stealer log.",
            "arrived_at": NOON,
        }
        return self._event(CaseOpened(**self._common, **(told | more)))

    def appended(self, exposures: int = 2) -> Envelope:
        return self._event(
            ExposureAppended(**self._common, feed="hibp", breach="Old", exposures=exposures, why="another feed")
        )

    def decided(self, decision: Decision) -> Envelope:
        return self._event(CaseDecided(**self._common, before=Decision.ASK, decision=decision, why="two people agreed"))

    def asked(self) -> Envelope:
        return self._event(ApprovalAsked(**self._common, needed=2, expires_at=DUE, why="privileged: Domain Admins"))

    def counted(self, *, approve: bool = True) -> Envelope:
        return self._event(
            ApprovalCounted(**self._common, approver="dana.kim", approve=approve, given=int(approve), needed=2)
        )

    def done(self, step: CaseStep, proof: str = "Seen in the directory.") -> Envelope:
        return self._event(CaseStepDone(**self._common, step=step, proof=proof, done_at=NOON))

    def parked(self, step: CaseStep = CaseStep.REVOKED) -> Envelope:
        return self._event(CaseStepParked(**self._common, step=step, reason="HTTP 403: not allowed."))

    def broken(self, promise: Promise = Promise.NOTICE) -> Envelope:
        return self._event(PromiseBroken(**self._common, promise=promise, due_at=DUE))

    def closed(self, decision: Decision = Decision.RESET) -> Envelope:
        return self._event(CaseClosed(**self._common, decision=decision, proof="Changed at 12:01, seen at 12:05."))

    def _event(self, content: credential.CaseEvent) -> Envelope:
        self._sequence += 1
        return event(content, subject=self.case, tenant=self.tenant, sequence=self._sequence)


def breaker(state: BreakerState, *, tenant: UUID | None = ACME, sequence: int = 1, held: int = 0) -> Envelope:
    content = BreakerMoved(scope="tenant", state=state, why="10,000 accounts in one alert", held=held)
    return event(content, subject="tenant", tenant=tenant, sequence=sequence)


def hygiene(about: str, sequence: int, *, failing: bool = True, at: datetime = NOON) -> Envelope:
    content = HygieneChanged(monitor="no_mfa", about=about, failing=failing, why="no second factor is registered")
    return event(content, subject=f"no_mfa/{about}", tenant=ACME, sequence=sequence, at=at)
