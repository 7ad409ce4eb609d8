"""Cores are scarce where a process waits longer for one than it runs; what the kernel does not tell is no reason."""

import time
from pathlib import Path

import pytest

from chassis.cores import LEAST_NANOSECONDS, LOOK_SECONDS, TOLD, Cores, are_scarce

MS = 1_000_000


@pytest.mark.parametrize(
    ("ran", "waited", "were", "scarce"),
    [
        pytest.param(20, 10, False, False, id="it ran longer"),
        pytest.param(10, 10, False, False, id="as long"),
        pytest.param(10, 11, False, True, id="it waited longer"),
        pytest.param(0, 10, False, True, id="it only waited"),
        pytest.param(10, 10, True, True, id="as long, where they were"),
        pytest.param(10, 6, True, True, id="more than half as long, where they were"),
        pytest.param(10, 5, True, False, id="half as long, where they were"),
        pytest.param(10, 0, True, False, id="it only ran, where they were"),
    ],
)
def test_cores_are_scarce_from_when_it_waits_longer_than_it_runs_until_it_waits_half_as_long(
    ran: int, waited: int, *, were: bool, scarce: bool
) -> None:
    assert are_scarce(ran * MS, waited * MS, were=were) == scarce


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


@pytest.fixture
def told(tmp_path: Path) -> Path:
    file = tmp_path / "schedstat"
    file.write_text(f"{900 * MS} {50 * MS} 1234\n")
    return file


def test_what_counts_is_what_came_since_the_last_look(told: Path, now: list[float]) -> None:
    cores = Cores(told)
    told.write_text(f"{910 * MS} {80 * MS} 1300\n")

    soon = cores.are_scarce
    now[0] += LOOK_SECONDS
    later = cores.are_scarce
    told.write_text(f"{990 * MS} {90 * MS} 1400\n")
    now[0] += LOOK_SECONDS

    assert (soon, later, cores.are_scarce) == (False, True, False)


def test_what_is_too_little_to_say_is_looked_at_with_what_comes_next(told: Path, now: list[float]) -> None:
    cores = Cores(told)
    little = LEAST_NANOSECONDS // 2
    told.write_text(f"{900 * MS} {50 * MS + little} 1300\n")
    now[0] += LOOK_SECONDS
    first = cores.are_scarce
    told.write_text(f"{900 * MS} {50 * MS + 2 * little} 1301\n")
    now[0] += LOOK_SECONDS
    second = cores.are_scarce
    told.write_text(f"{900 * MS + little} {50 * MS + 2 * little} 1302\n")
    now[0] += LOOK_SECONDS

    assert (first, second, cores.are_scarce) == (False, True, True)


@pytest.mark.parametrize("content", [None, "", "not a number", "1"], ids=["no file", "empty", "no numbers", "too few"])
def test_where_the_kernel_does_not_tell_they_are_never_scarce(
    content: str | None, told: Path, now: list[float]
) -> None:
    cores = Cores(told)
    told.unlink() if content is None else told.write_text(content)
    now[0] += LOOK_SECONDS

    assert not cores.are_scarce


@pytest.mark.skipif(not TOLD.exists(), reason="this kernel does not tell how long a process waited")
def test_the_kernel_tells_how_long_this_process_ran() -> None:
    before = int(TOLD.read_text().split()[0])
    until = time.process_time() + 0.02
    while time.process_time() < until:
        sum(range(1000))

    assert int(TOLD.read_text().split()[0]) - before >= 0.01 * 1e9
