"""Records that nobody can read, on every declared topic, while a day comes in: each group steps over them, loudly.

Somebody who may write to the cluster wrote nonsense, or a producer of another release did. Each consumer group keeps
such a record whole in the dead-letter topic, once, and goes on; the neighbours in its batch are handled as ever.
"""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaProducer
from typer.main import get_command

import contracts
from contracts import channels, raw, topics
from contracts.envelope import NULL_VALUE
from contracts.events.event import Event
from contracts.topics import Topic
from faults.parts import load, until_all_work
from faults.report import Injured
from faults.world import World
from patchline.demo.subscriber import WATCHED
from patchline.demo.typed import CommandFailed, typed
from patchline.dlq import DeadLetter, read_letters
from patchline.main import app
from patchline.schemas import SCHEMAS

Header = tuple[str, bytes]

NOISE: Final = b'\xff\xfe\x00{"nobody": '
NOT_UTF8: Final = b"poison-\xff\xfe"
AGES_AGO: Final = b"0001-01-01T00:00:00+14:00"
NIL: Final = UUID(int=0)
NOBODY: Final = "rmm/poison/nobody"
KEY: Final = b"poison"
_SOURCE: Final = re.compile(r'"rmm/[a-z-]+/[a-z-]+"')
EXAMPLES: Final = Path(contracts.__file__).parent / "examples"
LOAD_SECONDS: Final = 6.0
"""Neighbours come before, between and after the poison."""


