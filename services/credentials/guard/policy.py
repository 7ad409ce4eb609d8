"""What one client allows a machine to do about its credentials, as a document: strict by default, nothing by itself.

Sources of the defaults: the playbook's step 7; the ten points of a safe forced reset in the project's references.
"""

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

_Word = Annotated[str, StringConstraints(min_length=1, max_length=256, strip_whitespace=True)]
_Count = Annotated[int, Field(ge=1, le=100_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Owner(_Part):
    """Whom the client named to be told. `language` is a key of `templates`, or one that we bring."""

    name: _Word | None = None
    mail: Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=254)] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
    templates: dict[str, Annotated[str, StringConstraints(max_length=8000)]] = Field(default_factory=dict)


class Caps(_Part):
    """When the breaker trips. Counts of accounts per hour; `share` of the directory's enabled persons per hour.

    `per_delivery`: more different logins in one delivery are not acted on. `batches`: so many resets at first, then so
    many once those are verified, then the rest.
    """

    per_hour: _Count = 20
    share: Annotated[float, Field(gt=0, le=1)] = 0.05
    per_delivery: _Count = 25
    error_rate: Annotated[float, Field(gt=0, le=1)] = 0.3
    privileged_per_hour: _Count = 2
    surge_times: Annotated[float, Field(ge=1)] = 10
    """More accounts named in an hour than so many times a usual day's, and more than `surge_least`: sudden volume."""
    surge_least: _Count = 20
    all_admins_least: _Count = 3
    """So many accounts named in an hour, all of them privileged."""
    one_source_least: _Count = 10
    """So many accounts named in an hour by one source alone, although the client has others."""
    error_least: _Count = 4
    """So many acts must have ended in the hour before their error rate says anything."""
    batches: tuple[_Count, ...] = (1, 5)


class GlobalPolicy(_Part):
    """When the breaker for all clients together trips: counts per hour."""

    per_hour: _Count = 100
    privileged_per_hour: _Count = 10
    error_rate: Annotated[float, Field(gt=0, le=1)] = 0.3
    error_least: _Count = 10
    tripped_clients: _Count = 3
    """So many clients' breakers tripped within the hour: it is not one client's trouble."""


class Levels(_Part):
    """The service level for exposure response: minutes from the alert's arrival."""

    ticket: _Count = 15
    reset: _Count = 60
    notice: _Count = 120
    verified: _Count = 240


class Hygiene(_Part):
    """The monitors of the baseline: a premium tier, off until somebody sells it. `off`: single monitors, by name."""

    enabled: bool = False
    off: frozenset[_Word] = frozenset()
    break_glass_days: _Count = 90
    privileged_known: frozenset[_Word] = frozenset()
    """Logins or immutable ids of accounts that are meant to have power, for the monitor of privileged accounts."""
    offboarding_days: _Count = 7
    """So long after the last day the checklist may be open."""
    offboarding: tuple[_Word, ...] = (
        "disable the account",
        "end all sessions",
        "remove from privileged groups",
        "transfer mailbox and files",
        "collect devices and tokens",
        "remove licences",
    )


class GuardPolicy(_Part):
    """What a client allows. A new client is in dry-run: everything is decided and shown, nothing is done."""

    mode: Literal["dry_run", "live"] = "dry_run"
    reset_persons: bool = False
    live_feeds: frozenset[_Word] = frozenset()
    """Sources (such as `exposure/spycloud/main`) that are past their own dry-run."""
    break_glass: frozenset[_Word] = frozenset()
    service_accounts: frozenset[_Word] = frozenset()
    shared: frozenset[_Word] = frozenset()
    vip: frozenset[_Word] = frozenset()
    """Logins or immutable ids, in lower case. Persons in `vip` need approval."""
    privileged_groups: frozenset[_Word] = frozenset()
    """Names of groups and roles that give power, besides those that each directory's kind is known for."""
    cooling_hours: _Count = 24
    ticket_wait_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    fresh_minutes: _Count = 60
    """A directory that was read longer ago is stale: no reset."""
    approvals_needed: Annotated[int, Field(ge=2, le=5)] = 2
    approval_hours: _Count = 4
    needs_recovery: bool = True
    """Reset by itself only where the directory shows a way back in (a registered method), or cannot tell."""
    owner: Owner = Owner()
    caps: Caps = Caps()
    levels: Levels = Levels()
    hygiene: Hygiene = Hygiene()

    @property
    def cooling(self) -> timedelta:
        """Return how long one person is not reset again."""
        return timedelta(hours=self.cooling_hours)

    @property
    def fresh(self) -> timedelta:
        """Return how old a reading of the directory may be."""
        return timedelta(minutes=self.fresh_minutes)


STRICT: Final = GuardPolicy()
"""What holds for a client that nobody described yet."""
