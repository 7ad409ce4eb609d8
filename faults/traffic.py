"""A day's webhooks as bad senders and bad networks deliver them: ten times each, in no order at all, or never.

One whole day, judged three times. What is sent ten times, or in another order, must come to the same. What never comes
is found by the poller where the source can be asked; what its API does not show is nobody's to repair, and is told.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Final

from faults.report import Injured
from faults.rows import row_of
from faults.settling import QUIET_SECONDS
from faults.world import SEND_ATTEMPTS, World, mends
from patchline.demo import run
from simulators.deliveries import Delivery
from simulators.fleet import NINJAONE_MAIN
from simulators.ledger import Ledger, ledger
from simulators.script import NOW
from simulators.sender import Sender, Sent

TIMES: Final = 10
WINDOW: Final = 200
"""So many deliveries come in any order: more than are under way at once, and than most polls of a consumer bring."""

DROPPED: Final = 0.05
FEWEST_DROPPED: Final = 3
SENT_A_SECOND: Final = 40.0
COPIES_A_SECOND: Final = 120.0


async def injure(world: World) -> Sequence[Injured]:
    """Let a day come in ten times, in no order, and with gaps; judge after each, in the end all that the day was."""
    await world.desk_at_work()  # whose source is the last that the gateway comes to believe
    await world.morning_over()
    return [await _repeated(world), await _reordered(world), await _dropped(world)]


async def _repeated(world: World) -> Injured:
    """Send each delivery ten times, its copies among the others: every copy has its own signature of the same id."""
    taken = world.next_deliveries(world.size.of(quick=40, ordinary=150, full=len(world.rest) // 2))
    mixed = await sent_often(world, taken)
    for name in mixed:
        world.say(f"{name}: its copies were answered differently")
    return await _row(
        world, world.size.marked(f"each webhook {TIMES} times"), len(taken) * (TIMES - 1), wrong=len(mixed)
    )


async def sent_often(world: World, taken: Sequence[Delivery]) -> list[str]:
    """Send each of these ten times, in any order; return the names of those whose copies were answered differently."""
    copies = [each for each in taken for _ in range(TIMES)]
    world.rng.shuffle(copies)
    answers: dict[Delivery, list[Sent]] = {each: [] for each in taken}
    for each in await _sent(world, copies, seconds=len(copies) / COPIES_A_SECOND):
        answers[each.delivery].append(each)
    for delivery, told in answers.items():  # one in the ledger, which knows of no copies, with all its attempts
        world.stage.sent.append(Sent(delivery, told[0].status, sum(each.attempts for each in told)))
    return [each.name for each, told in answers.items() if len({one.status for one in told}) > 1]


async def _sent(world: World, deliveries: Sequence[Delivery], *, seconds: float) -> list[Sent]:
    sender = Sender(world.client, world.secrets, world.stage.clock, attempts=SEND_ATTEMPTS)
    return await sender.send_all(deliveries, seconds=seconds, on_sent=lambda _sent: None)


async def _reordered(world: World) -> Injured:
    """Send half of what is left and mends nothing in any order within a window, as fast as the gateway takes it."""
    taken = world.next_deliveries(sum(not mends(each) for each in world.rest) // 2)
    shuffled = _in_any_order(world, taken)
    moved = sum(before is not after for before, after in zip(taken, shuffled, strict=True))
    await world.send(shuffled, seconds=0)
    return await _row(world, f"webhooks in any order within {WINDOW}", moved)


def _in_any_order(world: World, deliveries: Sequence[Delivery]) -> list[Delivery]:
    shuffled: list[Delivery] = []
    for first in range(0, len(deliveries), WINDOW):
        window = list(deliveries[first : first + WINDOW])
        world.rng.shuffle(window)
        shuffled += window
    return shuffled


async def _dropped(world: World) -> Injured:
    """Send the rest of the day with gaps, what mends last; then let the source be polled in the evening, and judge."""
    left = world.last_deliveries()
    can_be_asked = sorted({each.delivery_id for each in left if _is_missed(each)})
    gone = set(world.rng.sample(can_be_asked, max(round(len(can_be_asked) * DROPPED), FEWEST_DROPPED)))
    sent = [each for each in left if each.delivery_id not in gone]
    for wave in ([each for each in sent if not mends(each)], [each for each in sent if mends(each)]):
        await world.send(_in_any_order(world, wave), seconds=len(wave) / SENT_A_SECOND)
    started = time.monotonic()
    await run.evening(world.stage)
    await run.last_look(world.stage)
    polled = time.monotonic() - started
    world.judge.is_day_over = True
    unseen = _unseen(world, [each for each in left if each.delivery_id in gone])
    says = f"{DROPPED:.0%} of webhooks never sent, then a poll; its API shows nothing of {unseen} obligations"
    return await _row(world, says, len(gone), more_seconds=polled)


def _is_missed(delivery: Delivery) -> bool:
    """Return whether a delivery tells something, and its source can be asked what it told."""
    return delivery.source == NINJAONE_MAIN and delivery.happening is not None


def _unseen(world: World, gone: Collection[Delivery]) -> int:
    """Return how many obligations stand otherwise than if everything had come, though the source was asked since."""
    accepted = [each.delivery for each in world.stage.sent if each.is_accepted]
    known, everything = _book(world, accepted), _book(world, [*accepted, *gone])
    return sum(known.standings.get(owed) != standing for owed, standing in everything.standings.items())


def _book(world: World, accepted: Collection[Delivery]) -> Ledger:
    return ledger(world.stage.plan, accepted, world.stage.polls, NOW)


async def _row(world: World, says: str, injected: int, *, wrong: int = 0, more_seconds: float = 0) -> Injured:
    """Judge; `recovered_s` is how long after the last delivery, and after the poll, everything was done."""
    started = time.monotonic()
    row = await row_of(world, says, injected=injected, recovered=0, wrong=wrong)
    seconds = max(time.monotonic() - started - QUIET_SECONDS, 0.0) + more_seconds
    return replace(row, recovered_s=round(seconds, 1))
