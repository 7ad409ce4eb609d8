"""What a client's machines lack, put together by class and with what is known of it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.events.event import Tier
from services.compliance.catalog.model import Catalog
from services.compliance.policy import Policy
from services.compliance.priority.rules_priority import Machines, Need, cves_of, lacking, machines_of

Key = tuple[UUID, str, str]
"""Requirement, release, class of machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Machines of one client with the same tags that lack the same. `since`: when the first of their clocks began."""

    requirement_id: UUID
    release: str
    tier: Tier
    tags: tuple[str, ...]
    ephi: bool | None
    since: datetime | None
    open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A need on a class of machines, on how many, and when the first of their clocks began."""

    need: Need
    machines: Machines
    since: datetime | None
    open: int


def wanted(groups: Iterable[Group], *, policy: Policy, catalog: Catalog) -> dict[Key, Wanted]:
    """Return what is to be decided. Groups that differ in tags that nothing asks for are one.

    What the catalog does not have any more is left out: its obligations are withdrawn within seconds.
    """
    together: dict[Key, tuple[Machines, datetime | None, int]] = {}
    for group in groups:
        machines = machines_of(group.tier, group.tags, ephi=group.ephi, words=policy.tags)
        key = group.requirement_id, group.release, machines.key
        _, since, count = together.get(key, (machines, group.since, 0))
        together[key] = machines, _earlier(since, group.since), count + group.open
    found: dict[Key, Wanted] = {}
    for key, (machines, since, count) in together.items():
        requirement = catalog.requirements.get(key[0])
        releases = lacking(requirement, key[1], since) if requirement else ()
        if requirement is None or not releases:
            continue
        need = Need(
            requirement=requirement,
            release=requirement.release(key[1]),
            risk=catalog.intelligence.risk_of(cves_of(releases)),
        )
        found[key] = Wanted(need=need, machines=machines, since=since, open=count)
    return found


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
