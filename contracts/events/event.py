"""The base of every event and the small vocabularies that events share."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^\x00]*$")]
"""Text that names something: never empty, never longer than any vendor's field, never a NUL (PostgreSQL refuses it)."""

Text = Annotated[str, StringConstraints(max_length=2048, pattern=r"^[^\x00]*$")]

Moment = AwareDatetime


class Value(BaseModel):
    """A part of an event. Frozen; unknown fields of a newer release are ignored.

    What validates it is built when it is first needed: no process needs all of them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Event(Value):
    """A fact, in the past tense. `TYPE` ends in a major version; within one only optional fields are added."""

    TYPE: ClassVar[str]


class OsFamily(StrEnum):
    """Operating systems are never blended into one figure."""

    WINDOWS = "windows"
    MACOS = "macos"
    LINUX = "linux"
    OTHER = "other"


class Tier(StrEnum):
    """Asset classes with a service level of their own. Source: playbook steps 1 and 2."""

    SERVER = "server"
    WORKSTATION = "workstation"
    KIOSK = "kiosk"
    DO_NOT_DISRUPT = "do_not_disrupt"


class Severity(StrEnum):
    """The vendor's word for how bad it is; `unknown` is a band of its own, never quietly something else."""

    CRITICAL = "critical"
    HIGH = "high"
    MODERATE = "moderate"
    LOW = "low"
    UNKNOWN = "unknown"


class Method(StrEnum):
    """How a source came to know: with the source it makes a witness."""

    WEBHOOK = "webhook"
    POLL = "poll"


class Confidence(StrEnum):
    """Whether the source said so, or we found it by comparing two readings."""

    STATED = "stated"
    DERIVED = "derived"
