"""A real Request Tracker 5 on this machine, for the demo and the tests, from Debian's own packages.

Everything that it writes is below its own directory: the database, the cache of its pages, the mail that it would have
sent. Source: RT 5.0, `docs/` (web deployment, initialdata) and `rt-setup-database`; quirks found by running it.
"""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from patchline.local import PartUnavailable, Say, place, ports
from patchline.local.child import Child, Command

DEFAULT_PORT: Final = 18089
QUEUE: Final = "Patching"
KEY_FIELD: Final = "CorrelationKey"
CLIENT_FIELD: Final = "Client"
API_USER: Final = "patchline"
TECHNICIAN: Final = "technician"
PACKAGES: Final = "request-tracker5 rt5-db-sqlite rt5-standalone libjson-perl"

_SERVER: Final = Path("/usr/share/request-tracker5/libexec/rt-server")
_SET_UP: Final = Path("/usr/sbin/rt-setup-database-5")
_SEED: Final = Path(__file__).with_name("request_tracker_seed.pl")
_READY_SECONDS: Final = 60
_GONE_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Hook:
    """Where Request Tracker tells what happens to its tickets, and the secret that signs it."""

    url: str
    secret: str


def is_installed() -> bool:
    """Return whether Debian's packages are on this machine."""
    return _SERVER.exists() and _SET_UP.exists()


