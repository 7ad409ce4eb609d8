"""Who runs on which cores."""

import os
import subprocess
import sys

import pytest

from bench.pinned import keep, running_on, shared_out


@pytest.mark.parametrize(
    ("cores", "stage", "around"),
    [
        pytest.param({0}, None, None, id="one"),
        pytest.param({0, 1, 2}, None, None, id="three are too few"),
        pytest.param({0, 1, 2, 3}, {2, 3}, {0, 1}, id="four"),
        pytest.param({1, 3, 5, 7, 9}, {5, 7, 9}, {1, 3}, id="an odd number"),
    ],
)
def test_the_stage_has_half_of_the_cores_where_there_are_enough(
    cores: set[int], stage: set[int] | None, around: set[int] | None
) -> None:
    found = shared_out(cores)

    assert (found.stage, found.around) == (stage, around)


def test_cores_are_kept_for_so_long_and_given_back() -> None:
    before = os.sched_getaffinity(0)

    with running_on({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}

    assert os.sched_getaffinity(0) == before


def test_a_process_is_kept_together_with_what_it_started() -> None:
    core = min(os.sched_getaffinity(0))
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        keep(process.pid, {core})

        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:  # noqa: PTH123 - of the kernel's
            [started] = file.read().split()
        assert (os.sched_getaffinity(process.pid), os.sched_getaffinity(int(started))) == ({core}, {core})
        process.communicate(b"\n")
