"""What the service promises to watch. Producer: compliance; consumers: ticketing, analysts. Topic: `compliance.events`.

All of it is told only of clients whose policy asks for it.
"""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from contracts.events.event import Event, Moment, Name, Text
from contracts.events.obligation import DeviceLabel


class Monitor(StrEnum):
    """What is watched on every device. Source: the service definition's four monitors; the last watches the watching.

    `UPDATES_INSTALLED` is failing while something that was reported as installed is not proven to be there;
    `DETECTION` while nothing was heard of the device for longer than the longest delay of the others.
    """

    UPDATES_FAILED = "updates_failed"
    UPDATES_INSTALLED = "updates_installed"
    MISSING_SERVICE_PACK = "missing_service_pack"
    OUT_OF_DATE = "out_of_date"
    DETECTION = "detection"


class MonitorChanged(Event):
    """A monitor's condition became true on a device (`failing`), or is no longer true. Only changes are told.

    `happened_at` is when what makes it so was so, `detected_at` when we noticed; `late`: the seconds between them are
    more than the policy allows.
    """

    TYPE: ClassVar[str] = "monitor.changed.v1"
    label: DeviceLabel
    monitor: Monitor
    failing: bool
    why: Text
    happened_at: Moment
    detected_at: Moment
    delay_seconds: int = Field(ge=0)
    longest_delay_seconds: int = Field(gt=0)
    late: bool = False


class SourceSilent(Event):
    """A source that a client has devices at said nothing for longer than allowed (`silent`), or speaks again.

    The envelope's subject is `source/` and its name; there is one event for each client that has devices there.
    """

    TYPE: ClassVar[str] = "source.silent.v1"
    source: Name
    silent: bool
    heard_at: Moment
    longest_silence_seconds: int = Field(gt=0)
    devices: int = Field(ge=0)
    why: Text


class RebootVerdict(StrEnum):
    """What a restart was by the client's policy. `AT_DEADLINE`: the user was told of it in time and had put it off.

    `NOT_JUDGED`: nothing was deployed that asked for it, or nobody can tell; `why` says which.
    """

    IN_WINDOW = "in_window"
    CONSENTED = "consented"
    AT_DEADLINE = "at_deadline"
    APPROVED = "approved"
    NOT_JUDGED = "not_judged"
    SURPRISE = "surprise"


class RebootRecorded(Event):
    """A device restarted, and what the client's policy says of it. Told again if what was heard later changes that.

    `deployed`: something was installed, or said to wait for a restart, since the restart before. A surprise is an
    incident: the deployment restarted the device outside of what the client agreed to.
    """

    TYPE: ClassVar[str] = "reboot.recorded.v1"
    label: DeviceLabel
    booted_at: Moment
    verdict: RebootVerdict
    why: Text
    deployed: bool
    rule: Name | None = None
    window: Name | None = None
    notified_at: Moment | None = None
    notice_seconds: int | None = Field(default=None, ge=0)
    deferrals: int = Field(default=0, ge=0)
    consented_by: Name | None = None
    consented_at: Moment | None = None


class MissedBecause(StrEnum):
    """`SILENT`: nothing at all was heard of the device during the window; `IDLE`: it was there, nothing was done."""

    SILENT = "silent"
    IDLE = "idle"


class WindowMissed(Event):
    """Something was due on a device and its maintenance window passed unused (`missed`); or it caught up since.

    `misses` counts the windows missed in a row. `ticket`: that is as many as the policy lets pass without one.
    `catch_up` is the policy's word for what may be done before the next window; none of them restarts by surprise.
    """

    TYPE: ClassVar[str] = "window.missed.v1"
    label: DeviceLabel
    window: Name
    missed: bool
    starts_at: Moment
    ends_at: Moment
    because: MissedBecause | None = None
    misses: int = Field(ge=0)
    ticket: bool = False
    catch_up: Name
    next_starts_at: Moment | None = None
    why: Text
