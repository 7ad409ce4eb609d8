"""Which applications an asset has, in whatever order the listings arrive. Pure.

An application is there if a listing names it that is not older than the newest complete one. So a complete listing
takes away what it lacks, one of a part takes nothing away, and one that comes late undoes nothing newer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, NamedTuple
from uuid import UUID

from contracts.events.rmm import Application, ApplicationsListed
from services.inventory.rules_facts import Fact


class Moment(NamedTuple):
    """When a listing was read, and which it is: larger is newer. The parts of one listing share it."""

    at: datetime
    listing: str


NEVER: Final = Moment(datetime.min.replace(tzinfo=UTC), "")
"""Older than every listing."""

UNKNOWN: Final = b""
"""The digest of what cannot be compared: it is looked at again."""

Members = Mapping[UUID, Moment | None]
"""By its id each application that is there: the newest partial listing that has it, `None`: the complete one does."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One event: some or all of the applications, by their ids."""

    moment: Moment
    is_complete: bool
    applications: Mapping[UUID, Application]


@dataclass(frozen=True, slots=True)
class Register:
    """What is kept of an asset's listings: when the newest complete one was, its digest, how many others added."""

    listed: Moment = NEVER
    digest: bytes = UNKNOWN
    added: int = 0


NOTHING_LISTED: Final = Register()


@dataclass(frozen=True, slots=True)
class Heard:
    """What some listings come to: since when others do not count, what the complete one has, what partial ones add."""

    since: Moment
    replaces: bool
    whole: Mapping[UUID, Application] = field(default_factory=dict)
    parts: Mapping[UUID, tuple[Moment, Application]] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        """Return the digest of what the complete listing has."""
        digest = blake2b(digest_size=16)
        for each in sorted(self.whole, key=_number):
            digest.update(each.bytes)
        return digest.digest()


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be written of one asset."""

    register: Register
    gone: Sequence[UUID] = ()
    put: Sequence[tuple[UUID, Application, Moment | None]] = ()


def listing(told: Fact) -> Listing | None:
    """Return the listing that a fact is; `None`: it is about something else."""
    event = told.event.data
    if type(event) is not ApplicationsListed:  # pydantic makes `isinstance` slow for a subclass
        return None
    applications = {application_id(each): each for each in event.applications}
    return Listing(Moment(told.effective_at, event.listing), event.complete, applications)


def application_id(application: Application) -> UUID:
    """Return what all that names an application comes to: another version is another one."""
    words = (
        application.name,
        application.version,
        application.publisher,
        application.architecture,
        application.origin,
    )
    name = "\x00".join(word or "" for word in words)
    return UUID(bytes=blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest())


def heard(register: Register, listings: Sequence[Listing]) -> Heard:
    """Return what `listings`, at least one, come to beside what is kept."""
    newest = max((each.moment for each in listings if each.is_complete), default=NEVER)
    since = max(newest, register.listed)
    whole: dict[UUID, Application] = {}
    parts: dict[UUID, tuple[Moment, Application]] = {}
    for each in listings:
        if each.is_complete and each.moment == since:
            whole.update(each.applications)
        elif not each.is_complete and each.moment > since:
            for key, application in each.applications.items():
                if key not in parts or parts[key][0] < each.moment:
                    parts[key] = each.moment, application
    return Heard(since, newest > register.listed, whole, parts)


def is_known(register: Register, told: Heard) -> bool:
    """Return whether the applications are those that are kept: at most the moment of the listing is to be written."""
    if told.parts:
        return False
    if told.replaces:
        return register.added == 0 and register.digest == told.digest
    return not told.whole or register.digest == told.digest


def unchanged(register: Register, told: Heard) -> Register:
    """Return what to keep when the applications are known."""
    return Register(told.since, register.digest, register.added)


def change(register: Register, members: Members, told: Heard) -> Change:
    """Return what to write so that the applications are those that all listings come to."""
    stays = {
        key: moment
        for key, moment in members.items()
        if (moment is None and not told.replaces) or (moment is not None and moment > told.since)
    }
    after: dict[UUID, Moment | None] = {**dict.fromkeys(told.whole), **stays}
    for key, (moment, _) in told.parts.items():
        known = after.get(key)
        after[key] = moment if known is None else max(known, moment)
    named = {**told.whole, **{key: application for key, (_, application) in told.parts.items()}}
    return Change(
        Register(told.since, _digest(register, told), sum(moment is not None for moment in after.values())),
        gone=sorted(members.keys() - after.keys(), key=_number),
        put=[
            (key, named[key], after[key])
            for key in sorted(named, key=_number)
            if key not in members or members[key] != after[key]
        ],
    )


def _digest(register: Register, told: Heard) -> bytes:
    """Return the digest of the complete listing; of one whose parts came in several batches nothing is known."""
    if told.replaces:
        return told.digest
    return register.digest if not told.whole or told.digest == register.digest else UNKNOWN


def listings_of(facts: Iterable[Fact]) -> list[Listing]:
    """Return the listings among facts."""
    return [found for each in facts if (found := listing(each)) is not None]


def _number(key: UUID) -> int:
    return key.int
