"""`patchline topics diff|apply`: the declared topics against what the cluster has."""

import asyncio
from collections.abc import Sequence
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
Replication = Annotated[int, typer.Option(min=1, help="Copies of each new topic; production demands 3.")]

SETTLE_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the cluster is not as declared. `fewer` is mended; `more partitions` never: keys would move."""

    topic: str
    what: Literal["missing", "fewer partitions", "more partitions", "setting"]
    declared: str
    actual: str


def differences(
    declared: Sequence[Topic], partitions: dict[str, int], settings: dict[str, dict[str, str]]
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
            for name, value in topic.config.items()
            if actual.get(name) != value
        ]
    return found


@app.command()
def diff(*, kafka: Kafka = None, as_json: Json = False) -> None:
    """Show what differs; exit code 1 if anything does.

    Example: patchline topics diff --json
    """
    found = commands.run(_look(kafka or commands.kafka_servers()))
    rows = [
        {"topic": each.topic, "what": each.what, "declared": each.declared, "actual": each.actual} for each in found
    ]
    commands.show(rows, title="Differences", as_json=as_json)
    raise SystemExit(commands.NO if found else commands.OK)


@app.command()
def apply(*, kafka: Kafka = None, replication: Replication = 1, as_json: Json = False) -> None:
    """Create what is missing, add partitions, mend settings. Never removes anything.

    Example: patchline topics apply --replication 3
    """
    bootstrap = kafka or commands.kafka_servers()
    mended = commands.run(apply_declared(bootstrap, replication=replication))
    rows = [{"topic": each.topic, "what": each.what, "declared": each.declared} for each in mended]
    commands.show(rows, title="Mended", as_json=as_json)


async def _look(kafka: str) -> list[Difference]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        return await _differences(admin)
    finally:
        await admin.close()


async def apply_declared(kafka: str, *, replication: int = 1) -> list[Difference]:
    """Bring the cluster to what is declared and return what was mended.

    Raises:
        KafkaError: the cluster cannot be reached or refuses.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        found = await _differences(admin)
        missing = [topics.BY_NAME[each.topic] for each in found if each.what == "missing"]
        if missing:
            await admin.create_topics(
                [NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config) for topic in missing]
            )
        fewer = {each.topic: NewPartitions(int(each.declared)) for each in found if each.what == "fewer partitions"}
        if fewer:
            await admin.create_partitions(fewer)
        settings = {each.topic for each in found if each.what == "setting"}
        if settings:
            await admin.alter_configs(
                [
                    ConfigResource(ConfigResourceType.TOPIC, name, configs=topics.BY_NAME[name].config)
                    for name in sorted(settings)
                ]
            )
        await _settled(admin, {topic.name for topic in missing})
        return [each for each in found if each.what != "more partitions"]
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


async def _differences(admin: AIOKafkaAdminClient) -> list[Difference]:
    declared = topics.every()
    present = set(await admin.list_topics())
    ours = [topic.name for topic in declared if topic.name in present]
    described = await admin.describe_topics(ours) if ours else []
    partitions = {each["topic"]: len(each["partitions"]) for each in described}
    return differences(declared, partitions, await _settings(admin, ours))


async def _settings(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        resource[3]: {entry[0]: entry[1] for entry in resource[4]}
        for answer in answers
        for resource in answer.resources
    }
