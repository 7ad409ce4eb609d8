"""A process that is told to die at a labelled point dies there, at that passage, and nowhere else."""

import signal
import subprocess
import sys

import pytest

from chassis.errors import WrongSetting
from chassis.settings import Settings, read

PASSES = """
import sys
from chassis import points
points.arm(sys.argv[1])
for number in range(3):
    points.reached("somewhere else")
    points.reached("after the act")
    print(number, flush=True)
"""


def _run(armed: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", PASSES, armed], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("armed", "passed", "code"),
    [
        pytest.param("", "0 1 2", 0, id="not armed"),
        pytest.param("no such point", "0 1 2", 0, id="a point that is not on the way"),
        pytest.param("after the act", "", -signal.SIGKILL, id="the first passage"),
        pytest.param("after the act:3", "0 1", -signal.SIGKILL, id="the third passage"),
        pytest.param("after the act:4", "0 1 2", 0, id="a passage that never comes"),
    ],
)
def test_a_process_dies_at_its_point_and_at_no_other(armed: str, passed: str, code: int) -> None:
    done = _run(armed)

    assert (done.stdout.split(), done.returncode) == (passed.split(), code)


@pytest.mark.parametrize(
    ("armed", "environment", "reason"),
    [
        pytest.param("after the act", "production", "PATCHLINE_DIE_AT must not be set", id="in production"),
        pytest.param("after the act:0", "local", "PATCHLINE_DIE_AT", id="the passage before the first"),
        pytest.param("after the act:often", "local", "PATCHLINE_DIE_AT", id="a passage that is no number"),
    ],
)
def test_a_point_is_refused_by_the_settings(
    armed: str, environment: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"DATABASE_URL": "postgresql://r@h/d", "ENVIRONMENT": environment, "DIE_AT": armed}.items():
        monkeypatch.setenv(f"PATCHLINE_{name}", value)

    with pytest.raises(WrongSetting, match=reason):
        read(Settings)
