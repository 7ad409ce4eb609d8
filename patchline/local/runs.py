"""What `patchline up` has running, written down so that another shell can see it and stop it."""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable, Say
from patchline.local.place import made, write_private

SUPERVISOR: Final = "patchline"
_PROC: Final = Path("/proc")
_STOP_SECONDS: Final = 60
_KILL_SECONDS: Final = 5


class AlreadyUp(PartUnavailable):
    """Another `patchline up` holds this state directory."""


@dataclass(frozen=True, slots=True)
class Running:
    """A process that `patchline up` started, or itself. `start_mark` tells it from a later one with the same id."""

    name: str
    pid: int
    start_mark: str
    url: str

    @property
    def is_alive(self) -> bool:
        """Return whether this very process still runs."""
        return bool(self.start_mark) and start_mark(self.pid) == self.start_mark


@contextmanager
def supervised(home: Path) -> Iterator[None]:
    """Hold the state directory for as long as this process runs the parts. Raises: AlreadyUp."""
    made(home)
    with (home / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyUp(
                f"patchline is already up in {home}; see `patchline status`, or `patchline down`"
            ) from error
        try:
            yield
        finally:
            _path(home).unlink(missing_ok=True)


def running(name: str, pid: int, *, url: str = "") -> Running:
    """Return the entry for the process `pid` as it is now."""
    return Running(name, pid, start_mark(pid) or "", url)


def record(home: Path, children: Sequence[Running]) -> None:
    """Write down this process as the supervisor, and its `children`, in place of what was written before."""
    entries = [running(SUPERVISOR, os.getpid()), *children]
    write_private(_path(home), json.dumps([asdict(entry) for entry in entries], indent=2))


def recorded(home: Path) -> list[Running]:
    """Return what was written down, the supervisor first; empty when nothing is up. Ask each if it `is_alive`."""
    try:
        return [Running(**entry) for entry in json.loads(_path(home).read_text())]
    except FileNotFoundError:
        return []


def down(home: Path, say: Say) -> bool:
    """Stop what is up in `home`, wait for its end, and return whether there was anything.

    The supervisor is asked first, since it stops its children in order; what is left after it is stopped here.
    """
    entries = recorded(home)
    alive = [entry for entry in entries if entry.is_alive]
    supervisors = [entry for entry in alive if entry.name == SUPERVISOR]
    _end(supervisors, say)
    _end([entry for entry in alive if entry not in supervisors], say)
    _path(home).unlink(missing_ok=True)
    return bool(alive)


def start_mark(pid: int) -> str | None:
    """Return what tells the process `pid` from every other that had or will have this id; None if there is none.

    A zombie counts as none. Linux: boot id and start time in ticks; elsewhere what `ps` says.
    """
    if _PROC.is_dir():
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    answer = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip() or None


def command_line(pid: int) -> str:
    """Return the command line of `pid`, empty if there is no such process."""
    if _PROC.is_dir():
        try:
            return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    answer = subprocess.run(["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout


def _end(entries: Sequence[Running], say: Say) -> None:
    for entry in entries:
        say(f"stopping {entry.name} (process {entry.pid})")
        _signal(entry, signal.SIGTERM)
    for entry in _left_after(entries, _STOP_SECONDS):
        say(f"{entry.name} did not stop within {_STOP_SECONDS} s; killing process {entry.pid}")
        _signal(entry, signal.SIGKILL)
    _left_after(entries, _KILL_SECONDS)


def _left_after(entries: Sequence[Running], seconds: float) -> list[Running]:
    deadline = time.monotonic() + seconds
    while (left := [entry for entry in entries if entry.is_alive]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _signal(entry: Running, number: signal.Signals) -> None:
    if entry.is_alive:
        try:
            os.kill(entry.pid, number)
        except ProcessLookupError:  # it ended between the two lines
            return


def _path(home: Path) -> Path:
    return home / "up.json"
