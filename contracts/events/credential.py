"""What is done about exposed credentials. Producer: credentials; consumers: ticketing, analysts.

Topic: `credentials.events`, keyed by case; facts about no case are keyed by their subject. No secret is in any of them.
"""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from contracts.events.event import Event, Moment, Name, Text


class AccountKind(StrEnum):
    """What kind of account it is. `UNKNOWN` is handled as if it were privileged."""

    PERSON = "person"
    SERVICE = "service"
    SYNC = "sync"
    SHARED = "shared"
    BREAK_GLASS = "break_glass"
    CONNECTOR = "connector"
    UNKNOWN = "unknown"


class Decision(StrEnum):
    """What is done about a case."""

    RESET = "reset"
    ASK = "ask"
    NOTIFY = "notify"
    REFUSE = "refuse"
    REMEDIATED = "remediated"


class CaseStep(StrEnum):
    """The steps of a case, in their order."""

    OPENED = "opened"
    TICKETED = "ticketed"
    INVALIDATED = "invalidated"
    REVOKED = "revoked"
    READ_BACK = "read_back"
    NOTIFIED = "notified"
    VERIFIED = "verified"
    CLOSED = "closed"


class Promise(StrEnum):
    """What the service level promises: within so long of the exposure's arrival."""

    TICKET = "ticket"
    RESET = "reset"
    NOTICE = "notice"
    VERIFIED = "verified"


class BreakerState(StrEnum):
    """`TRIPPED`: nothing is reset until a person arms it again. `KILLED`: a person stopped it."""

    ARMED = "armed"
    TRIPPED = "tripped"
    KILLED = "killed"


class CaseEvent(Event):
    """A fact about one case. `login` is whose credential it is, `identity` the directory's immutable id of them.

    `foreign`: the login's domain is none that the client has proven as its own; the case is the MSP's to see.
    """

    case: Name
    login: Name
    identity: Name | None = None
    foreign: bool = False


class CaseOpened(CaseEvent):
    """An exposure began a case."""

    TYPE: ClassVar[str] = "case.opened.v1"
    feed: Name
    breach: Name | None = None
    kind: AccountKind
    privileged: bool = False
    decision: Decision
    why: Text
    dry_run: bool = False
    summary: Text
    exposed_at: Moment | None = None
    arrived_at: Moment


class ExposureAppended(CaseEvent):
    """Another exposure of the same person, or the same one from another feed, belongs to an open or recent case."""

    TYPE: ClassVar[str] = "case.exposure_appended.v1"
    feed: Name
    breach: Name | None = None
    exposures: int = Field(ge=2)
    why: Text


class CaseDecided(CaseEvent):
    """What is to be done about the case changed: evidence, an approval, a breaker, a directory read again."""

    TYPE: ClassVar[str] = "case.decided.v1"
    before: Decision
    decision: Decision
    why: Text


class ApprovalAsked(CaseEvent):
    """A machine must not do it alone: `needed` different people have to agree before `expires_at`."""

    TYPE: ClassVar[str] = "case.approval_asked.v1"
    needed: int = Field(ge=1)
    expires_at: Moment
    why: Text


class ApprovalCounted(CaseEvent):
    """An enrolled person decided. `approver` is their id; `given` of `needed` have agreed so far."""

    TYPE: ClassVar[str] = "case.approval_counted.v1"
    approver: Name
    approve: bool
    given: int = Field(ge=0)
    needed: int = Field(ge=1)


class CaseStepDone(CaseEvent):
    """A step was done and read back. `proof` says what was seen, in words without a secret."""

    TYPE: ClassVar[str] = "case.step_done.v1"
    step: CaseStep
    proof: Text
    done_at: Moment


class CaseStepParked(CaseEvent):
    """A step needs a person. `patchline case retry` goes on."""

    TYPE: ClassVar[str] = "case.step_parked.v1"
    step: CaseStep
    reason: Text


class CaseClosed(CaseEvent):
    """The case is over: `decision` is what was done in the end, `proof` why it can be believed."""

    TYPE: ClassVar[str] = "case.closed.v1"
    decision: Decision
    proof: Text


class PromiseBroken(CaseEvent):
    """The service level was missed: `promise` was due and is not there."""

    TYPE: ClassVar[str] = "case.promise_broken.v1"
    promise: Promise
    due_at: Moment


class BreakerMoved(Event):
    """A breaker tripped, was armed again or was thrown by a person. `scope` is `global`, or `tenant`."""

    TYPE: ClassVar[str] = "breaker.moved.v1"
    scope: Name
    state: BreakerState
    why: Text
    held: int = Field(default=0, ge=0)


class HygieneChanged(Event):
    """A monitor of identity hygiene finds something about an account or a client, or finds it no longer."""

    TYPE: ClassVar[str] = "hygiene.changed.v1"
    monitor: Name
    about: Name
    failing: bool
    why: Text
