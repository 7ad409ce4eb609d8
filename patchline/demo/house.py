"""The demo's own stack: started fresh beside any other, stopped at the end or kept."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from patchline.contract import serving
from patchline.local import PartUnavailable, Say, mail, place, ports, runs
from patchline.local import kafka as local_kafka
from patchline.local import postgres as local_postgres
from patchline.local.psa import PORT, RT_HOME, Psa
from patchline.stack import stack
from patchline.stack.commands import CONTRACT_LINE
from patchline.stack.programs import PAGE_FILE

START_SECONDS: Final = 600
STOP_SECONDS: Final = 90
_READY: Final = "patchline is up"
_ELSEWHERE: Final = (
    "PATCHLINE_KAFKA",
    "DATABASE_URL",
    "PATCHLINE_ADMIN_URL",
    "PATCHLINE_OPERATOR_URL",
    "PATCHLINE_READER_URL",
)
_PORTS: Final[Mapping[str, tuple[int, int]]] = {
    "PATCHLINE_KAFKA_PORT": (local_kafka.DEFAULT_PORT, 1),
    "PATCHLINE_POSTGRES_PORT": (local_postgres.DEFAULT_PORT, 1),
    **{setting: (port, 1) for setting, port in PORT.values()},
    "PATCHLINE_MAIL_PORT": (mail.DEFAULT_PORT, 1),
    "PATCHLINE_GATEWAY_PORT": (stack.GATEWAY_PORT, 1),
    "PATCHLINE_SIMULATOR_PORT": (stack.SIMULATOR_PORT, 1),
    "PATCHLINE_CONTRACT_PORT": (serving.PORT, 1),
    "PATCHLINE_STACK_HEALTH_PORT": (stack.HEALTH_PORT, 10),
}
"""The usual port of each part, and how many follow it."""


class House:
    """A stack in `home` that is made anew: what an earlier demo left there, running or not, goes away."""

    def __init__(self, home: Path, *, clock_offset_seconds: float, psa: Psa = Psa.ROUNDUP) -> None:
        """Start nothing yet."""
        self.home = home
        self.psa = psa
        self._clock_offset_seconds = clock_offset_seconds
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._lock: TextIO | None = None
        self.contract_url = ""

    def open(self, say: Say) -> None:
        """Start everything and return when it is ready.

        Raises:
            PartUnavailable: something cannot run here, or another demo runs here; the message says what to do.
        """
        self.hold()
        runs.down(self.home, say)
        _clear(self.home)
        log = place.made(self.home) / "up.log"
        with log.open("wb") as output:
            self._supervisor = subprocess.Popen(  # noqa: S603 - the kind is one of ours
                [sys.executable, "-m", "patchline", "up", "--foreground", "--psa", self.psa.value],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(),
                start_new_session=True,
            )
        self._follow(self._supervisor, log, say)

    def hold(self) -> None:
        """Keep `home` for this process alone until `close`: two demos would tear each other down.

        Raises:
            PartUnavailable: another process holds it.
        """
        place.made(self.home.parent)
        self._lock = self.home.with_suffix(".lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PartUnavailable(
                f"another demo runs in {self.home}; wait for it, or set PATCHLINE_HOME to another directory"
            ) from error

    def close(self) -> None:
        """Stop everything, in order, and leave the place to others."""
        if self._supervisor is not None and self._supervisor.poll() is None:
            self._supervisor.send_signal(signal.SIGTERM)
            try:
                self._supervisor.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._supervisor.kill()
        if self._lock is not None:
            self._lock.close()

    def settings(self) -> dict[str, str]:
        """Return what command lines need to reach this stack."""
        lines = (self.home / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    @property
    def desk_page(self) -> str:
        """Return where a person looks at the tickets, with name and password."""
        return (self.home / PAGE_FILE).read_text()

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
        own |= {name: str(free_port(first, count)) for name, (first, count) in _PORTS.items() if name not in own}
        return own | {
            "PATCHLINE_HOME": str(self.home),
            "PATCHLINE_CLOCK_OFFSET_SECONDS": str(self._clock_offset_seconds),
        }

    def _follow(self, supervisor: subprocess.Popen[bytes], log: Path, say: Say) -> None:
        deadline = time.monotonic() + START_SECONDS
        told: list[str] = []
        with log.open() as lines:
            while True:
                line = lines.readline()
                if line.startswith(_READY):
                    return
                if line.startswith(CONTRACT_LINE):
                    self.contract_url = line.removeprefix(CONTRACT_LINE).strip()
                if line:
                    told.append(line.rstrip())
                    say(told[-1])
                elif supervisor.poll() is not None:
                    raise PartUnavailable("\n".join(["the stack did not start:", *told[-8:]]))
                elif time.monotonic() > deadline:
                    raise PartUnavailable(f"the stack was not up after {START_SECONDS} s; see {log}")
                else:
                    time.sleep(0.05)


def _clear(home: Path) -> None:
    """Remove what an earlier demo left, also where another account than ours had to keep it."""
    for left in (home, place.shared(home / "postgres"), place.shared(home / RT_HOME)):
        if left.exists():
            shutil.rmtree(left)


def free_port(first: int, count: int) -> int:
    """Return the usual port if nobody has it nor those that follow; else 0: any."""
    try:
        for number in range(first, first + count):
            ports.claimed(number, setting="")
    except ports.PortTaken:
        return 0
    return first
