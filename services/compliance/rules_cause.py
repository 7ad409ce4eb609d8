"""Why something is decided anew, and the ids of what follows from it. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.event import Event
from contracts.order import effective_at
from contracts.topics import Lane

SOURCE: Final = "patchline/compliance"
"""The CloudEvents source of what compliance publishes."""


class Cause(NamedTuple):
    """An event, a loaded catalog, or (`id` is `None`) a moment that passed."""

    time: datetime
    received: datetime
    id: UUID | None = None
    traceparent: str | None = None
    correlation: str | None = None
    lane: Lane = Lane.LIVE

    def is_after(self, other: "Cause") -> bool:
        """Return whether it is the later one, which is named; of two at one moment the larger id."""
        mine, theirs = effective_at(self.time, self.received), effective_at(other.time, other.received)
        return mine > theirs or (mine == theirs and str(self.id or "") > str(other.id or ""))


def cause_of(event: Envelope) -> Cause:
    """Return an event as a cause."""
    return Cause(event.time, event.received, event.id, event.traceparent, event.correlation, event.lane)


def passed(at: datetime) -> Cause:
    """Return the passing of a moment as a cause."""
    return Cause(at, at)


def envelope(cause: Cause, content: Event, *, asset_id: UUID, tenant_id: UUID, about: str) -> Envelope:
    """Return what follows from `cause` for one part (`about`) of an asset; said again it is the same event."""
    asset = str(asset_id)
    subject = f"{asset}/{about}"
    return Envelope(
        id=ids.timer_fact_id(subject, content.TYPE, cause.time)
        if cause.id is None
        else ids.fact_id(cause.id, content.TYPE, subject),
        source=SOURCE,
        subject=asset,
        time=cause.time,
        received=cause.received,
        tenant=tenant_id,
        causation=cause.id,
        correlation=cause.correlation,
        traceparent=cause.traceparent,
        lane=cause.lane,
        data=content,
    )


Part = tuple[UUID, UUID]
"""An asset, and a requirement or patch of it."""


@dataclass(slots=True)
class Scope:
    """What to decide anew, and why: whole assets, single obligations, single patches that no catalog knows.

    `continues_on` says of an asset that a device left just now which one that device belongs to instead.
    """

    assets: dict[UUID, Cause] = field(default_factory=dict)
    obligations: dict[Part, Cause] = field(default_factory=dict)
    patches: dict[Part, Cause] = field(default_factory=dict)
    continues_on: dict[UUID, UUID] = field(default_factory=dict)

    def add_asset(self, asset_id: UUID, cause: Cause) -> None:
        """Decide everything of an asset."""
        self.assets[asset_id] = _latest([self.assets.get(asset_id), cause])

    def add_obligation(self, asset_id: UUID, requirement_id: UUID, cause: Cause) -> None:
        """Decide one obligation."""
        part = asset_id, requirement_id
        self.obligations[part] = _latest([self.obligations.get(part), cause])

    def add_patch(self, asset_id: UUID, patch_id: UUID, cause: Cause) -> None:
        """Look at one patch that no catalog knows."""
        part = asset_id, patch_id
        self.patches[part] = _latest([self.patches.get(part), cause])

    @property
    def asset_ids(self) -> list[UUID]:
        """Return every asset concerned, sorted."""
        return sorted({*self.assets, *(asset for asset, _ in self.obligations), *(asset for asset, _ in self.patches)})

    def cause(self, part: Part) -> Cause:
        """Return the latest cause to look at one part of an asset."""
        return _latest([self.assets.get(part[0]), self.obligations.get(part), self.patches.get(part)])


def _latest(causes: list[Cause | None]) -> Cause:
    """Return the latest; of two that are equally late the first. Most parts have one cause, which is not compared."""
    latest: Cause | None = None
    for cause in causes:
        if cause is None or cause is latest:
            continue
        if latest is None or cause.is_after(latest):
            latest = cause
    if latest is None:
        raise ValueError("nothing was a cause")
    return latest
