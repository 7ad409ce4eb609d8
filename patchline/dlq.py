"""`patchline dlq list|show|replay`: what could not be handled, and the way back for it."""

import base64
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis import commands, producing
from chassis.batch import REPLAY_GROUP
from contracts.topics import dead_letter_topics
from patchline import sealed_letter

app = typer.Typer(no_args_is_help=True, help="Dead letters: what could not be handled, and the way back for it.")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Group = Annotated[str | None, typer.Option(help="Only what this consumer group refused.")]
Topic = Annotated[str | None, typer.Option(help="Only what was refused from this topic, for example rmm.raw.")]

Source = Annotated[str | None, typer.Option(help="Only what came from this source, for example rmm/ninjaone/main.")]

READ_TIMEOUT_MS: Final = 2000
REPLAYED: Final = "dlq_replay_of"
_OURS: Final = ("dlq_reason", "dlq_topic", "dlq_partition", "dlq_offset", "dlq_at", "dlq_group")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused record: whole, with why and where it stood."""

    id: str
    headers: dict[str, str]
    raw_headers: list[tuple[str, bytes]]
    key: bytes | None
    value: bytes | None

    @property
    def source(self) -> str | None:
        """Return the source that it came from, if its headers say so."""
        return self.headers.get("source") or self.headers.get("ce_source")

    def row(self) -> dict[str, object]:
        """Return what a list shows."""
        return {
            "id": self.id,
            "at": self.headers.get("dlq_at"),
            "group": self.headers.get("dlq_group"),
            "from": "/".join(self.headers.get(f"dlq_{part}", "?") for part in ("topic", "partition", "offset")),
            "source": self.source,
            "bytes": len(self.value or b""),
            "reason": self.headers.get("dlq_reason"),
        }


@app.command("list")
def list_command(*, group: Group = None, topic: Topic = None, source: Source = None, as_json: Json = False) -> None:
    """List the dead letters, oldest first; a replayed one stays listed, as evidence.

    Example: patchline dlq list --topic rmm.raw
    """
    letters = commands.run(read_letters(commands.kafka_servers(), group=group, topic=topic))
    rows = [letter.row() for letter in letters if source in {None, letter.source}]
    commands.show(rows, title="Dead letters", as_json=as_json)


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="The id that `list` shows.")],
    *,
    opens: Annotated[
        bool, typer.Option("--open", help="Open a sealed body: needs PATCHLINE_DATABASE_URL of the gateway's role.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show one dead letter: why it was refused, its headers, and its bytes as they came; of a raw record only if asked.

    Example: patchline dlq show 2f1c...
    """
    found = _one(commands.run(read_letters(commands.kafka_servers())), letter)
    body, sealed = found.value or b"", sealed_letter.is_sealed(found.raw_headers)
    if sealed and opens:
        body, sealed = sealed_letter.opened(found.raw_headers, found.value), False
    if as_json:
        told = {"headers": found.headers, "sealed": sealed, "body_base64": base64.b64encode(body).decode()}
        sys.stdout.write(json.dumps({**found.row(), **told}, indent=2) + "\n")
        return
    commands.show(
        [{"header": name, "value": value} for name, value in found.headers.items()], title=found.id, as_json=False
    )
    text = sealed_letter.SEALED if sealed else body.decode("utf-8", "backslashreplace")
    commands.console.print(text, markup=False, highlight=False)


@app.command()
def replay(
    letter: Annotated[str | None, typer.Argument(help="The id that `list` shows.")] = None,
    *,
    all_letters: Annotated[
        bool, typer.Option("--all", help="Every one that matches --group, --topic, --source.")
    ] = False,
    group: Group = None,
    topic: Topic = None,
    source: Source = None,
    as_json: Json = False,
) -> None:
    """Put dead letters back into the topic they came from, for the group that refused them and no other.

    Example: patchline dlq replay --all --topic rmm.raw
    """
    if (letter is None) == (not all_letters):
        commands.stop("name one dead letter, or say --all", commands.WRONG_USE)
    kafka = commands.kafka_servers()
    letters = commands.run(read_letters(kafka, group=group, topic=topic))
    matching = [each for each in letters if source in {None, each.source}]
    chosen = matching if letter is None else [_one(matching, letter)]
    commands.run(replay_letters(kafka, chosen))
    commands.show([each.row() for each in chosen], title="Replayed", as_json=as_json)


def _one(letters: Sequence[DeadLetter], wanted: str) -> DeadLetter:
    found = [letter for letter in letters if letter.id.startswith(wanted)]
    if len(found) != 1:
        commands.stop(f"{len(found)} dead letters have an id that starts with {wanted!r}", commands.NO)
    return found[0]


async def read_letters(kafka: str, *, group: str | None = None, topic: str | None = None) -> list[DeadLetter]:
    """Return the dead letters of all topics, each id once, oldest first.

    Raises:
        KafkaError: the cluster cannot be reached.
    """
    names = [each.name for each in dead_letter_topics() if topic is None or each.name == f"{topic}.dlq"]
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        letters = [letter async for letter in _letters(consumer, names)]
    finally:
        await consumer.stop()
    by_id = {letter.id: letter for letter in letters if group is None or letter.headers.get("dlq_group") == group}
    return sorted(by_id.values(), key=lambda letter: letter.headers.get("dlq_at", ""))


async def _letters(consumer: AIOKafkaConsumer, names: Sequence[str]) -> Any:
    known = await consumer.topics()
    partitions = [
        TopicPartition(name, number)
        for name in names
        if name in known
        for number in sorted(consumer.partitions_for_topic(name) or {0})
    ]
    if not partitions:
        return
    ends = await consumer.end_offsets(partitions)
    consumer.assign(partitions)
    for each in partitions:
        await consumer.seek_to_beginning(each)
    left = {each for each in partitions if ends[each] > 0 and await consumer.position(each) < ends[each]}
    while left:
        for each, records in (await consumer.getmany(timeout_ms=READ_TIMEOUT_MS)).items():
            for record in records:
                yield _letter(record)
            if await consumer.position(each) >= ends[each]:
                left.discard(each)


def _letter(record: Any) -> DeadLetter:
    headers = {name: value.decode("utf-8", "backslashreplace") for name, value in record.headers}
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return DeadLetter(headers.get("dlq_id", place), headers, list(record.headers), record.key, record.value)


async def replay_letters(kafka: str, letters: Sequence[DeadLetter]) -> None:
    """Put each letter back where it came from, acknowledged by all replicas.

    Raises:
        KafkaError, TimeoutError: the cluster cannot be reached or refuses; repeating the command is harmless.
    """
    async with producing.connected(kafka) as producer:
        for letter in letters:
            headers = [(name, value) for name, value in letter.raw_headers if name not in {"dlq_id", *_OURS}]
            headers += [(REPLAY_GROUP, letter.headers["dlq_group"].encode()), (REPLAYED, letter.id.encode())]
            await producer.send_and_wait(letter.headers["dlq_topic"], letter.value, letter.key, headers=headers)
