"""Fixtures that every test may ask for: a real broker with all topics, a real database migrated, its roles."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from chassis.migrate import migrate
from patchline.local import place, samba, slapd
from patchline.schemas import LOGIN_ROLES, SCHEMAS, set_passwords
from patchline.topics import apply_declared
from tests.parts import ROLE_PASSWORD, Database, named, running, running_kafka, running_postgres
from tests.what_broke import WhatBroke

# Machines are shared and noisy, so no example has a deadline; in CI the same tree always gets the same examples.
settings.register_profile("patchline", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("patchline")


SHARED: dict[str, str] = {"local": "ticketing"}
"""Folders whose tests start the same counterpart system, of which a machine runs one at a time."""


class ByFolder(LoadScopeScheduling):  # type: ignore[misc]  # it ships no types
    """Keeps a folder's tests in one process, where several share the work: the folder's parts are started once."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.split("/")[1]
        return SHARED.get(folder, folder)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    return ByFolder(config, log)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(WhatBroke(lambda line: sys.stderr.write(f"[broken] {line}\n")))


def _say(line: str) -> None:
    sys.stderr.write(f"[parts] {line}\n")


@pytest.fixture(scope="session")
def parts_folder() -> Iterator[Path]:
    """A folder that the server's own account can reach too, gone at the end."""
    with place.throwaway_home() as folder:
        yield folder


@pytest.fixture(scope="session")
def kafka_broker(parts_folder: Path) -> Iterator[str]:
    with running_kafka(parts_folder, _say) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
async def kafka(kafka_broker: str) -> str:
    """Bootstrap servers of a broker that has every declared topic."""
    await apply_declared(kafka_broker)
    return kafka_broker


@pytest.fixture(scope="session")
def postgres_server(parts_folder: Path) -> Iterator[str]:
    with running_postgres(parts_folder, _say) as url:
        yield url


@pytest.fixture(scope="session")
def domain(parts_folder: Path) -> Iterator[samba.Samba]:
    """A real Active Directory: one domain, whose unit `People` our account may reset passwords in."""
    if reason := samba.why_not():
        pytest.skip(reason)
    local = samba.Samba(parts_folder / "samba")
    with running(local, _say):
        yield local


@pytest.fixture(scope="session")
def openldap(parts_folder: Path) -> Iterator[slapd.Slapd]:
    """A real OpenLDAP with password policies, empty but for our account."""
    if reason := slapd.why_not():
        pytest.skip(reason)
    local = slapd.Slapd(parts_folder / "slapd")
    with running(local, _say):
        yield local


@pytest.fixture(scope="session")
async def migrated_template(postgres_server: str) -> str:
    """Name of a migrated database that each module's own is copied from, in tens of milliseconds."""
    name = f"template_{uuid4().hex[:8]}"
    connection = await asyncpg.connect(postgres_server)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    url = named(postgres_server, name)
    await migrate(url, SCHEMAS, say=lambda _line: None)
    await set_passwords(url, dict.fromkeys(LOGIN_ROLES, ROLE_PASSWORD))
    return name


@pytest.fixture(scope="module")
async def database(postgres_server: str, migrated_template: str) -> AsyncIterator[Database]:
    """A fresh migrated database for each test module."""
    name = f"test_{uuid4().hex[:8]}"
    connection = await asyncpg.connect(postgres_server)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
        yield Database(named(postgres_server, name))
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
