"""A real Roundup tracker on this machine, for the demo and the tests: REST for us, a web page for people."""

import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from patchline.local import PartUnavailable, Say, place, ports
from patchline.local.child import Child, Command
from patchline.local.roundup_hook import FILE as HOOK_FILE

DEFAULT_PORT: Final = 18092
ADMIN: Final = "admin"
API_USER: Final = "patchline"
_IMPORT_ROOT: Final = Path(__file__).resolve().parents[2]
_READY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Login:
    """A name and password of the tracker."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many API calls a user has per interval; the next ones get 429 with Retry-After."""

    calls: int
    interval_seconds: int


class Roundup:
    """A tracker below `place`, its own directory. `port` 0 takes any free one at the first start.

    `rate_limit` None means none; Roundup spreads the calls over the interval, so a burst is refused early.
    """

    name = "roundup"

    def __init__(self, place: Path, *, port: int = DEFAULT_PORT, rate_limit: RateLimit | None = None) -> None:
        self._place = place
        self._port = port
        self._rate_limit = rate_limit
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return the page for people, with a slash at its end; its REST API is below `rest/`."""
        return f"http://{ports.LOOPBACK}:{self._port}/"

    @property
    def api_login(self) -> Login:
        """Return the login for the REST API."""
        return self._login(API_USER)

    @property
    def admin_login(self) -> Login:
        """Return the login for a person at the web page."""
        return self._login(ADMIN)

    def tell(self, url: str, secret: str) -> None:
        """Have what happens to issues posted to `url`, signed with `secret`; the tracker must have been made."""
        place.write_private(self._place / "tracker" / HOOK_FILE, json.dumps({"url": url, "secret": secret}))

    def tell_nobody(self) -> None:
        """Have nothing posted any more."""
        (self._place / "tracker" / HOOK_FILE).unlink(missing_ok=True)

    def start(self, say: Say) -> None:
        """Start it, made at the first start, and return when it answers. Raises: PartUnavailable."""
        missing = [name for name in ("roundup", "waitress") if importlib.util.find_spec(name) is None]
        if missing:
            raise PartUnavailable(f"{' and '.join(missing)} not installed; run `uv sync`")
        self._port = ports.claimed(self._port, setting="PATCHLINE_ROUNDUP_PORT")
        say(f"roundup: {'starting' if (self._place / 'tracker').exists() else 'making a tracker (once)'} on {self.url}")
        self._write_options()
        self.child = Child(self._command())
        self.child.start()
        self.child.wait_until(self._answers, timeout_seconds=_READY_SECONDS)
        say(f"roundup: ready on {self.url}")

    def stop(self) -> None:
        """Stop it; its issues stay."""
        if self.child is not None:
            self.child.stop()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.child is not None:
            self.child.kill()

    def _login(self, name: str) -> Login:
        return Login(name, place.kept_secret(self._place / f"{name}.password"))

    def _write_options(self) -> None:
        limit = self._rate_limit or RateLimit(calls=0, interval_seconds=3600)
        options = {
            "logins": {login.name: login.password for login in (self.admin_login, self.api_login)},
            "api_calls_per_interval": limit.calls,
            "api_interval_seconds": limit.interval_seconds,
        }
        place.write_private(self._place / "server.json", json.dumps(options))

    def _command(self) -> Command:
        module = ("-m", "patchline.local.roundup_server", str(self._place), str(self._port))
        return Command(
            name="roundup",
            argv=(sys.executable, *module),
            log_path=self._place / "roundup.log",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            cwd=_IMPORT_ROOT,  # so that `-m` finds this package, installed or not
        )

    def _answers(self) -> bool:
        if not ports.is_open(self._port):
            return False
        try:
            return httpx.get(f"{self.url}rest/", timeout=5, trust_env=False).status_code < 500
        except httpx.TransportError:
            return False
