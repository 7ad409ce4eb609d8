"""`patchline topics diff|apply`: the declared topics against what the cluster has."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import typer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from chassis import commands
from contracts import topics
from contracts.topics import Topic

app = typer.Typer(no_args_is_help=True, help="The declared topics against what the cluster has.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Kafka = Annotated[str | None, typer.Option(help="Bootstrap servers; default: PATCHLINE_KAFKA.")]
Replication = Annotated[
    int, typer.Option(min=1, envvar="PATCHLINE_TOPIC_REPLICATION", help="Copies of each topic; production demands 3.")
]
InSync = Annotated[
    int,
    typer.Option(min=1, envvar="PATCHLINE_TOPIC_IN_SYNC", help="Copies that must have a record before it is kept."),
]

SETTLE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Copies:
    """How many copies each topic has, and how many must have a record before it is acknowledged (1: as the broker)."""

    each: int = 1
    in_sync: int = 1

    @property
    def config(self) -> dict[str, str]:
        """Return the broker's setting for it, beside those that a topic declares."""
        return {"min.insync.replicas": str(self.in_sync)} if self.in_sync > 1 else {}


ONE_COPY: Final = Copies()
DEMANDED: Final = Copies(each=3, in_sync=2)
"""What production demands: what was acknowledged survives the loss of any one broker, and delivering goes on."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the cluster is not as declared.

    Two are never mended here: `more partitions`, because keys would move, and `fewer copies`, because whoever runs the
    cluster decides where copies go (Kafka's kafka-reassign-partitions).
    """

    topic: str
    what: Literal["missing", "fewer partitions", "more partitions", "fewer copies", "setting"]
    declared: str
    actual: str


def differences(
    declared: Sequence[Topic],
    partitions: dict[str, int],
    settings: dict[str, dict[str, str]],
    copies: Copies = ONE_COPY,
) -> list[Difference]:
    """Return how the cluster differs, in the order of declaration. Topics that we did not declare are not ours."""
    found: list[Difference] = []
    for topic in declared:
        have = partitions.get(topic.name)
        if have is None:
            found.append(Difference(topic.name, "missing", str(topic.partitions), "0"))
            continue
        if have != topic.partitions:
            word: Literal["fewer partitions", "more partitions"] = (
                "fewer partitions" if have < topic.partitions else "more partitions"
            )
            found.append(Difference(topic.name, word, str(topic.partitions), str(have)))
        actual = settings.get(topic.name, {})
        found += [
            Difference(topic.name, "setting", f"{name}={value}", f"{name}={actual.get(name, '')}")
            for name, value in {**topic.config, **copies.config}.items()
            if actual.get(name) != value
        ]
    return found


def short_of_copies(declared: Sequence[Topic], fewest: Mapping[str, int], copies: Copies) -> list[Difference]:
    """Return the topics that have a partition with fewer copies than wanted; `fewest` says how many by topic."""
    return [
        Difference(topic.name, "fewer copies", str(copies.each), str(fewest[topic.name]))
        for topic in declared
        if fewest.get(topic.name, copies.each) < copies.each
    ]


@app.command()
def diff(*, kafka: Kafka = None, replication: Replication = 1, in_sync: InSync = 1, as_json: Json = False) -> None:
    """Show what differs; exit code 1 if anything does.

    Example: patchline topics diff --replication 3 --in-sync 2
    """
    found = commands.run(_look(kafka or commands.kafka_servers(), _wanted(replication, in_sync)))
    rows = [
        {"topic": each.topic, "what": each.what, "declared": each.declared, "actual": each.actual} for each in found
    ]
    commands.show(rows, title="Differences", as_json=as_json)
    raise SystemExit(commands.NO if found else commands.OK)


@app.command()
def apply(*, kafka: Kafka = None, replication: Replication = 1, in_sync: InSync = 1, as_json: Json = False) -> None:
    """Create what is missing, add partitions, mend settings. Never removes anything.

    With PATCHLINE_ENVIRONMENT=production it refuses less than three copies of which two are in sync.

    Example: patchline topics apply --replication 3 --in-sync 2
    """
    bootstrap = kafka or commands.kafka_servers()
    mended = commands.run(apply_declared(bootstrap, copies=_wanted(replication, in_sync)))
    rows = [{"topic": each.topic, "what": each.what, "declared": each.declared} for each in mended]
    commands.show(rows, title="Mended", as_json=as_json)


def _wanted(replication: int, in_sync: int) -> Copies:
    """Return how many copies there shall be; in production no fewer than demanded."""
    copies = Copies(replication, in_sync)
    if copies.in_sync > copies.each:
        commands.stop(f"--in-sync {in_sync}: no record would ever count as kept with {replication}", commands.WRONG_USE)
    is_enough = copies.each >= DEMANDED.each and copies.in_sync >= DEMANDED.in_sync
    if os.environ.get("PATCHLINE_ENVIRONMENT") == "production" and not is_enough:
        wanted = f"--replication {DEMANDED.each} --in-sync {DEMANDED.in_sync}"
        commands.stop(f"production demands {wanted} or more, not {replication} and {in_sync}", commands.WRONG_USE)
    return copies


async def _look(kafka: str, copies: Copies) -> list[Difference]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return await _differences(admin, copies)
    finally:
        await admin.close()


async def apply_declared(kafka: str, *, copies: Copies = ONE_COPY) -> list[Difference]:
    """Bring the cluster to what is declared and return what was mended.

    Raises:
        KafkaError: the cluster cannot be reached or refuses.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        found = await _differences(admin, copies)
        missing = [topics.BY_NAME[each.topic] for each in found if each.what == "missing"]
        if missing:
            await admin.create_topics(
                [
                    NewTopic(topic.name, topic.partitions, copies.each, topic_configs={**topic.config, **copies.config})
                    for topic in missing
                ]
            )
        fewer = {each.topic: NewPartitions(int(each.declared)) for each in found if each.what == "fewer partitions"}
        if fewer:
            await admin.create_partitions(fewer)
        settings = {each.topic for each in found if each.what == "setting"}
        if settings:
            await admin.alter_configs(
                [
                    ConfigResource(
                        ConfigResourceType.TOPIC, name, configs={**topics.BY_NAME[name].config, **copies.config}
                    )
                    for name in sorted(settings)
                ]
            )
        await _settled(admin, {topic.name for topic in missing})
        return [each for each in found if each.what not in {"more partitions", "fewer copies"}]
    finally:
        await admin.close()


async def _settled(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Wait until every new topic has leaders: a producer that asks earlier waits for its metadata to age."""
    async with asyncio.timeout(SETTLE_SECONDS):
        while names:
            described = await admin.describe_topics(sorted(names))
            names = {
                each["topic"]
                for each in described
                if each["error_code"] or any(partition["leader"] < 0 for partition in each["partitions"])
            }
            if names:
                await asyncio.sleep(0.1)


async def _differences(admin: AIOKafkaAdminClient, copies: Copies) -> list[Difference]:
    declared = topics.every()
    present = set(await admin.list_topics())
    ours = [topic.name for topic in declared if topic.name in present]
    described = await admin.describe_topics(ours) if ours else []
    partitions = {each["topic"]: len(each["partitions"]) for each in described}
    fewest = {each["topic"]: min(len(one["replicas"]) for one in each["partitions"]) for each in described}
    found = differences(declared, partitions, await _settings(admin, ours), copies)
    return found + short_of_copies(declared, fewest, copies)


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
