"""Which case an exposure belongs to: one open case per identity, and one reset per cooling period. Pure.

Source: the ten points of a safe forced reset in the project's references, number 2; issue "Exposed credentials".
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts import ids
from contracts.events.credential import AccountKind
from contracts.events.exposure import ExposureFound
from services.credentials.cases.records import Case, Evidence, Sighting, Strength, Verdict, Whose
from services.credentials.cases.rules_evidence import evidence_of, is_same, together


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is kept of one identity: its newest case, and every exposure of it with the number of its case."""

    newest: Case | None = None
    exposures: tuple[tuple[int, ExposureFound], ...] = ()


@dataclass(frozen=True, slots=True)
class Append:
    """The exposure belongs to a case that is there. `number` is that case's."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Open:
    """The exposure begins a case of this number."""

    number: int


def identity_key(whose: Whose) -> str:
    """Return what tells one identity of a client from another: directory and immutable id, else the login alone."""
    if whose.identity is None:
        return json.dumps(["login", "", whose.login], ensure_ascii=False, separators=(",", ":"))
    known = [whose.identity.directory, whose.identity.object_id]
    return json.dumps(known, ensure_ascii=False, separators=(",", ":"))


def place(sighting: Sighting, known: Known, *, cooling: timedelta, now: datetime) -> Append | Open:
    """Return where an exposure belongs.

    To the open case; to the case that has the same exposure already; to one that ended within the cooling period, if
    that one reset the account or knew as much already. Else it begins the next case; so does one that was exposed
    after a reset: whoever took it is still there.
    """
    newest = known.newest
    if newest is None:
        return Open(1)
    if newest.closed_at is None:
        return Append(newest.number, "the person's case is open")
    for number, found in reversed(known.exposures):
        if is_same(found, sighting.found):
            return Append(number, "the same exposure, told again")
    if is_cooling(newest, cooling=cooling, now=now) and not _tells_more(newest, sighting):
        return Append(newest.number, "the person's last case ended within the cooling period")
    return Open(newest.number + 1)


def is_cooling(newest: Case | None, *, cooling: timedelta, now: datetime) -> bool:
    """Return whether the newest case of a person ended within the cooling period."""
    return newest is not None and newest.closed_at is not None and now - newest.closed_at < cooling


def _tells_more(newest: Case, sighting: Sighting) -> bool:
    """Return whether an exposure shows what the closed case did not know, or what happened after its reset."""
    shown = evidence_of(sighting.found, received_at=sighting.cause.received_at)
    if shown.strength is Strength.WEAK:
        return False
    if newest.reset_at is not None:
        return sighting.found.exposed_at is not None and shown.at > newest.reset_at
    known = newest.evidence
    return known.strength is Strength.WEAK or shown.at > known.at or (shown.session and not known.session)


def begun(sighting: Sighting, whose: Whose, *, number: int, verdict: Verdict, dry_run: bool, now: datetime) -> Case:
    """Return the case that an exposure begins."""
    found, key, identity = sighting.found, identity_key(whose), whose.identity
    return Case(
        id=ids.case_id(sighting.tenant, key, number),
        tenant=sighting.tenant,
        key=key,
        number=number,
        login=whose.login,
        directory=None if identity is None else identity.directory,
        object_id=None if identity is None else identity.object_id,
        kind=AccountKind.UNKNOWN if identity is None else identity.kind,
        privileged=identity is not None and identity.privileged,
        evidence=evidence_of(found, received_at=sighting.cause.received_at),
        verdict=verdict,
        dry_run=dry_run,
        feed=found.feed,
        source=sighting.source,
        breach=found.breach,
        cause=sighting.cause,
        occurred_at=sighting.occurred_at,
        opened_at=now,
    )


def grown(case: Case, sighting: Sighting) -> Case:
    """Return the case with one more exposure. What is closed learns nothing new but the count."""
    more = replace(case, exposures=case.exposures + 1)
    if case.closed_at is not None:
        return more
    shown = evidence_of(sighting.found, received_at=sighting.cause.received_at)
    return replace(more, evidence=together(case.evidence, shown))


def strongest(sightings: Sequence[Sighting]) -> Evidence:
    """Return what several exposures of one person show together, whichever came first."""
    first, *others = [evidence_of(each.found, received_at=each.cause.received_at) for each in sightings]
    for each in others:
        first = together(first, each)
    return first
