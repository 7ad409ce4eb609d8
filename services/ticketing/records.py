"""The values that tickets are made of: rules decide over them, the store keeps them, adapters act on them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from contracts.topics import Lane


class Kind(StrEnum):
    """What went wrong. The subject is the requirement, the vendor's product and patch id; of an exposure the case.

    `EXPOSURE_LATE`: a promise of the service level; `BREAKER`: its scope; `HYGIENE` and `MONITOR`: the monitor.
    `PATCH_OVERDUE` and `TRIAGE`: the requirement; `EXCEPTION`: its id; `SOURCE_SILENT`: the source; the other three:
    the window, or all restarts of a client.
    """

    PATCH_FAILED = "patch_failed"
    FAILED_UNCATALOGUED = "failed_uncatalogued"
    EXPOSURE = "exposure"
    EXPOSURE_FOREIGN = "exposure_foreign"
    EXPOSURE_LATE = "exposure_late"
    BREAKER = "breaker"
    HYGIENE = "hygiene"
    PATCH_OVERDUE = "patch_overdue"
    EXCEPTION = "exception"
    MONITOR = "monitor"
    SOURCE_SILENT = "source_silent"
    REBOOT_SURPRISE = "reboot_surprise"
    WINDOW_MISSED = "window_missed"
    WINDOW_EMPTY = "window_empty"
    TRIAGE = "triage"


OF_THE_MSP: Final = frozenset(
    {Kind.EXPOSURE_FOREIGN, Kind.EXPOSURE_LATE, Kind.BREAKER, Kind.SOURCE_SILENT, Kind.WINDOW_EMPTY}
)
"""What the MSP's own people must see, and not the client's."""


class MatterKey(NamedTuple):
    """What a ticket is about: one client's one problem."""

    tenant: UUID
    kind: Kind
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Words for a matter, as the newest event put them."""

    product: str | None = None
    train: str | None = None
    release: str | None = None
    severity: str = "unknown"
    patch: str | None = None
    kb: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a person needs to find the machine."""

    source: str
    device: str
    hostname: str | None = None
    os_family: str = "other"
    tier: str = "workstation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The event that something follows from."""

    event_id: UUID
    occurred_at: datetime
    received_at: datetime
    traceparent: str | None = None
    correlation: str | None = None
    lane: Lane = Lane.LIVE


class TicketState(StrEnum):
    """What a ticket should be. `CLOSED`: by a person, or gone from the tracker."""

    OPEN = "open"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Act(StrEnum):
    """What is to be done at the tracker."""

    OPEN = "open"
    APPEND = "append"
    RESOLVE = "resolve"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An intent whose words are not fixed yet: what happens in the meantime goes into it.

    `lane` is bulk as long as nothing but bulk asked for it.
    """

    number: int
    act: Act
    due_at: datetime
    why: str
    cause: Cause
    lane: Lane = Lane.LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A ticket. `key` is how the tracker knows it; `failing` counts the listed devices that are not cleared.

    `adopted_by` is the requirement that made the ticket of an unknown patch its own.
    """

    key: str
    matter: MatterKey
    generation: int
    state: TicketState
    failing: int
    last_number: int
    created_at: datetime
    adopted_by: str | None = None
    looked_at: datetime | None = None
    external: str | None = None
    title: str | None = None

    @property
    def home(self) -> MatterKey | None:
        """Return the requirement's matter, where it adopted the ticket of an unknown patch."""
        if self.adopted_by is None:
            return None
        return MatterKey(self.matter.tenant, Kind.PATCH_FAILED, self.adopted_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One device on one ticket. `cleared_as` is the state that took it off the list; `None`: it is failing.

    `noted_failures` is the count that the ticket tells (`None`: it does not list the device yet); `checked_failures`
    the count when the ticket was last seen open.
    """

    label: Label
    failures: int
    listed_at: datetime
    release: str | None = None
    code: str | None = None
    noted_failures: int | None = None
    checked_failures: int = 0
    cleared_as: str | None = None
    noted_cleared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """What is kept of a matter. `ticket` is the key of its newest ticket, which may have begun as another matter's."""

    about: About
    generation: int = 0
    ticket: str | None = None


class Client(NamedTuple):
    """How people and the PSA call a client."""

    name: str
    psa_company: str | None

    @property
    def company(self) -> str:
        """Return the PSA's name of the client."""
        return self.psa_company or self.name

    def seen_by(self, kind: Kind, msp_company: str | None) -> "Client":
        """Return the client as a ticket of this kind has it: under the MSP's own company, what is the MSP's to see."""
        return self._replace(psa_company=msp_company) if msp_company and kind in OF_THE_MSP else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one act says, or sees, of one device."""

    asset: str
    failures: int
    noted: bool
    cleared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The words of one act, fixed before they are said, so that a second try says the same.

    An empty `text` means: only look. `title` is for opening.
    """

    title: str
    text: str
    company: str
    severity: str
    devices: int
    failures: int
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """One act that a worker has leased. `attempts` tells this lease from every other one.

    `acted_at` is the last moment at which a write of which we know nothing more may have been sent.
    """

    ticket: str
    number: int
    tenant: UUID
    act: Act
    attempts: int
    why: str
    cause: Cause
    reservation: str | None = None
    acted_at: datetime | None = None
    leased_at: datetime | None = None
    lane: Lane = Lane.LIVE

    @property
    def marker(self) -> str:
        """Return what the act's note is recognised by in the tracker, also by a database that is an older one."""
        return f"{self.ticket}/{self.number}/{self.act}/{self.cause.event_id}"

    @property
    def former_marker(self) -> str:
        """Return what the release before marks the note of this act with."""
        return f"{self.ticket}/{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A ticket to be created. `said`: the tracker has its first words already, under this token."""

    key: str
    title: str
    text: str
    company: str
    severity: str
    marker: str
    said: str | None = None

    @property
    def note(self) -> "Note":
        """Return its first words."""
        return Note(marker=self.marker, text=self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Words to be added to a ticket, once."""

    marker: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRef:
    """A ticket as its tracker has it. `id` is the tracker's own number."""

    id: str
    is_open: bool
