"""A load of tickets with a ledger of its own: each matter fails, fails elsewhere too, is mended, and fails again.

Every step waits until the step before is told on `tickets`, so what must stand in the tracker in the end is certain,
whatever dies on the way.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.ticket import (
    TicketAppended,
    TicketEvent,
    TicketOpened,
    TicketParked,
    TicketReopened,
    TicketResolved,
)
from patchline.demo.check import Check, compared, with_wrong
from patchline.demo.subscriber import Seen
from patchline.demo.tracker import Issue
from simulators.deliveries import Delivery, Nature
from simulators.fleet import Source

SOURCE: Final = Source(vendor="patchline", name="desk", polls=False)
CLIENT: Final = "Desk Storm"
PRODUCT: Final = "Storm"
LOOK_SECONDS: Final = 0.2
MOST_AT_ONCE: Final = 10
SENT_AGAIN: Final = 4
"""Every so many deliveries one is sent twice, as vendors do."""

Send = Callable[[Sequence[Delivery]], Awaitable[None]]
Clock = Callable[[], datetime]


@dataclass(slots=True)
class Matter:
    """One program that two devices cannot update, and how many of its steps were accepted."""

    number: int
    sent: int = 0

    @property
    def patch(self) -> str:
        """Return the id of the update."""
        return f"storm-{self.number:05}"

    @property
    def key(self) -> str:
        """Return the key of its one ticket."""
        subject = ids.uncatalogued_subject(PRODUCT, self.patch)
        return ids.ticket_key(ids.tenant_id(CLIENT), "failed_uncatalogued", subject, 1)

    @property
    def devices(self) -> tuple[str, str]:
        """Return the devices that fail."""
        return f"storm-{self.number:05}-a", f"storm-{self.number:05}-b"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to which of a matter's two devices, and what `tickets` must tell then."""

    kind: str
    devices: tuple[int, ...]
    told: type[TicketEvent]


STEPS: Final = (
    Step("patch.install_failed", (0,), TicketOpened),
    Step("patch.install_failed", (1,), TicketAppended),
    Step("patch.install_reported", (0, 1), TicketResolved),
    Step("patch.install_failed", (0,), TicketReopened),
)
"""A ticket is opened, noted, resolved and opened again: one note each, and never a second ticket."""


@dataclass(slots=True)
class Desk:
    """Plays matters side by side, through `send`, as the topic `tickets` tells how far each is."""

    send: Send
    seen: Seen
    clock: Clock
    matters: list[Matter] = field(default_factory=list)
    caught_up: set[str] = field(default_factory=set)
    """Tickets whose steps were handled again without the waiting in between: of these several steps may be said in one
    note more, and one be brought to its state anew; the same failure told twice is one too many (ADR 0022)."""
    _deliveries: int = 0

    def note_restore(self) -> None:
        """Remember the tickets of this moment: what is begun later is judged as strictly as ever."""
        self.caught_up |= {matter.key for matter in self.matters}

    async def play(self, stopping: asyncio.Event, *, every_seconds: float) -> None:
        """Begin another matter so often, until `stopping`; then no step is begun any more.

        Not more than `MOST_AT_ONCE` are under way: on a slow machine each of them shall come to its end.
        """
        under_way: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as tasks:
            while not stopping.is_set():
                if len(under_way) < MOST_AT_ONCE:
                    matter = Matter(len(self.matters) + 1)
                    self.matters.append(matter)
                    task = tasks.create_task(self._play(matter, stopping))
                    under_way.add(task)
                    task.add_done_callback(under_way.discard)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), every_seconds)

    async def _play(self, matter: Matter, stopping: asyncio.Event) -> None:
        for step in STEPS:
            if stopping.is_set():
                return
            matter.sent += 1
            await self.send(list(self._deliveries_of(matter, step)))
            while not self._is_told(matter, step) and not stopping.is_set():
                await asyncio.sleep(LOOK_SECONDS)

    def _deliveries_of(self, matter: Matter, step: Step) -> Iterator[Delivery]:
        for device in step.devices:
            delivery = self._delivery(matter, step, device)
            yield delivery
            if self._deliveries % SENT_AGAIN == 0:
                yield delivery

    def _is_told(self, matter: Matter, step: Step) -> bool:
        return any(isinstance(each.data, step.told) for each in self.seen.tickets.get(matter.key, ()))

    def _delivery(self, matter: Matter, step: Step, device: int) -> Delivery:
        self._deliveries += 1
        told: dict[str, Any] = {"device": matter.devices[device], "organisation": CLIENT}
        told["patch"] = {"patch": matter.patch, "product": PRODUCT, "title": f"Storm {matter.number}"}
        body = {"type": step.kind, "timestamp": self.clock().isoformat(), "data": told}
        return Delivery(
            nature=Nature.TRUE,
            name=step.kind,
            source=SOURCE,
            body=json.dumps(body).encode(),
            delivery_id=f"msg_desk_{self._deliveries}",
        )

    def checks(self, seen: Seen, issues: Sequence[Issue]) -> Iterable[Check]:
        """Compare the tracker and the topic `tickets` with what was sent."""
        mine = {matter.key: matter for matter in self.matters if matter.sent}
        own = [issue for issue in issues if issue.client == CLIENT]
        tickets = compared("tickets of the storm", Counter(mine.keys()), Counter(each.key for each in own), str)
        wrong = [line for issue in own if issue.key in mine for line in _wrong(mine[issue.key], issue)]
        wrong += [
            f"{key}: parked: {each.data.reason}"
            for key in mine
            for each in once(seen.tickets.get(key, ()))
            if isinstance(each.data, TicketParked)
        ]
        yield with_wrong(tickets, wrong)
        expected = Counter((matter.key, step.told.TYPE) for matter in mine.values() for step in STEPS[: matter.sent])
        told = Counter((key, each.data.TYPE) for key in mine for each in once(seen.tickets.get(key, ())))
        notes = Counter({key: matter.sent for key, matter in mine.items()})
        found = Counter({each.key: len(each.notes) for each in own})
        for each in [each for each in told if each[0] in self.caught_up]:
            told[each] = min(told[each], expected[each])
        for issue in [issue for issue in own if issue.key in self.caught_up]:
            found[issue.key] = self._without_summaries(notes[issue.key], issue.notes)
        yield compared("told of the storm's tickets", expected, told, str)
        yield compared("notes of the storm", notes, found, str)

    @staticmethod
    def _without_summaries(expected: int, notes: Sequence[str]) -> int:
        """Return how many notes there are, at most so many; each failure told in the same words again counts."""
        failing = [note for note in notes if note.startswith("Failing")]
        return min(len(notes), expected) + len(failing) - len(set(failing))


def once(told: Iterable[Envelope]) -> list[Envelope]:
    """Return each event once, by its id: a repeat on the topic is the same event."""
    return list({each.id: each for each in told}.values())


def _wrong(matter: Matter, issue: Issue) -> list[str]:
    is_open = STEPS[matter.sent - 1].told is not TicketResolved
    listed = set(matter.devices[: min(matter.sent, 2)])
    lines = []
    if issue.is_open is not is_open:
        lines.append(f"{issue.title}: open is {issue.is_open} after {matter.sent} steps")
    if set(issue.devices) != listed:
        lines.append(f"{issue.title}: lists {sorted(issue.devices)}, should list {sorted(listed)}")
    return lines
