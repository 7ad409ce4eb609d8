"""A service that ends is started again: at once, then after longer pauses, with the settings that were asked for."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from patchline.local.child import Child, Command
from patchline.stack.programs import Program
from patchline.stack.supervisor import NO_PAUSES, Pauses, Supervisor

SLEEPS = Program("sleeps", ("none",))


class Sleepers:
    """Starts a program that only waits, and remembers the added settings of each start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.children: dict[str, Child] = {}
        self.extras: list[Mapping[str, str] | None] = []

    def start_program(self, program: Program, extra: Mapping[str, str] | None = None) -> Child:
        self.extras.append(extra)
        child = Child(Command(name=program.name, argv=("/bin/sleep", "60"), log_path=self._folder / "log"))
        child.start()
        self.children[program.name] = child
        return child


@pytest.fixture
def sleepers(tmp_path: Path) -> Sleepers:
    starter = Sleepers(tmp_path)
    starter.start_program(SLEEPS)
    return starter


def _until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_service_is_started_again_and_its_death_is_known(sleepers: Sleepers) -> None:
    first = sleepers.children["sleeps"].pid
    supervisor = Supervisor(sleepers, [SLEEPS], say=lambda _line: None, pauses=NO_PAUSES)

    with supervisor.watching():
        assert supervisor.kill("sleeps")
        _until(lambda: len(sleepers.extras) == 2)

    assert [(death.program, death.exit_code) for death in supervisor.deaths] == [("sleeps", -9)]
    assert sleepers.children["sleeps"].pid != first
    sleepers.children["sleeps"].kill()


def test_added_settings_are_each_for_one_start(sleepers: Sleepers) -> None:
    supervisor = Supervisor(sleepers, [SLEEPS], say=lambda _line: None, pauses=NO_PAUSES)

    with supervisor.watching():
        supervisor.settings_of_next_starts("sleeps", {"PATCHLINE_DIE_AT": "here"}, {"PATCHLINE_DIE_AT": "there"})
        for starts in (2, 3, 4):
            supervisor.kill("sleeps")
            _until(lambda starts=starts: len(sleepers.extras) == starts)  # type: ignore[misc]  # bound at once

    assert sleepers.extras == [None, {"PATCHLINE_DIE_AT": "here"}, {"PATCHLINE_DIE_AT": "there"}, None]
    sleepers.children["sleeps"].kill()


def test_a_service_that_is_held_stays_down_until_it_is_released(sleepers: Sleepers) -> None:
    supervisor = Supervisor(sleepers, [SLEEPS], say=lambda _line: None, pauses=NO_PAUSES)

    with supervisor.watching():
        supervisor.hold("sleeps")
        supervisor.kill("sleeps")
        time.sleep(0.2)
        assert not sleepers.children["sleeps"].is_running
        supervisor.release("sleeps")
        _until(lambda: sleepers.children["sleeps"].is_running)

    assert len(supervisor.deaths) == 1
    sleepers.children["sleeps"].kill()


@pytest.mark.parametrize(
    ("deaths", "seconds"),
    [
        pytest.param(1, 0, id="the first is forgiven"),
        pytest.param(2, 0.5, id="the second waits a little"),
        pytest.param(4, 2, id="each waits twice as long"),
        pytest.param(40, 30, id="but never longer than the longest"),
    ],
)
def test_pauses_grow(deaths: int, seconds: float) -> None:
    assert Pauses().after(deaths) == seconds
