"""A database with one schema, `room`, and a topic of two partitions."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from chassis.migrate import Schema, migrate, set_passwords
from contracts import topics
from contracts.topics import Topic
from tests.parts import named

PASSWORD = "machine-room"


@pytest.fixture(scope="module")
async def room(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A database with one schema, `room`, that keeps what a test's handler was given."""
    folder: Path = tmp_path_factory.mktemp("room")
    (folder / "0001_seen.sql").write_text(
        "CREATE TABLE seen (id bigint GENERATED ALWAYS AS IDENTITY, text text NOT NULL, recorded_at timestamptz);"
    )
    admin = await asyncpg.connect(postgres_server)
    name = f"room_{uuid4().hex[:8]}"
    await admin.execute(f"CREATE DATABASE {name}")
    await migrate(named(postgres_server, name), [Schema("room", folder)], say=lambda _line: None)
    await set_passwords(postgres_server, {"room_writer": PASSWORD})
    parts = urlsplit(named(postgres_server, name))
    yield urlunsplit(parts._replace(netloc=f"room_writer:{PASSWORD}@{parts.netloc.rpartition('@')[2]}"))
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await admin.close()


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[Topic]:
    """A fresh topic of two partitions with a dead-letter topic, declared for the time of one test."""
    name = f"test-{uuid4().hex[:8]}"
    fresh = Topic(name=name, key="", producer="test", consumers=("test",), partitions=2)
    dead = Topic(name=f"{name}.dlq", key="", producer="test", consumers=(), partitions=1, has_dead_letters=False)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1), NewTopic(dead.name, 1, 1)])
    topics.BY_NAME[name] = fresh
    yield fresh
    del topics.BY_NAME[name]
    await admin.delete_topics([name, dead.name])
    await admin.close()


@pytest.fixture
async def empty_room(room: str) -> str:
    connection = await asyncpg.connect(room)
    await connection.execute("DELETE FROM seen")
    await connection.close()
    return room
