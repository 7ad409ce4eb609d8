"""`patchline watermark list|set`: where each consumer group stands, and the way on when a log does not continue."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Final, LiteralString

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis import commands
from chassis.postgres import Connection
from chassis.topic_ids import topic_ids
from patchline import standing
from patchline.schemas import SCHEMAS
from patchline.standing import Log, Mark, Move, NoSuchPlace

app = typer.Typer(no_args_is_help=True, help="Where each consumer group stands, and the way on when a log is broken.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Group = Annotated[str | None, typer.Option(help="Only this consumer group.")]
Topic = Annotated[str | None, typer.Option(help="Only this topic.")]
Partition = Annotated[int | None, typer.Option(help="Only this partition.")]

_EMPTY: Final = frozenset({"Empty", "Dead"})


@app.command("list")
def list_command(*, group: Group = None, topic: Topic = None, as_json: Json = False) -> None:
    """List where each group stands beside what the logs have; exit code 1 if one does not continue there.

    Example: patchline watermark list --topic rmm.raw
    """
    marks, logs = commands.run(_looked_up(group, topic, None))
    rows = [_row(mark, logs.get(mark.partition)) for mark in marks]
    commands.show(rows, title="Watermarks", as_json=as_json)
    raise SystemExit(commands.OK if all(row["log"] == "continues" for row in rows) else commands.NO)


@app.command("set")
def set_command(
    topic: Annotated[str, typer.Argument(help="The topic, for example rmm.events.")],
    *,
    to: Annotated[str, typer.Option(help="`beginning` or `end` of what the log has, or an offset.")],
    group: Group = None,
    partition: Partition = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this it only says what it would do.")] = False,
    as_json: Json = False,
) -> None:
    """Move groups that stand still: every group that reads the topic, unless narrowed. Says what that means first.

    Example: patchline watermark set rmm.events --to beginning --group inventory --yes
    """
    moves = commands.run(_moves(group, topic, partition, to))
    if not moves:
        commands.stop(f"no group has a watermark in {topic} that matches", commands.NO)
    if yes:
        commands.run(_made(moves))
    commands.show([_said(each) for each in moves], title="Moved" if yes else "Would move", as_json=as_json)
    if not yes:
        commands.stop("nothing was changed; say --yes to do it", commands.NO)


def _row(mark: Mark, log: Log | None) -> dict[str, object]:
    return {
        "group": mark.group,
        "topic": mark.partition.topic,
        "partition": mark.partition.partition,
        "next": mark.next_offset,
        "log begins": log.begins if log else None,
        "log ends": log.ends if log else None,
        "lag": max(0, log.ends - mark.next_offset) if log else None,
        "log": standing.verdict(mark, log),
    }


def _said(each: Move) -> dict[str, object]:
    return {
        "group": each.mark.group,
        "topic": each.mark.partition.topic,
        "partition": each.mark.partition.partition,
        "from": each.mark.next_offset,
        "to": each.to,
        "handled again": each.again,
        "skipped": each.skipped,
        "gone unread": each.gone,
    }


async def _looked_up(
    group: str | None, topic: str | None, partition: int | None
) -> tuple[list[Mark], dict[TopicPartition, Log]]:
    async with commands.operator() as connection:
        marks = await _marks(connection, group, topic, partition)
    return marks, await _logs({mark.partition for mark in marks})


OF_SCHEMA: Final[LiteralString] = "SELECT set_config('search_path', $1, false)"
READ: Final[LiteralString] = """
    SELECT consumer_group, topic, partition, next_offset, topic_id
    FROM watermark
    WHERE ($1::text IS NULL OR consumer_group = $1) AND ($2::text IS NULL OR topic = $2)
      AND ($3::integer IS NULL OR partition = $3)
    ORDER BY consumer_group, topic, partition
"""


async def _marks(connection: Connection, group: str | None, topic: str | None, partition: int | None) -> list[Mark]:
    marks: list[Mark] = []
    for schema in SCHEMAS:
        await connection.fetchval(OF_SCHEMA, schema.name)
        for row in await connection.fetch(READ, group, topic, partition):
            place = TopicPartition(row["topic"], row["partition"])
            marks.append(Mark(schema.name, row["consumer_group"], place, row["next_offset"], row["topic_id"]))
    return marks


async def _logs(partitions: Collection[TopicPartition]) -> dict[TopicPartition, Log]:
    kafka = commands.kafka_servers()
    names = sorted({each.topic for each in partitions})
    ids = await topic_ids(kafka, names)
    there = sorted(set(partitions) & await _known(kafka, names))
    if not there:
        return {}
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        begins = await consumer.beginning_offsets(there)
        ends = await consumer.end_offsets(there)
    finally:
        await consumer.stop()
    return {each: Log(begins[each], ends[each], ids.get(each.topic)) for each in there}


async def _known(kafka: str, names: Sequence[str]) -> set[TopicPartition]:
    """Return the partitions that the cluster has of these topics."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        described = (
            await admin.describe_topics([name for name in names if name in present])
            if present.intersection(names)
            else []
        )
    finally:
        await admin.close()
    return {TopicPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]}


async def _moves(group: str | None, topic: str, partition: int | None, to: str) -> list[Move]:
    marks, logs = await _looked_up(group, topic, partition)
    active = await _active({mark.group for mark in marks})
    if active:
        commands.stop(f"{', '.join(active)}: still consuming; stop every process of it first", commands.NO)
    try:
        return [standing.move(mark, logs.get(mark.partition), to) for mark in marks]
    except NoSuchPlace as error:
        commands.stop(str(error), commands.NO)


async def _active(groups: Collection[str]) -> Sequence[str]:
    """Return those of the groups that have members.

    One at a time: aiokafka 0.14 reads the answer to version 3 as version 2, so it stumbles over a second group.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=commands.kafka_servers())
    await admin.start()
    try:
        answers = [(await admin.describe_consumer_groups([group]))[0] for group in sorted(groups)]
    finally:
        await admin.close()
    return [entry[1] for answer in answers for entry in answer.groups if entry[2] not in _EMPTY]


SET: Final[LiteralString] = """
    UPDATE watermark
    SET next_offset = moved.to_offset, last_identity = NULL, topic_id = moved.topic_id
    FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::bigint[], $6::uuid[])
        AS moved (consumer_group, topic, partition, from_offset, to_offset, topic_id)
    WHERE watermark.consumer_group = moved.consumer_group AND watermark.topic = moved.topic
      AND watermark.partition = moved.partition AND watermark.next_offset = moved.from_offset
"""


async def _made(moves: Sequence[Move]) -> None:
    by_schema: Mapping[str, list[Move]] = {schema.name: [] for schema in SCHEMAS}
    for each in moves:
        by_schema[each.mark.schema].append(each)
    async with commands.operator() as connection, connection.transaction():
        for schema, theirs in by_schema.items():
            await connection.fetchval(OF_SCHEMA, schema)
            tag = await connection.execute(SET, *zip(*map(_columns, theirs), strict=True)) if theirs else "UPDATE 0"
            if tag != f"UPDATE {len(theirs)}":
                commands.stop("a watermark moved meanwhile: something still consumes; nothing was changed", commands.NO)


def _columns(each: Move) -> tuple[object, ...]:
    mark = each.mark
    return mark.group, mark.partition.topic, mark.partition.partition, mark.next_offset, each.to, each.topic_id
