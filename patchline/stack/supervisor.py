"""Starts a service again when it ends, as an orchestrator does: at once, then after longer and longer pauses."""

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from patchline.local import Say
from patchline.local.child import Child
from patchline.stack.programs import Program

LOOK_SECONDS: Final = 0.02


class Starter(Protocol):
    """What starts the services: a `Stack`."""

    @property
    def children(self) -> Mapping[str, Child]:
        """Return the process that was last started for each program, by its name."""

    def start_program(self, program: Program, extra: Mapping[str, str] | None = None) -> Child:
        """Start one service, with settings added to its own, and return at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long a service stays down after it ended: nothing the first time, then `first_seconds`, doubling.

    One that ran for `steady_seconds` is forgiven what was before.
    """

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    steady_seconds: float = 10.0

    def after(self, deaths_in_a_row: int) -> float:
        """Return the pause after so many ends without a steady run between them."""
        if deaths_in_a_row <= 1:
            return 0.0
        return float(min(self.first_seconds * 2 ** (deaths_in_a_row - 2), self.longest_seconds))


NO_PAUSES: Final = Pauses(first_seconds=0, longest_seconds=0)


@dataclass(frozen=True, slots=True)
class Death:
    """A service ended. `at` is `time.monotonic()`; `exit_code` is negative where a signal ended it."""

    program: str
    at: float
    exit_code: int


@dataclass(slots=True)
class _Watched:
    """One service: since when it runs, how often in a row it ended too soon, and when it is due again."""

    program: Program
    started_at: float
    in_a_row: int = 0
    due_at: float | None = None
    is_held: bool = False


class Supervisor:
    """Watches the services of one stack. `deaths` has every end that it saw, in order."""

    def __init__(self, starter: Starter, programs: Sequence[Program], *, say: Say, pauses: Pauses = Pauses()) -> None:
        """Watch nothing before `watching`."""
        self._starter = starter
        self._say = say
        self._pauses = pauses
        self._watched = {program.name: _Watched(program, time.monotonic()) for program in programs}
        self._next_settings: defaultdict[str, deque[Mapping[str, str]]] = defaultdict(deque)
        self._lock = threading.RLock()
        self._is_over = threading.Event()
        self.deaths: list[Death] = []

    @contextmanager
    def watching(self) -> Iterator["Supervisor"]:
        """Start again whatever ends, for as long as the `with` block lasts."""
        thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            thread.join()

    def settings_of_next_starts(self, name: str, *settings: Mapping[str, str]) -> None:
        """Add the first of these to the settings of a service's next start, the second to those of the one after."""
        with self._lock:
            self._next_settings[name] = deque(settings)

    def are_settings_left(self, name: str) -> bool:
        """Return whether settings still wait for a start of a service."""
        with self._lock:
            return bool(self._next_settings[name])

    def kill(self, name: str) -> bool:
        """End a service as `kill -9` does; return whether there was one to end."""
        with self._lock:
            child = self._starter.children[name]
            if not child.is_running:
                return False
            child.kill()
            return True

    def deaths_of(self, name: str) -> list[Death]:
        """Return every end of one service that was seen, in order."""
        return [death for death in list(self.deaths) if death.program == name]

    def hold(self, name: str) -> None:
        """Leave a service down when it ends, until `release`."""
        with self._lock:
            self._watched[name].is_held = True

    def release(self, name: str) -> None:
        """Start a service again that was held down, and watch it as before."""
        with self._lock:
            self._watched[name].is_held = False

    def _watch(self) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            with self._lock:
                for each in self._watched.values():
                    self._look(each)

    def _look(self, watched: _Watched) -> None:
        name, now = watched.program.name, time.monotonic()
        child = self._starter.children[name]
        if child.is_running:
            return
        if watched.due_at is None:
            self._note(watched, now, child.exit_code or 0)
        if not watched.is_held and watched.due_at is not None and now >= watched.due_at:
            watched.due_at, watched.started_at = None, now
            extras = self._next_settings[name]
            self._starter.start_program(watched.program, extras.popleft() if extras else None)

    def _note(self, watched: _Watched, now: float, exit_code: int) -> None:
        name = watched.program.name
        self.deaths.append(Death(name, now, exit_code))
        was_steady = now - watched.started_at >= self._pauses.steady_seconds
        watched.in_a_row = 1 if was_steady else watched.in_a_row + 1
        pause = self._pauses.after(watched.in_a_row)
        watched.due_at = now + pause
        self._say(f"{name} ended with code {exit_code}; it is started again" + (f" in {pause:g} s" if pause else ""))
