"""Every row of every preset over a month's end, a leap day and both changes of the clocks, in four zones.

golden_deadlines.csv was made by the C library's calendar and time zones, not by what it checks.
"""

import csv
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from services.compliance.clocks.durations import written
from services.compliance.policies import preset
from services.compliance.policies.compile import regime_of
from services.compliance.rules_deadline import deadline
from services.compliance.zones import use_shipped_zones
from tests.compliance.policies.rows import shipped

use_shipped_zones()

GOLDEN: Final = tuple(csv.DictReader((Path(__file__).parent / "golden_deadlines.csv").open(encoding="utf-8")))
SECOND: Final = timedelta(seconds=1)


@pytest.mark.parametrize("name", preset.NAMES)
def test_each_row_is_due_to_the_second_on_every_night(name: str) -> None:
    rules = [each for each in regime_of(shipped(name)).rules if each.within is not None]
    for night in GOLDEN:
        zone = ZoneInfo(night["zone"])
        start = datetime.fromisoformat(night["starts_on_the_wall"]).replace(tzinfo=zone)
        for rule in rules:
            assert rule.within is not None
            golden = datetime.fromisoformat(night[written(rule.within)])

            found = [
                deadline(start + shift, rule.within, zone, ends_with_day=rule.ends_with_day)
                for shift in (-SECOND, timedelta(), SECOND)
            ]

            assert found == [golden - SECOND, golden, golden + SECOND], (night["night"], night["zone"], rule.id)


def test_the_nights_are_those_that_go_wrong_in_each_zone() -> None:
    zones = {"America/New_York", "Europe/Berlin", "Australia/Sydney"}

    assert {(each["night"], each["zone"]) for each in GOLDEN} == {
        *((night, zone) for night in ("month end", "leap day", "spring", "autumn") for zone in zones),
        *((night, "America/Phoenix") for night in ("month end", "leap day", "no change")),
    }
