"""All local parts together: which are wanted, started at the same time, stopped in order."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from patchline.local import PartUnavailable, Say, kafka, mail, place, postgres, psa
from patchline.local.child import Child
from patchline.local.kafka import Kafka
from patchline.local.mail import Mail
from patchline.local.postgres import Postgres
from patchline.local.psa import Psa, TicketSystem
from patchline.local.roundup import RateLimit, Roundup
from patchline.local.runs import Running, running


class Part(Protocol):
    """What the parts have in common."""

    child: Child | None

    @property
    def name(self) -> str:
        """Return the name that messages and `patchline status` use."""

    @property
    def url(self) -> str:
        """Return where it is reached."""

    def start(self, say: Say) -> None:
        """Start it and return when it answers."""

    def stop(self) -> None:
        """Stop it in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSettings:
    """Where the parts live and which are not ours to start. Port 0 takes any free one.

    `psa` is the ticket system to start, `None`: none; `psa_port` `None` means its usual one. `mail_port` `None`:
    no mail server is wanted.
    """

    home: Path
    cache: Path
    kafka_elsewhere: str = ""
    database_elsewhere: str = ""
    psa: Psa | None = Psa.ROUNDUP
    kafka_port: int = kafka.DEFAULT_PORT
    postgres_port: int = postgres.DEFAULT_PORT
    psa_port: int | None = None
    mail_port: int | None = None
    roundup_limit: RateLimit | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, kind: Psa = Psa.ROUNDUP) -> "PartSettings":
        """Read PATCHLINE_{HOME,CACHE,KAFKA} and the parts' ports, the one of that ticket system too, and DATABASE_URL.

        Raises: PartUnavailable for a port that is none.
        """
        return cls(
            home=place.home(environ),
            cache=place.cache(environ),
            kafka_elsewhere=environ.get("PATCHLINE_KAFKA", ""),
            database_elsewhere=environ.get("DATABASE_URL", ""),
            kafka_port=_port(environ, "PATCHLINE_KAFKA_PORT", kafka.DEFAULT_PORT),
            postgres_port=_port(environ, "PATCHLINE_POSTGRES_PORT", postgres.DEFAULT_PORT),
            psa=kind,
            psa_port=_port(environ, *psa.PORT[kind]),
            mail_port=_port(environ, "PATCHLINE_MAIL_PORT", mail.DEFAULT_PORT),
        )


class LocalParts:
    """Kafka, PostgreSQL, a ticket system and a mail server as the settings want them; what is unwanted is None."""

    def __init__(self, settings: PartSettings) -> None:
        """Start nothing yet. Raises: PartUnavailable for a ticket system that is not installed."""
        home = settings.home
        self._settings = settings
        self.kafka: Kafka | None = None
        self.postgres: Postgres | None = None
        self.desk: TicketSystem | None = None
        self.mail: Mail | None = None
        if not settings.kafka_elsewhere:
            self.kafka = Kafka(home / "kafka", cache=settings.cache, port=settings.kafka_port)
        if not settings.database_elsewhere:
            self.postgres = Postgres(home / "postgres", port=settings.postgres_port)
        if settings.psa is not None:
            port = psa.PORT[settings.psa][1] if settings.psa_port is None else settings.psa_port
            self.desk = psa.ticket_system(settings.psa, home, port=port, rate_limit=settings.roundup_limit)
        if settings.mail_port is not None:
            self.mail = Mail(home / "mail", port=settings.mail_port)

    @property
    def roundup(self) -> Roundup | None:
        """Return the ticket system if it is Roundup."""
        return self.desk if isinstance(self.desk, Roundup) else None

    @property
    def kafka_url(self) -> str:
        """Return the bootstrap server, ours or the one elsewhere."""
        return self.kafka.url if self.kafka else self._settings.kafka_elsewhere

    @property
    def database_url(self) -> str:
        """Return the database's URL with its password, ours or the one elsewhere."""
        return self.postgres.url if self.postgres else self._settings.database_elsewhere

    @property
    def parts(self) -> list[Part]:
        """Return those that are ours to start."""
        ours: list[Part | None] = [self.kafka, self.postgres, self.desk, self.mail]
        return [part for part in ours if part is not None]

    def running(self) -> list[Running]:
        """Return the processes of our parts, for `runs.record`; no URL in it has a password."""
        alive = [(part, part.child.pid) for part in self.parts if part.child is not None and part.child.is_running]
        urls = {part: part.shown_url if isinstance(part, Postgres) else part.url for part, _ in alive}
        return [running(part.name, pid, url=urls[part]) for part, pid in alive if pid is not None]

    def start(self, say: Say) -> None:
        """Start all at the same time and return when all answer; if one cannot, none stays.

        Raises: PartUnavailable, with the message of each part that failed.
        """
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="part") as pool:
            starts = [pool.submit(part.start, say) for part in self.parts]
            try:
                failures = [str(error) for start in starts if (error := _failure(start)) is not None]
            except BaseException:
                self.stop()  # ends the waiting of the other starts
                _wait(starts)
                self.stop()
                raise
        if failures:
            self.stop()
            raise PartUnavailable("\n".join(failures))

    def stop(self) -> None:
        """Stop all at the same time and return when all have ended; data stay."""
        with ThreadPoolExecutor(max_workers=4, thread_name_prefix="part") as pool:
            for stopped in [pool.submit(part.stop) for part in self.parts]:
                stopped.result()


@contextmanager
def started(settings: PartSettings, say: Say) -> Iterator[LocalParts]:
    """Run the parts for as long as the `with` block lasts. Raises: PartUnavailable."""
    parts = LocalParts(settings)
    parts.start(say)
    try:
        yield parts
    finally:
        parts.stop()


def _failure(start: Future[None]) -> PartUnavailable | None:
    try:
        start.result()
    except PartUnavailable as error:
        return error
    return None


def _wait(starts: list[Future[None]]) -> None:
    for start in starts:
        start.exception()


def _port(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or int(text) > 65535:
        raise PartUnavailable(f"{name} is {text!r}, which is no port number; set it to 0 to 65535")
    return int(text)
