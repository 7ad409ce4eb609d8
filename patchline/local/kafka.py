"""Apache Kafka on this machine: one node in KRaft mode that keeps its data over a restart."""

import base64
import hashlib
import os
import signal
import socket
import struct
import uuid
from pathlib import Path
from typing import Final, NamedTuple

from patchline.local import Say, place, ports
from patchline.local.child import Child, Command
from patchline.local.jars import kafka_jars
from patchline.local.java import Java, find

DEFAULT_PORT: Final = 19092
_READY_SECONDS: Final = 90
_STOP_SECONDS: Final = 40  # the first clean stop also writes the class archive

# Small and quick rather than fast under days of load: two cores are shared with everything else that runs.
_JVM: Final = ("-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
_JVM_QUIET_SINCE_24: Final = ("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED")
_LOGGING: Final = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
# The session is short because a broker that crashed may come back only when its old session has ended.
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=CLIENT://{host}:{port},{second_listener}CONTROLLER://{host}:{controller_port}
advertised.listeners=CLIENT://{host}:{advertised_port}{second_advertised}
listener.security.protocol.map=CLIENT:PLAINTEXT,SECOND:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENT
controller.listener.names=CONTROLLER
log.dirs={data}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
metadata.max.idle.interval.ms=5000
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=4000
"""


class SecondWay(NamedTuple):
    """Another port that the broker listens on, and the port where those who come to it are told that it is."""

    port: int
    advertised: int


class Kafka:
    """A Kafka broker below `place`, its own directory. `port` 0 takes any free one at the first start.

    Clients are sent to `advertised_port`, if it is given: a proxy stands there. With a `second_way`, those who come to
    the port that it listens on are sent to the one that it names; it holds from the next start.
    """

    name = "kafka"

    def __init__(
        self, place: Path, *, cache: Path, port: int = DEFAULT_PORT, advertised_port: int | None = None
    ) -> None:
        self._place = place
        self._cache = cache
        self._port = port
        self._advertised_port = advertised_port
        self._archive: _ClassArchive | None = None
        self.second_way: SecondWay | None = None
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return the bootstrap server, `host:port`."""
        return f"{ports.LOOPBACK}:{self._port}"

    def start(self, say: Say) -> None:
        """Start it and return when it answers clients. Raises: PartUnavailable."""
        self._port = ports.claimed(self._port, setting="PATCHLINE_KAFKA_PORT")
        java = find()
        jars = kafka_jars(self._cache, java=java, say=say)
        place.made(self._place)
        properties = self._write_properties()
        self._archive = _ClassArchive(self._cache, java=java, jars=jars)
        jvm = (str(java.path), *_JVM, *(_JVM_QUIET_SINCE_24 if java.major >= 24 else ()), *_LOGGING)
        classpath = ("-cp", os.pathsep.join(str(jar) for jar in sorted(jars.glob("*.jar"))))
        self._format((*jvm, *classpath), properties, say)
        say(f"kafka: starting on {self.url}")
        self.child = Child(self._command("kafka", (*jvm, *self._archive.options(), *classpath), properties))
        self.child.start()
        self.child.wait_until(lambda: answers_metadata(self._port), timeout_seconds=_READY_SECONDS)
        say(f"kafka: ready on {self.url}")

    def stop(self) -> None:
        """Stop it in order; its data stay."""
        if self.child is None:
            return
        self.child.stop(timeout_seconds=_STOP_SECONDS)
        if self._archive is not None and self.child.exit_code != -signal.SIGKILL:
            self._archive.keep()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.child is not None:
            self.child.kill()

    def _write_properties(self) -> Path:
        path = self._place / "server.properties"
        controller_port = ports.claimed(0, setting="")
        values = {
            "host": ports.LOOPBACK,
            "port": self._port,
            "advertised_port": self._advertised_port or self._port,
            "controller_port": controller_port,
            "second_listener": f"SECOND://{ports.LOOPBACK}:{self.second_way.port}," if self.second_way else "",
            "second_advertised": f",SECOND://{ports.LOOPBACK}:{self.second_way.advertised}" if self.second_way else "",
        }
        path.write_text(_PROPERTIES.format(data=self._place / "data", **values))
        return path

    def _format(self, java: tuple[str, ...], properties: Path, say: Say) -> None:
        if (self._place / "data" / "meta.properties").exists():
            return
        say("kafka: formatting its storage (once)")
        tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted", f"--cluster-id={_cluster_id()}", "--config")
        argv = (*java, *tool, str(properties))
        Child(Command(name="kafka format", argv=argv, log_path=self._log_path, cwd=self._place)).finish(
            timeout_seconds=_READY_SECONDS
        )

    def _command(self, name: str, java: tuple[str, ...], properties: Path) -> Command:
        argv = (*java, "kafka.Kafka", str(properties))
        return Command(name=name, argv=argv, log_path=self._log_path, cwd=self._place)

    @property
    def _log_path(self) -> Path:
        return self._place / "kafka.log"


class _ClassArchive:
    """Loaded classes, written at the end of the first clean run and mapped from then on: starts take half the time."""

    def __init__(self, cache: Path, *, java: Java, jars: Path) -> None:
        digest = hashlib.sha256(f"{java.path}\n{java.build}\n{jars}\n{_JVM}".encode()).hexdigest()[:12]
        self._path = cache / f"kafka-classes-{digest}"
        self._partial = cache / f"kafka-classes-{digest}.{os.getpid()}.partial"
        ahead_of_time = java.major >= 25  # needs no archive of the Java itself, which one from a wheel lacks
        self._use = "AOTCache" if ahead_of_time else "SharedArchiveFile"
        self._write = "AOTCacheOutput" if ahead_of_time else "ArchiveClassesAtExit"

    def options(self) -> tuple[str, ...]:
        archive = f"-XX:{self._use}={self._path}" if self._path.exists() else f"-XX:{self._write}={self._partial}"
        return (archive, "-Xlog:disable", "-Xlog:all=error:stderr")

    def keep(self) -> None:
        if self._partial.exists():
            self._partial.replace(self._path)


def answers_metadata(port: int) -> bool:
    """Return whether the broker on `port` answers a Metadata request with itself in the list.

    Source: Kafka protocol guide, Metadata v1: asks for no topic; the answer starts with the array of live brokers.
    """
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # api key, version, correlation id, no client id, no topics
    try:
        with socket.create_connection((ports.LOOPBACK, port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(12, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 12 and int(struct.unpack(">iii", answer)[2]) > 0


def _cluster_id() -> str:
    return "P" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]  # a leading "-" would read as an option
