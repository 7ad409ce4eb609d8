"""What another policy would do to what a client owes, decided exactly and kept nowhere."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from chassis.postgres import Connection
from contracts.events.obligation import OUTSIDE_POPULATION, State
from services.compliance import store_assets
from services.compliance.evaluation import InHand, known_of
from services.compliance.policy import Policy
from services.compliance.rules_cause import Scope, passed
from services.compliance.rules_known import Bench
from services.compliance.rules_outcome import outcome
from services.compliance.rules_rows import Obligation
from services.compliance.store_catalog import CatalogShelf

AT_ONCE: Final = 500
CLOSED: Final = OUTSIDE_POPULATION | {State.VERIFIED}


class Move(StrEnum):
    """What would become of one open obligation."""

    EARLIER = "earlier"
    LATER = "later"
    CLOCK_BEGINS = "clock_begins"
    CLOCK_ENDS = "clock_ends"
    OVERDUE_AT_ONCE = "overdue_at_once"
    LEAVES_POPULATION = "leaves_population"


@dataclass(frozen=True, slots=True)
class Preview:
    """How many obligations are open now, and how many of them would move how; one may move in two ways."""

    open: int
    moves: Counter[Move]


async def preview(
    tx: Connection, tenant_id: UUID, policy: Policy, now: datetime, *, show: Callable[[int], None]
) -> Preview:
    """Return what `policy` would do to the client's open obligations. `show` is told how many assets were looked at.

    `tx` reads compliance's own tables; nothing is locked or changed.
    """
    catalog = await CatalogShelf().newest(tx)
    bench = Bench(catalog=catalog, policy=policy, now=now)
    is_open, moves, seen, last = 0, Counter[Move](), 0, UUID(int=0)
    while assets := await store_assets.of_tenant(tx, tenant_id, last, AT_ONCE):
        last, seen = assets[-1].asset_id, seen + len(assets)
        scope = Scope()
        for each in assets:
            scope.add_asset(each.asset_id, passed(now))
        known = await known_of(tx, assets, scope, bench, in_hand=InHand())
        after = {(each.asset_id, each.requirement_id): each for each in outcome(known, scope, bench).obligations}
        for before in (each for of_asset in known for each in of_asset.obligations.values()):
            if before.state not in CLOSED:
                is_open += 1
                moves.update(_moves(before, after.get((before.asset_id, before.requirement_id), before), now))
        show(seen)
    return Preview(is_open, moves)


def _moves(before: Obligation, after: Obligation, now: datetime) -> list[Move]:
    if after.state in OUTSIDE_POPULATION:
        return [Move.LEAVES_POPULATION]
    old, new = before.due_at, after.due_at
    if old == new:
        return []
    if new is None:
        return [Move.CLOCK_ENDS]
    at_once = [Move.OVERDUE_AT_ONCE] if new <= now and (old is None or old > now) else []
    if old is None:
        return [Move.CLOCK_BEGINS, *at_once]
    return [Move.EARLIER if new < old else Move.LATER, *at_once]
