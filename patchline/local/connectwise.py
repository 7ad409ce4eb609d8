"""A simulated ConnectWise PSA on this machine: nobody can install the real one. It forgets everything when it stops."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from patchline.local import Say, ports
from patchline.local.child import Child, Command

DEFAULT_PORT: Final = 18093
COMPANIES_PATH: Final = "/_sandbox"
_IMPORT_ROOT: Final = Path(__file__).resolve().parents[2]
_READY_SECONDS: Final = 30


class ConnectWise:
    """A sandbox below `place`, where its log is. `port` 0 takes any free one at the first start."""

    name = "simulated connectwise"

    def __init__(self, place: Path, *, port: int = DEFAULT_PORT) -> None:
        self._place = place
        self._port = port
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return where its API answers."""
        return f"http://{ports.LOOPBACK}:{self._port}"

    def start(self, say: Say) -> None:
        """Start it, without companies and tickets, and return when it answers. Raises: PartUnavailable."""
        self._port = ports.claimed(self._port, setting="PATCHLINE_CONNECTWISE_PORT")
        say(f"{self.name}: starting on {self.url}")
        self.child = Child(self._command())
        self.child.start()
        self.child.wait_until(self._answers, timeout_seconds=_READY_SECONDS)
        say(f"{self.name}: ready on {self.url}")

    def stop(self) -> None:
        """Stop it; what it had is gone."""
        if self.child is not None:
            self.child.stop()

    def _command(self) -> Command:
        own = {
            "PYTHONUNBUFFERED": "1",
            "PATCHLINE_CONNECTWISE_SANDBOX_PORT": str(self._port),
            "PATCHLINE_CONNECTWISE_SANDBOX_COMPANIES": json.dumps({}),
        }
        return Command(
            name=self.name,
            argv=(sys.executable, "-m", "simulators.connectwise_served"),
            log_path=self._place / "connectwise.log",
            env={**os.environ, **own},
            cwd=_IMPORT_ROOT,  # so that `-m` finds the simulators, installed or not
        )

    def _answers(self) -> bool:
        if not ports.is_open(self._port):
            return False
        try:
            return httpx.get(f"{self.url}{COMPANIES_PATH}", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def add_companies(url: str, companies: Mapping[str, str]) -> None:
    """Add companies, names by identifier, to the simulated ConnectWise at `url`, as its administrator would.

    Raises:
        httpx.HTTPError: it does not answer, or refuses.
    """
    answer = httpx.put(f"{url}{COMPANIES_PATH}", json={"companies": dict(companies)}, timeout=10, trust_env=False)
    answer.raise_for_status()
