"""How much each stage does: `quick` to see that all of them run, `ordinary` to compare, `full` for the long ones."""

from dataclasses import dataclass
from typing import Final

from bench.lanes import FULL as WHOLE_RESYNC
from bench.lanes import REDUCED as SMALL_RESYNC
from bench.lanes import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes of one run. `note` marks a row of it whose stage has fewer rounds or less to do than it should.

    `sustained_events` is 0 where how memory grows is not looked at, `obliged_machines` 0 where the table is empty;
    `rebuilt_rounds` is 0 and `lanes` is `None` where a rebuild and a resync would take too long. No stage begins later
    than `latest_seconds` after the run did.
    """

    note: str = ""
    latest_seconds: float
    rounds: int
    accept_seconds: int
    state_events: int
    sustained_events: int
    relay_records: int
    obliged_machines: int
    obliged_rounds: int
    obliged_devices: int
    bodies_rounds: int
    rebuilt_rounds: int
    start_rounds: int
    thread_seconds: int
    lanes: Size | None


QUICK: Final = Plan(
    note=" (reduced)",
    latest_seconds=70,
    rounds=1,
    accept_seconds=1,
    state_events=5_000,
    sustained_events=0,
    relay_records=5_000,
    obliged_machines=0,
    obliged_rounds=1,
    obliged_devices=200,
    bodies_rounds=1,
    rebuilt_rounds=0,
    start_rounds=1,
    thread_seconds=5,
    lanes=None,
)
ORDINARY: Final = Plan(
    latest_seconds=420,
    rounds=5,
    accept_seconds=4,
    state_events=20_000,
    sustained_events=200_000,
    relay_records=20_000,
    obliged_machines=10_000,
    obliged_rounds=2,
    obliged_devices=1_000,
    bodies_rounds=5,
    rebuilt_rounds=2,
    start_rounds=3,
    thread_seconds=30,
    lanes=SMALL_RESYNC,
)
FULL: Final = Plan(
    latest_seconds=3_000,
    rounds=5,
    accept_seconds=4,
    state_events=20_000,
    sustained_events=1_000_000,
    relay_records=50_000,
    obliged_machines=50_000,
    obliged_rounds=5,
    obliged_devices=1_000,
    bodies_rounds=20,
    rebuilt_rounds=20,
    start_rounds=5,
    thread_seconds=60,
    lanes=WHOLE_RESYNC,
)
