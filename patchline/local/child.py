"""One program that we start in the foreground, watch, and stop; it never outlives us in silence."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable
from patchline.local.place import Account, made

_LAUNCHER: Final = Path(__file__).with_name("launch.py")
_POLL_SECONDS: Final = 0.02
_TAIL_LINES: Final = 15

# Linux signals a child when the *thread* that forked it ends, so one thread that lives as long as we do forks them all.
_spawner: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class ChildFailed(PartUnavailable):
    """A child ended, or was not ready in time; the message has the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run. `env` None means ours, `account` None our own user; output is appended to `log_path`."""

    name: str
    argv: tuple[str, ...]
    log_path: Path
    env: Mapping[str, str] | None = None
    cwd: Path | None = None
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM


class Child:
    """A child process in a session of its own: the terminal's Ctrl-C reaches us alone, and we stop it in order."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start_bytes = 0

    @property
    def name(self) -> str:
        """Return the name that messages and `patchline status` use."""
        return self.command.name

    @property
    def pid(self) -> int | None:
        """Return the process id of the last start; None before it."""
        return self._popen.pid if self._popen else None

    @property
    def exit_code(self) -> int | None:
        """Return how it ended (negative: by that signal); None while it runs or before it was started."""
        return self._popen.poll() if self._popen else None

    @property
    def is_running(self) -> bool:
        """Return whether it was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start it and return at once; nothing happens while it runs. Safe from any thread."""
        if self.is_running:
            return
        made(self.command.log_path.parent)
        with self.command.log_path.open("ab") as log:
            self._log_start_bytes = log.tell()
            self._popen = _spawner.submit(self._spawn, log.fileno()).result()

    def wait_until(self, ready: Callable[[], bool], *, timeout_seconds: float) -> None:
        """Wait until `ready` answers true; a child that is not ready in time is stopped.

        Raises: ChildFailed, also as soon as the child ends.
        """
        deadline = time.monotonic() + timeout_seconds
        while not ready():
            if not self.is_running:
                raise ChildFailed(self._with_log_tail(f"{self.name} ended with code {self.exit_code}"))
            if time.monotonic() > deadline:
                self.stop()
                raise ChildFailed(self._with_log_tail(f"{self.name} was not ready after {timeout_seconds:g} s"))
            time.sleep(_POLL_SECONDS)

    def finish(self, *, timeout_seconds: float) -> None:
        """Start it and wait for its good end: for programs that do one thing and exit. Raises: ChildFailed."""
        self.start()
        if self._popen is None:
            raise RuntimeError("what was started has a process")
        try:
            code = self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise ChildFailed(self._with_log_tail(f"{self.name} did not end in {timeout_seconds:g} s")) from None
        if code != 0:
            raise ChildFailed(self._with_log_tail(f"{self.name} ended with code {code}"))

    def signal_stop(self) -> None:
        """Ask it to stop and return at once, so that several can stop at the same time."""
        if self._popen is not None and self.is_running:
            self._popen.send_signal(self.command.stop_signal)

    def stop(self, *, timeout_seconds: float = 15) -> None:
        """Ask it to stop, wait, and kill it if it does not; nothing happens when it has ended already."""
        self.signal_stop()
        if self._popen is None:
            return
        try:
            self._popen.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def log_since_start(self) -> str:
        """Return what it wrote since its last start, at most the last 64 KiB."""
        with self.command.log_path.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start_bytes, end - 65_536))
            return log.read().decode(errors="replace")

    def _spawn(self, log_fd: int) -> subprocess.Popen[bytes]:
        account = self.command.account or Account(-1, -1)
        identity = (os.getpid(), int(self.command.stop_signal), account.uid, account.gid)
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), *map(str, identity), *self.command.argv],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            env=self.command.env,
            cwd=self.command.cwd,
            start_new_session=True,
        )

    def _with_log_tail(self, sentence: str) -> str:
        lines = self.log_since_start().splitlines()[-_TAIL_LINES:]
        return "\n".join([f"{sentence}; the end of {self.command.log_path}:", *(f"  {line}" for line in lines)])
