"""What counts as harm, what the file for machines holds, and that a run ends in time."""

import json
import time
from pathlib import Path

import pytest

from faults.bound import TookTooLong, bounded
from faults.registry import FAULTS, chosen
from faults.report import LATE_SECONDS, Injured, write
from faults.size import Size


@pytest.mark.parametrize(
    ("row", "is_good"),
    [
        pytest.param(Injured(fault="f", injected=3, recovered_s=1.5), True, id="injected and no harm"),
        pytest.param(Injured(fault="f", injected=0, recovered_s=0), False, id="could not be injected"),
        pytest.param(Injured(fault="f", injected=3, recovered_s=1, lost=1), False, id="something is lost"),
        pytest.param(Injured(fault="f", injected=3, recovered_s=1, doubled=1), False, id="something is doubled"),
        pytest.param(Injured(fault="f", injected=3, recovered_s=1, wrong=1), False, id="something is wrong"),
        pytest.param(Injured(fault="f", injected=3, recovered_s=LATE_SECONDS), False, id="something is late"),
    ],
)
def test_harm_is_anything_lost_doubled_or_wrong_or_not_tried(row: Injured, *, is_good: bool) -> None:
    assert row.is_good is is_good


def test_the_file_is_a_list_of_rows_without_totals(tmp_path: Path) -> None:
    write(tmp_path / "reports" / "faults.json", [Injured(fault="kill -9", injected=7, recovered_s=2.5)])

    assert json.loads((tmp_path / "reports" / "faults.json").read_text()) == [
        {"fault": "kill -9", "injected": 7, "recovered_s": 2.5, "lost": 0, "doubled": 0, "wrong": 0}
    ]


def test_a_run_that_takes_too_long_is_ended() -> None:
    started = time.monotonic()

    with pytest.raises(TookTooLong), bounded(0.05):
        time.sleep(5)

    assert time.monotonic() - started < 2


def test_a_fault_is_asked_for_by_its_name() -> None:
    assert [fault.name for fault in chosen(["kills"])] == ["kills"]
    assert chosen([], Size.FULL) == list(FAULTS)
    assert [fault.name for fault in chosen([], Size.QUICK)] == [fault.name for fault in FAULTS if fault.in_quick]
    with pytest.raises(ValueError, match="no fault is called flood; there are: "):
        chosen(["flood"])
