"""The parts as fixtures: started once for all tests here."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from patchline.local import place
from patchline.local.child import Child, Command
from patchline.local.kafka import Kafka
from patchline.local.parts import LocalParts, PartSettings, started
from patchline.local.postgres import Postgres
from patchline.local.roundup import Roundup


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    with place.throwaway_home() as path:
        yield path


@pytest.fixture(scope="session")
def cache() -> Path:
    return place.cache(os.environ)


@pytest.fixture(scope="session")
def said() -> list[str]:
    return []


@pytest.fixture(scope="session")
def parts(home: Path, cache: Path, said: list[str]) -> Iterator[LocalParts]:
    settings = PartSettings(home=home, cache=cache, kafka_port=0, postgres_port=0, psa_port=0)
    with started(settings, said.append) as running:
        yield running


@pytest.fixture
def kafka(parts: LocalParts) -> Kafka:
    assert parts.kafka is not None
    return parts.kafka


@pytest.fixture
def postgres(parts: LocalParts) -> Postgres:
    assert parts.postgres is not None
    return parts.postgres


@pytest.fixture
def roundup(parts: LocalParts) -> Roundup:
    assert parts.roundup is not None
    return parts.roundup


@pytest.fixture
def child_of(tmp_path: Path) -> Iterator[Callable[[str], Child]]:
    """Makes a child that runs some Python; it is ended after the test."""
    made: list[Child] = []

    def make(code: str) -> Child:
        argv = (sys.executable, "-u", "-c", code)
        made.append(Child(Command(name="sleeper", argv=argv, log_path=tmp_path / "sleeper.log")))
        return made[-1]

    yield make
    for child in made:
        child.kill()