class RequestTracker:
    """A Request Tracker below `wanted_place`, or below a place that `nobody` can reach when we are root.

    `port` 0 takes any free one at the first start. `hook` is told of every transaction of the queue; it may be set
    anew before another start.
    """

    name = "request tracker"

    def __init__(
        self, wanted_place: Path, *, port: int = DEFAULT_PORT, hook: Hook | None = None, workers: int = 2
    ) -> None:
        self._account = place.nobody() if os.geteuid() == 0 else None  # its administrators can have it run Perl
        self._wanted_place = wanted_place
        reachable = self._account is None or place.is_reachable(wanted_place, self._account)
        self._place = wanted_place if reachable else place.shared(wanted_place)
        self._port = port
        self._workers = workers
        self.hook = hook
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return the page for people, with a slash at its end; its REST API is below `REST/2.0/`."""
        return f"http://{ports.LOOPBACK}:{self._port}/"

    @property
    def token(self) -> str:
        """Return the token of the user that has our rights and no others."""
        return self._token(API_USER)

    @property
    def technician_token(self) -> str:
        """Return the token of a person who works on the queue."""
        return self._token(TECHNICIAN)

    @property
    def technician_password(self) -> str:
        """Return that person's password at the web page, where `technician` is the name."""
        return place.kept_secret(self._place / f"{TECHNICIAN}.password")

    def start(self, say: Say) -> None:
        """Start it, made at the first start, and return when it answers. Raises: PartUnavailable."""
        if not is_installed():
            raise PartUnavailable(f"Request Tracker is not installed; run `apt-get install {PACKAGES}`")
        self._port = ports.claimed(self._port, setting="PATCHLINE_RT_PORT")
        self._write_configuration()
        if not self._database.exists():
            say("request tracker: making a database (once)")
            self._make()
        say(f"request tracker: starting on {self.url}")
        server = (str(_SERVER), "--server", "Starlet", "--host", ports.LOOPBACK, "--port", str(self._port))
        self.child = Child(self._command("request tracker", (*server, "--max-workers", str(self._workers))))
        self.child.start()
        self.child.wait_until(self._answers, timeout_seconds=_READY_SECONDS)
        say(f"request tracker: ready on {self.url}")

    def stop(self) -> None:
        """Stop it; its tickets stay."""
        if self.child is not None:
            self.child.stop()

    def kill(self) -> None:
        """End it and its workers at once, as a crash would."""
        if self.child is None or self.child.pid is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)  # a child begins a session of its own, its workers are in it
        self.child.kill()
        deadline = time.monotonic() + _GONE_SECONDS
        while ports.is_open(self._port) and time.monotonic() < deadline:  # the workers have its port a moment longer
            time.sleep(0.02)

    @property
    def mail(self) -> Path:
        """Return the file with the mail that it would have sent, in the order of sending."""
        return self._writable / "mail.mbox"

    @property
    def _writable(self) -> Path:
        return self._place / "var"

    @property
    def _database(self) -> Path:
        return self._writable / "rt.sqlite"

    def _token(self, user: str) -> str:
        return (self._writable / f"{user}.token").read_text().strip()

    def _make(self) -> None:
        """Make the database whole or not at all: RT's own tables, then our queue, fields, users and scrip."""
        partial = self._database.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        for name in ("root", TECHNICIAN):
            self._owned(self._place / f"{name}.password", place.kept_secret(self._place / f"{name}.password"))
        seed = self._place / "seed.pl"
        self._owned(seed, _SEED.read_text())
        root_password = ("--root-password-file", str(self._place / "root.password"))
        made = {"RT_DB_NAME": str(partial)}
        for step in (
            ("--action", "init", "--skip-create", *root_password),
            ("--action", "insert", "--datafile", str(seed), "--skip-create", "--force"),
        ):
            command = self._command("rt-setup-database", (str(_SET_UP), *step), made)
            Child(command).finish(timeout_seconds=_READY_SECONDS)
        partial.rename(self._database)

    def _write_configuration(self) -> None:
        if self._place != self._wanted_place:
            place.made_shared(self._wanted_place)
        place.made(self._place / "conf.d")
        for folder in (self._writable, self._writable / "pages", self._writable / "sessions"):
            folder.mkdir(mode=0o700, exist_ok=True)
            self._give(folder)
        text = _CONFIGURATION.format(port=self._port, var=self._writable, database=self._database)
        self._owned(self._place / "RT_SiteConfig.pm", text)

    def _owned(self, path: Path, text: str) -> None:
        """Write a file that the server's account can read, and no other."""
        place.write_private(path, text)
        self._give(path)

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _command(self, name: str, argv: tuple[str, ...], more: Mapping[str, str] | None = None) -> Command:
        hook = self.hook or Hook("", "")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("RT_", "PERL"))}
        own = {
            "RT_SITE_CONFIG": str(self._place / "RT_SiteConfig.pm"),
            "RT_SITE_CONFIG_DIR": str(self._place / "conf.d"),
            "PATCHLINE_RT_PLACE": str(self._writable),
            "PATCHLINE_RT_PASSWORD_FILE": str(self._place / f"{TECHNICIAN}.password"),
            "PATCHLINE_HOOK_URL": hook.url,
            "PATCHLINE_HOOK_SECRET": hook.secret,
            "HOME": str(self._writable),
            "LC_ALL": "C.UTF-8",
        }
        return Command(
            name=name,
            argv=argv,
            log_path=self._place / "request_tracker.log",
            env=kept | own | dict(more or {}),
            cwd=self._writable,
            account=self._account,
        )

    def _answers(self) -> bool:
        if not ports.is_open(self._port):
            return False
        try:
            return httpx.get(f"{self.url}REST/2.0/rt", timeout=10, trust_env=False).status_code == 401
        except httpx.TransportError:
            return False


_CONFIGURATION: Final = """# Written at each start.
Set($rtname, 'patchline.invalid');
Set($Organization, 'patchline.invalid');
Set($CorrespondAddress, 'reply@patchline.invalid');
Set($CommentAddress, 'comment@patchline.invalid');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($WebBaseURL, 'http://127.0.0.1:{port}');
Set($WebSecureCookies, 0);
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{database}');
Set($Timezone, 'UTC');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
Set($BcryptCost, 4);  # of every call of the API: with the usual 12 a token is checked for 0.3 s
Set($MailCommand, sub {{  # no mail leaves
    open my $kept, '>>', '{var}/mail.mbox' or return 0;
    print {{$kept}} "From rt\\@patchline.invalid\\n", $_[0]->stringify, "\\n";
    return close $kept;
}});
$RT::VarPath = '{var}';
$RT::MasonDataDir = '{var}/pages';
$RT::MasonSessionDir = '{var}/sessions';
1;
"""
