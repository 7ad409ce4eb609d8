"""A database with one schema, `room`, and a topic of two partitions."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from chassis.migrate import Schema, migrate
from contracts import topics
from contracts.topics import Topic
from patchline.schemas import set_passwords
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


async def commit_beginning(kafka: str, group: str, partitions: Sequence[TopicPartition]) -> None:
    """Let the broker know `group`: with no offset committed, the first poll fails and FastStream waits 5 s."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    consumer.assign(partitions)
    while True:
        try:
            await consumer.commit(dict.fromkeys(partitions, 0))
            break
        except KafkaError:  # its metadata is a moment behind the admin's
            await asyncio.sleep(0.05)
    await consumer.stop()


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
    await commit_beginning(kafka, f"g-{name}", [TopicPartition(name, number) for number in range(fresh.partitions)])
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
