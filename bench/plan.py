"""How much each stage does: `quick` to see that all of them run, `ordinary` to compare, `full` for the long ones."""

from dataclasses import dataclass
from typing import Final

from bench.lanes import FULL as WHOLE_RESYNC
from bench.lanes import REDUCED as SMALL_RESYNC
from bench.lanes import Size
from bench.storm import FULL as WHOLE_STORM
from bench.storm import QUICK as GUST
from bench.storm import REDUCED as SMALL_STORM
from bench.storm import StormSize


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The sizes of one run. Stages named in `without` are not in it, unless they are asked for by their name.

    The rows of those named in `reduced` are marked: they have fewer rounds or less to do than they should. No stage
    begins later than `latest_seconds` after the run did, and none goes on when `bound_seconds` are over.
    """

    command: str
    without: frozenset[str] = frozenset()
    reduced: frozenset[str]
    latest_seconds: float
    bound_seconds: float
    rounds: int
    accept_seconds: int
    state_events: int
    relay_records: int
    fan_in_rounds: int
    fan_in_events: int
    growth_assets: int
    growth_rounds: int
    growth_events: int
    backlog_events: int
    rest_events: int
    obliged_machines: int
    obliged_rounds: int
    obliged_devices: int
    obliged_by_two: bool
    bodies_rounds: int
    rebuilt_rounds: int
    start_rounds: int
    quiet_seconds: float
    thread_seconds: int
    memory_events: int
    lanes: Size
    storm: StormSize


ALL: Final = frozenset(
    {
        *("accept", "relay", "state", "fan_in", "growth", "catch_up", "obliged"),
        *("thread", "bodies", "rebuilt", "start", "memory", "lanes", "storm"),
    }
)
"""Every stage there is."""

QUICK: Final = Plan(
    command="make bench-quick",
    without=frozenset({"fan_in", "growth", "catch_up", "rebuilt", "memory", "lanes", "storm"}),
    reduced=ALL,
    latest_seconds=70,
    bound_seconds=82,
    rounds=1,
    accept_seconds=1,
    state_events=5_000,
    relay_records=5_000,
    fan_in_rounds=1,
    fan_in_events=5_000,
    growth_assets=20_000,
    growth_rounds=1,
    growth_events=5_000,
    backlog_events=20_000,
    rest_events=5_000,
    obliged_machines=0,
    obliged_rounds=1,
    obliged_devices=100,
    obliged_by_two=False,
    bodies_rounds=1,
    rebuilt_rounds=1,
    start_rounds=1,
    quiet_seconds=2,
    thread_seconds=5,
    memory_events=10_000,
    lanes=SMALL_RESYNC,
    storm=GUST,
)
ORDINARY: Final = Plan(
    command="make bench",
    reduced=ALL - {"accept", "relay", "state", "bodies"},
    latest_seconds=440,
    bound_seconds=470,
    rounds=5,
    accept_seconds=2,
    state_events=10_000,
    relay_records=20_000,
    fan_in_rounds=1,
    fan_in_events=10_000,
    growth_assets=100_000,
    growth_rounds=2,
    growth_events=10_000,
    backlog_events=100_000,
    rest_events=25_000,
    obliged_machines=10_000,
    obliged_rounds=1,
    obliged_devices=1_000,
    obliged_by_two=True,
    bodies_rounds=5,
    rebuilt_rounds=1,
    start_rounds=1,
    quiet_seconds=10,
    thread_seconds=20,
    memory_events=10_000,
    lanes=SMALL_RESYNC,
    storm=SMALL_STORM,
)
FULL: Final = Plan(
    command="make bench-full",
    reduced=frozenset(),
    latest_seconds=3_300,
    bound_seconds=3_540,
    rounds=5,
    accept_seconds=4,
    state_events=20_000,
    relay_records=50_000,
    fan_in_rounds=5,
    fan_in_events=50_000,
    growth_assets=1_000_000,
    growth_rounds=5,
    growth_events=20_000,
    backlog_events=1_000_000,
    rest_events=50_000,
    obliged_machines=50_000,
    obliged_rounds=5,
    obliged_devices=1_000,
    obliged_by_two=True,
    bodies_rounds=20,
    rebuilt_rounds=20,
    start_rounds=5,
    quiet_seconds=120,
    thread_seconds=60,
    memory_events=1_000_000,
    lanes=WHOLE_RESYNC,
    storm=WHOLE_STORM,
)