class Place(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """One record that is no event of ours; `says` is for people.

    What `reads_well` is an event by its form, but holds what no table takes: a group may also find nothing to do in it.
    """

    says: str
    headers: tuple[Header, ...]
    value: bytes | None
    reads_well: bool = False


async def injure(world: World) -> Sequence[Injured]:
    """Write every kind of poison to every declared topic while a day comes in, and judge."""
    desk = await world.desk_at_work()
    await world.morning_over()
    deaths = len(world.supervisor.deaths)
    async with load(world, desk, LOAD_SECONDS):
        written = await _written(world)
        recovered = await until_all_work(world)
    judgement = await world.judged()
    letters = await read_letters(world.stack.around.kafka)
    passed = await _passed(world)
    told = outcome(written, passed, letters)
    wrong = [*told.wrong, *await asyncio.to_thread(_not_shown, written, letters)]
    wrong += [f"{death.program} ended with {death.exit_code}" for death in world.supervisor.deaths[deaths:]]
    wrong += _not_met(world, written)
    for line in (*told.lost, *told.doubled, *wrong):
        world.say(line)
    return [
        Injured(
            fault=world.size.marked("a record that nobody can read, on every topic"),
            injected=len(written),
            recovered_s=round(recovered, 1),
            lost=judgement.lost + len(told.lost),
            doubled=judgement.doubled + len(told.doubled),
            wrong=judgement.wrong + len(wrong),
        )
    ]


def poisons(topic: Topic, *, types: int | None = None) -> Iterator[Poison]:
    """Yield one of each kind for `topic`, made from what belongs there; what no table takes of so many types."""
    yield Poison(says="no header at all", headers=(), value=NOISE)
    good = _raw_headers() if topic in channels.RAW else _event_headers(topic)
    yield Poison(says="no value and no header", headers=(), value=None)
    for name in ["raw_id", "source"] if topic in channels.RAW else ["ce_id", "ce_source", "ce_type"]:
        yield Poison(says=f"{name} is not UTF-8", headers=_with(good, name, NOT_UTF8), value=b"{}")
    if topic in channels.RAW:
        yield Poison(says="a channel that is none", headers=_with(good, "channel", b"pigeon"), value=NOISE)
        yield Poison(says="a moment that is none", headers=_with(good, "received", b"yesterday"), value=NOISE)
        return
    yield Poison(says="bytes that are no JSON", headers=good, value=NOISE)
    yield Poison(says="JSON that is no event", headers=good, value=b"[1, 2, 3]")
    yield Poison(says="no value", headers=good, value=None)
    yield Poison(says="a type of no release", headers=_with(good, "ce_type", b"pigeon.landed.v9"), value=b"{}")
    yield Poison(says="a sequence that is no number", headers=_with(good, "ce_sequence", b"many"), value=b"{}")
    yield from (each for type_ in channels.events_of(topic)[:types] for each in _unstorable(type_))


def _unstorable(type_: type[Event]) -> Iterator[Poison]:
    """Yield events of a type that are well formed, and that no table can take."""
    headers, content = _example(type_)
    value = None if type_.TYPE in NULL_VALUE else json.dumps(content).encode()
    for name, wrong in (("ce_subject", b"poison\x00"), ("ce_sequence", b"9" * 30), ("ce_time", AGES_AGO)):
        says = f"a {type_.TYPE} whose {name} is {wrong!r}"
        yield Poison(says=says, headers=_with(headers, name, wrong), value=value, reads_well=True)


def _event_headers(topic: Topic) -> tuple[Header, ...]:
    """Return the headers of a good event of `topic`, or of any topic where no event travels yet."""
    types: Sequence[type[Event]] = channels.events_of(topic) or channels.events_of(topics.COMPLIANCE_EVENTS)
    headers, _content = _example(types[0])
    return headers


def _example(type_: type[Event]) -> tuple[tuple[Header, ...], Any]:
    """Return the headers and the content of a good event, as if nobody had told it."""
    example = json.loads((EXAMPLES / f"{type_.TYPE}.json").read_text())
    headers = tuple((name, text.encode()) for name, text in example["headers"].items())
    named = (("ce_source", NOBODY.encode()), ("ce_tenantid", str(NIL).encode()), ("ce_id", str(uuid4()).encode()))
    for name, value in named:
        headers = _with(headers, name, value)
    content = json.dumps(example.get("value"))
    return headers, json.loads(_SOURCE.sub(f'"{NOBODY}"', content))


def _raw_headers() -> tuple[Header, ...]:
    own = {"raw_id": str(NIL), "received": "2025-01-15T20:00:00+00:00"}
    shared = raw.shared_headers(vendor="patchline", source=NOBODY, channel="webhook")
    return (*((name, text.encode()) for name, text in own.items()), *shared)


def _with(headers: Sequence[Header], name: str, value: bytes) -> tuple[Header, ...]:
    return (*(each for each in headers if each[0] != name), (name, value))


async def _written(world: World) -> dict[Place, Poison]:
    """Write all of it, spread over the time of the load; return where each record stands."""
    found: dict[Place, Poison] = {}
    types = world.size.of(quick=1, ordinary=1, full=None)  # each is looked for by halving its batch: that takes time
    each = [(topic, poison) for topic in topics.DECLARED for poison in poisons(topic, types=types)]
    world.rng.shuffle(each)
    producer = AIOKafkaProducer(bootstrap_servers=world.stack.around.kafka, acks="all")
    await producer.start()
    try:
        for topic, poison in each:
            partition = world.rng.randrange(topic.partitions)
            told = await producer.send_and_wait(
                topic.name, poison.value, KEY, partition=partition, headers=list(poison.headers)
            )
            found[Place(told.topic, told.partition, told.offset)] = poison
            await asyncio.sleep(LOAD_SECONDS / 2 / len(each))
    finally:
        await producer.stop()
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A line for each record that a group still stands before, refused more than once, or did not keep whole."""

    lost: Sequence[str]
    doubled: Sequence[str]
    wrong: Sequence[str]


def outcome(
    written: Mapping[Place, Poison], passed: Mapping[tuple[str, str, int], int], letters: Sequence[DeadLetter]
) -> Outcome:
    """Compare what was written with where each group stands (by group, topic and partition) and with what it kept."""
    kept = Counter((letter.headers.get("dlq_group", ""), _place_of(letter)) for letter in letters)
    bytes_of = {(letter.headers.get("dlq_group", ""), _place_of(letter)): letter for letter in letters}
    expected = [
        (group, place)
        for place in written
        for group, topic, partition in passed
        if (topic, partition) == (place.topic, place.partition)
    ]
    stuck = [f"{group} stands before {place}" for group, place in expected if passed[group, *place[:2]] <= place.offset]
    lost = [
        f"{group} kept no record with {written[place].says}: {place}"
        for group, place in expected
        if not (kept[group, place] or written[place].reads_well)
    ]
    doubled = [
        f"{group} kept {kept[each]} of {place}" for each in expected for group, place in [each] if kept[each] > 1
    ]
    changed = [
        f"{group} kept {place} otherwise than it was"
        for group, place in expected
        if (letter := bytes_of.get((group, place))) is not None and not _is_whole(letter, written[place])
    ]
    return Outcome(lost=[*stuck, *lost], doubled=doubled, wrong=changed)


def _place_of(letter: DeadLetter) -> Place:
    header = letter.headers
    return Place(
        header.get("dlq_topic", ""), int(header.get("dlq_partition", "-1")), int(header.get("dlq_offset", "-1"))
    )


def _is_whole(letter: DeadLetter, poison: Poison) -> bool:
    own = [each for each in letter.raw_headers if not each[0].startswith("dlq_")]
    return (letter.value, letter.key, sorted(own)) == (poison.value, KEY, sorted(poison.headers))


async def _passed(world: World) -> dict[tuple[str, str, int], int]:
    """Return at which offset each group goes on, by group, topic and partition."""
    found: dict[tuple[str, str, int], int] = {}
    connection = await asyncpg.connect(world.stack.around.database, timeout=10)
    try:
        for schema in SCHEMAS:
            rows = await connection.fetch(
                f"SELECT consumer_group, topic, partition, next_offset FROM {schema.name}.watermark"  # noqa: S608 - ours
            )
            found |= {(row[0], row[1], row[2]): row[3] for row in rows}
    finally:
        await connection.close()
    return found


def _not_shown(written: Mapping[Place, Poison], letters: Sequence[DeadLetter]) -> list[str]:
    """Return a line for each of these letters that a person cannot list, and for one that cannot be shown."""
    own = [letter for letter in letters if _place_of(letter) in written]
    try:
        listed: Sequence[Mapping[str, Any]] = typed(get_command(app), "dlq", "list")
        for letter in own[:1]:
            typed(get_command(app), "dlq", "show", letter.id)
    except CommandFailed as error:
        return [str(error)]
    shown = {row["id"] for row in listed}
    return [f"the dead letter {letter.id} is not listed" for letter in own if letter.id not in shown]


def _not_met(world: World, written: Mapping[Place, Poison]) -> list[str]:
    """Return a line for each topic whose poison the subscriber, who reads as any analyst may, did not step over."""
    met, watched = world.stage.subscriber.seen.unreadable, {topic.name for topic in WATCHED}
    wanted = Counter(place.topic for place, each in written.items() if place.topic in watched and not each.reads_well)
    return [
        f"the subscriber met {met[name]} of {count} in {name}" for name, count in wanted.items() if met[name] < count
    ]
