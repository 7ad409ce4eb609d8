"""The real systems that tests run against: containers where a Docker engine answers, the local parts otherwise."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from patchline.local import place
from patchline.local.kafka import Kafka
from patchline.local.postgres import Postgres
from patchline.local.samba import Samba
from patchline.local.slapd import Slapd
from patchline.schemas import LOGIN_ROLES

ROLE_PASSWORD = "roles-of-the-tests"


def docker_answers() -> bool:
    """Return whether a Docker engine can be used; PATCHLINE_TEST_PARTS=local says no."""
    if os.environ.get("PATCHLINE_TEST_PARTS") == "local" or shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False).returncode == 0


@contextmanager
def running_kafka(folder: Path, say: Callable[[str], None]) -> Iterator[str]:
    """Yield the bootstrap servers of a real broker."""
    if elsewhere := os.environ.get("PATCHLINE_KAFKA"):
        yield elsewhere
    elif docker_answers():
        from testcontainers.kafka import KafkaContainer

        with KafkaContainer("confluentinc/cp-kafka:7.9.0").with_kraft() as container:
            yield container.get_bootstrap_server()
    else:
        kafka = Kafka(folder / "kafka", cache=place.cache(os.environ), port=0)
        kafka.start(say)
        try:
            yield kafka.url
        finally:
            kafka.stop()


@contextmanager
def running_postgres(folder: Path, say: Callable[[str], None]) -> Iterator[str]:
    """Yield the URL of an administrator of a real server."""
    if elsewhere := os.environ.get("DATABASE_URL"):
        yield elsewhere
    elif docker_answers():
        from testcontainers.postgres import PostgresContainer

        with PostgresContainer("postgres:18", driver=None) as container:
            yield container.get_connection_url()
    else:
        postgres = Postgres(folder / "postgres", port=0)
        postgres.start(say)
        try:
            yield postgres.url
        finally:
            postgres.stop()


@contextmanager
def running(part: Samba | Slapd, say: Callable[[str], None]) -> Iterator[None]:
    """Run a real directory for a while."""
    part.start(say)
    try:
        yield
    finally:
        part.stop()


@dataclass(frozen=True, slots=True)
class Database:
    """A database of its own, migrated; one URL per role."""

    admin: str

    def of(self, role: str) -> str:
        """Return the URL of `role`."""
        assert role in LOGIN_ROLES, f"{role} is none of {LOGIN_ROLES}"
        parts = urlsplit(self.admin)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{role}:{quote(ROLE_PASSWORD)}@{host}"))

    def writer(self, schema: str) -> str:
        """Return the URL of a service's batch writer."""
        return self.of(f"{schema}_writer")

    @property
    def reader(self) -> str:
        return self.of("patchline_reader")

    @property
    def operator(self) -> str:
        return self.of("patchline_operator")


def named(url: str, database: str) -> str:
    """Return `url` for another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
