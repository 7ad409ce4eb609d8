"""Starts everything in order and stops it in reverse; data survive."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from chassis.migrate import migrate
from patchline.local import PartUnavailable, Say, place, ports, psa
from patchline.local.child import Child, Command
from patchline.local.parts import LocalParts, PartSettings
from patchline.local.psa import Access, Page
from patchline.local.request_tracker import Hook, RequestTracker
from patchline.local.runs import Running, running
from patchline.schemas import LOGIN_ROLES, SCHEMAS, set_passwords
from patchline.stack import keys, programs
from patchline.stack.programs import PROGRAMS, SIMULATOR, Program, Surroundings
from patchline.topics import apply_declared

GATEWAY_PORT: Final = 18080
HEALTH_PORT: Final = 18100
SIMULATOR_PORT: Final = 18095
READY_SECONDS: Final = 60.0
STOP_SECONDS: Final = 30.0
_CHECKOUT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """What to start, and where. Port 0 takes a free one. `extra` goes into every program's environment."""

    parts: PartSettings
    gateway_port: int = GATEWAY_PORT
    health_port: int = HEALTH_PORT
    simulator_port: int = SIMULATOR_PORT
    clock_offset_seconds: float = 0
    extra: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """The product on this machine. `start` returns when every process says that it is ready."""

    def __init__(self, settings: StackSettings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self.home = settings.parts.home
        self.parts = LocalParts(settings.parts)
        self.children: dict[str, Child] = {}
        self._gateway_port = settings.gateway_port
        self._around: Surroundings | None = None

    @property
    def around(self) -> Surroundings:
        """Return where everything is.

        Raises:
            PartUnavailable: the stack was not started.
        """
        if self._around is None:
            raise PartUnavailable("the stack is not started")
        return self._around

    def start(self, say: Say) -> None:
        """Start the parts, migrate, declare topics, start the services; if one cannot, none stays.

        Raises:
            PartUnavailable: one clear line per part that cannot run, with its fix.
        """
        try:
            self._gateway_port = ports.claimed(self._settings.gateway_port, setting="PATCHLINE_GATEWAY_PORT")
            self._hook()
            self.parts.start(say)
            self._around = self._surroundings()
            self._write_secrets()
            asyncio.run(self._prepare(say))
            for program in (*PROGRAMS, SIMULATOR):
                self.start_program(program)
            self._wait_ready(say)
        except BaseException:
            self.stop(say)
            raise

    def lead(self, *, kafka: str = "", database: str = "", extra: Mapping[str, str] | None = None) -> None:
        """Lead the services' ways to Kafka and the database elsewhere from their next starts on; nothing: straight.

        `extra` takes the place of what was added to every program's environment before.
        """
        added = self._settings.extra if extra is None else {**self._settings.extra, **extra}
        self._around = replace(self.around, kafka_way=kafka, database_way=database, extra=added)

    def start_program(self, program: Program, extra: Mapping[str, str] | None = None) -> Child:
        """Start one service, with `extra` settings added to its own, and return at once."""
        child = Child(
            Command(
                name=program.name,
                argv=programs.arguments(program),
                log_path=self.home / "logs" / f"{program.name}.log",
                env={**programs.environment(program, self.around), **(extra or {})},
                cwd=_CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else None,
            )
        )
        child.start()
        self.children[program.name] = child
        return child

    def wait_ready(self, program: Program) -> None:
        """Wait until one service says that it is ready.

        Raises:
            PartUnavailable: it ended, or is not ready in time; the message has the end of its log.
        """
        if program is SIMULATOR:
            ready = partial(ports.is_open, self.around.simulator_port)
        else:
            ready = partial(_says_ready, f"{self.around.health_url(program)}/ready")
        self.children[program.name].wait_until(ready, timeout_seconds=READY_SECONDS)

    def stop(self, say: Say) -> None:
        """Drain the services, then stop the parts."""
        alive = [child for child in self.children.values() if child.is_running]
        if alive:
            say(f"stopping {', '.join(child.name for child in alive)}")
        for child in alive:
            child.signal_stop()
        for child in alive:
            child.stop(timeout_seconds=STOP_SECONDS)
        self.parts.stop()

    def running(self) -> list[Running]:
        """Return every process that this stack runs, for `patchline status` and `down` in another shell."""
        services = [
            running(child.name, child.pid, url=self._url_of(child.name))
            for child in self.children.values()
            if child.is_running and child.pid is not None
        ]
        return [*self.parts.running(), *services]

    def _url_of(self, name: str) -> str:
        own = {programs.ACCEPT.name: self.around.gateway_url, SIMULATOR.name: self.around.simulator_url}
        return own.get(name) or next(self.around.health_url(each) for each in PROGRAMS if each.name == name)

    def _hook(self) -> None:
        """Let Request Tracker know at its start whom it tells what people do: it cannot be told later."""
        if isinstance(self.parts.desk, RequestTracker):
            url = f"http://{ports.LOOPBACK}:{self._gateway_port}/webhooks/psa/request-tracker/{programs.DESK}"
            secret = place.kept_secret(self.home / "secrets" / programs.HOOK_FILE)
            self.parts.desk.hook = Hook(url, secret)

    def _surroundings(self) -> Surroundings:
        desk, folder = self.parts.desk, self.home / "secrets"
        return Surroundings(
            home=self.home,
            kafka=self.parts.kafka_url,
            database=self.parts.database_url,
            tracker=programs.tracker_settings(psa.access(desk), folder) if desk else {},
            gateway_port=self._gateway_port,
            health_port=self._claimed_health_port(),
            simulator_port=ports.claimed(self._settings.simulator_port, setting="PATCHLINE_SIMULATOR_PORT"),
            mail=programs.mail_settings(None if self.parts.mail is None else self.parts.mail.port),
            clock_offset_seconds=self._settings.clock_offset_seconds,
            extra=self._settings.extra,
        )

    def _claimed_health_port(self) -> int:
        """Return the port below those of the services, which count theirs from it, from 1 on."""
        first = self._settings.health_port
        name = "PATCHLINE_STACK_HEALTH_PORT"
        return ports.claimed_range(first + 1 if first else 0, len(PROGRAMS), setting=name) - 1

    def _write_secrets(self) -> None:
        for role in LOGIN_ROLES:
            place.kept_secret(self.around.secrets / role)
        keys.write_missing(self.around.secrets)
        place.made(self.around.directory_secrets)
        if self.parts.desk:
            self._write_secrets_of(psa.access(self.parts.desk), psa.page(self.parts.desk))
        lines = [f"{name}={value}" for name, value in programs.command_environment(self.around).items()]
        place.write_private(self.home / "env", "\n".join(lines) + "\n")

    def _write_secrets_of(self, access: Access, page: Page) -> None:
        place.write_private(self.around.secrets / "tracker", access.password)
        password = self.around.secrets / programs.PERSON_FILE  # a bundle for helpers is searched for what is in there
        place.write_private(password, page.password)
        place.write_private(self.home / programs.PAGE_FILE, page.told(password))
        for name, secret in access.secrets.items():
            place.write_private(self.around.secrets / name.lower(), secret)

    async def _prepare(self, say: Say) -> None:
        files = await migrate(self.around.database, SCHEMAS, say=lambda line: say(f"schema {line}"))
        say(f"database: {files} migration(s) applied" if files else "database: schemas are up to date")
        passwords = {role: (self.around.secrets / role).read_text().strip() for role in LOGIN_ROLES}
        await set_passwords(self.around.database, passwords)
        mended = await apply_declared(self.around.kafka)
        say(f"kafka: {len(mended)} topic(s) made or mended" if mended else "kafka: topics are as declared")

    def _wait_ready(self, say: Say) -> None:
        started = time.monotonic()
        say(f"starting {', '.join(program.name for program in PROGRAMS)}")
        with ThreadPoolExecutor(max_workers=len(PROGRAMS)) as pool:
            for waited in [pool.submit(self.wait_ready, program) for program in (*PROGRAMS, SIMULATOR)]:
                waited.result()
        say(f"all services ready after {time.monotonic() - started:.1f} s")


@contextmanager
def started(settings: StackSettings, say: Say) -> Iterator[Stack]:
    """Run the stack for as long as the `with` block lasts.

    Raises:
        PartUnavailable: something cannot run here; the message says what to do.
    """
    stack = Stack(settings)
    stack.start(say)
    try:
        yield stack
    finally:
        stack.stop(say)


def _says_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
