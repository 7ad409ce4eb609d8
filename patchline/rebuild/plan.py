"""What the rebuild of one service consists of."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from chassis.batch import Handler
from chassis.postgres import Connection
from contracts.envelope import Envelope
from patchline.rebuild.comparing import Table
from patchline.rebuild.logs import Logs
from patchline.rebuild.reader import Lost
from patchline.rebuild.rules import Counts
from patchline.rebuild.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Settling:
    """What finishing a rebuilt state needs, while the service is locked out. `now` is the moment of all decisions."""

    sessions: Sessions
    logs: Logs
    lost: Lost
    counts: Counts
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one service is rebuilt.

    `tables` are derived: rebuilt, compared and swapped. `also_compared` are derived and stay. `copied` are not derived,
    but looked at while deciding. `locked` are all that the service writes, its watermark first; `hold` locks out one
    more. `stamps` takes recorded times over from the live history into what was folded just now; `ledger` says which
    histories tell what the raw records lost. `ready` names what the service must finish first. `settle` makes what is
    left once all facts are folded; `compare_more` compares what stays; `after` leaves the service its work, in the
    transaction of the swap and as the service's writer.
    """

    service: str
    tables: Sequence[Table]
    also_compared: Sequence[Table]
    copied: Sequence[str]
    locked: Sequence[str]
    handler: Handler[Envelope]
    stamps: LiteralString
    hold: LiteralString | None
    ledger: Sequence[tuple[str, LiteralString]]
    ready: Callable[[Sessions], Awaitable[str | None]]
    settle: Callable[[Settling], Awaitable[None]]
    compare_more: Callable[[Connection], Awaitable[None]]
    after: Callable[[Connection], Awaitable[None]]
