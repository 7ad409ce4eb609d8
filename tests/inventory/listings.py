"""Listings of applications for the tests of inventory: anything, in any order, whole or in part."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from hypothesis import strategies as st

from contracts.envelope import Envelope
from contracts.events import rmm
from tests.builders import ACME, MINUTE, NOON, SOURCE, of_device


def listed(
    *names: str,
    device: str = "d1",
    at: datetime = NOON,
    complete: bool = True,
    listing: str | None = None,
    part: int = 0,
    tenant: UUID = ACME,
) -> Envelope:
    """Return an event that lists `names`; `name/version` gives a version."""
    applications = [
        rmm.Application(name=name.partition("/")[0], version=name.partition("/")[2] or None) for name in names
    ]
    event = rmm.ApplicationsListed(
        device=device, listing=listing or f"at {at:%H:%M}", complete=complete, applications=tuple(applications)
    )
    return of_device(
        event, at=at, tenant=tenant, event_id=None if part == 0 else UUID(int=part + int(at.timestamp()) * 10)
    )


@st.composite
def listings(draw: st.DrawFn, devices: Sequence[str] = ("d1",)) -> list[Envelope]:
    """Return distinct listings: some of one moment, some in parts, some of a device whose clock is ahead."""
    events: list[Envelope] = []
    for number in range(draw(st.integers(1, 8))):
        at = draw(st.sampled_from([NOON + minutes * MINUTE for minutes in range(5)]))
        device = draw(st.sampled_from(devices))
        complete = draw(st.booleans())
        for _ in range(draw(st.integers(1, 2))):
            names = draw(st.sets(st.sampled_from(["a/1", "a/2", "b", "c", "d"]), max_size=4))
            content = rmm.ApplicationsListed(
                device=device,
                listing=f"listing {number}",
                complete=complete,
                applications=tuple(
                    rmm.Application(name=each.partition("/")[0], version=each.partition("/")[2] or None)
                    for each in sorted(names)
                ),
            )
            event_id = UUID(int=len(events) + 1)
            events.append(of_device(content, at=at, received=NOON + 2 * MINUTE, source=SOURCE, event_id=event_id))
    return events
