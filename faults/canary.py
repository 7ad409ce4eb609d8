"""Looks for planted secrets wherever the product could have left them: topics, tables, files, tickets, mails, traces.

Each is looked for as it is, in base64 at each of the three offsets, in hex, percent-encoded and as UTF-16. What proves
that the search works is a word that must be found in each of these places.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis.health import Receive, Scope, Send
from contracts import topics
from patchline.demo.evidence import Evidence

READ_MS: Final = 1000
CHUNK_BYTES: Final = 1 << 22
NOT_OURS: Final = frozenset({"secrets", "breach"})
"""Folders of a stack that are there to hold secrets, or what the demo's people keep."""


@dataclass(slots=True)
class Traces:
    """Takes the spans that the services export, as bytes: an ASGI app in the collector's place."""

    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Keep one export."""
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["type"] == "http":
            self.bodies.append(body)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})


@dataclass(slots=True)
class Search:
    """What is looked for, and how often by place: hits, hits of the word that must be there, pieces looked into."""

    secrets: Sequence[str]
    word: str
    found: Counter[str] = field(default_factory=Counter)
    control: Counter[str] = field(default_factory=Counter)
    looked: Counter[str] = field(default_factory=Counter)
    _forms: tuple[bytes, ...] = ()
    _word_forms: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Write each secret in every form that is looked for."""
        self._forms = tuple({form for secret in self.secrets for form in forms(secret)})
        self._word_forms = tuple(forms(self.word))

    @property
    def longest(self) -> int:
        """Return how long the longest form is."""
        return max(map(len, (*self._forms, *self._word_forms)))

    def look(self, place: str, content: bytes) -> None:
        """Count the secrets in one piece of what stands at `place`."""
        self.looked[place] += bool(content)
        self.found[place] += sum(form in content for form in self._forms)
        self.control[place] += any(form in content for form in self._word_forms)


def forms(secret: str) -> Iterator[bytes]:
    """Yield a secret in every form in which somebody could have written it down."""
    raw = secret.encode()
    yield raw
    yield raw.hex().encode()
    yield quote(secret).encode()
    yield secret.encode("utf-16-le")
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + raw)
        yield coded[(offset * 8 + 5) // 6 : len(coded) - 4]  # the ends depend on what stands beside it


async def in_topics(search: Search, kafka: str, evidence: Evidence) -> None:
    """Look into every record of every topic: as it is stored, and what the gateway can open, in clear."""
    async for record in _records(kafka):
        parts = [record.key or b"", record.value or b"", *(value for _, value in record.headers)]
        search.look("topics", b"\n".join(parts))
        opened = await evidence.body(record)
        if opened != (record.value or b""):
            search.look("sealed bodies, opened", opened)


async def _records(kafka: str) -> "AsyncIterator[AIOKafkaConsumer]":
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(each.name, number) for each in topics.every() for number in range(each.partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        left = {place for place in places if ends[place] > 0}
        while left:
            for records in (await consumer.getmany(timeout_ms=READ_MS)).values():
                for record in records:
                    yield record
            left = {place for place in left if await consumer.position(place) < ends[place]}
    finally:
        await consumer.stop()


async def in_tables(search: Search, url: str) -> None:
    """Look into every row of every table, as its owner sees it."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )
        for table in tables:
            async with connection.transaction():
                async for row in connection.cursor(f"SELECT t::text AS row FROM {table['name']} AS t"):  # noqa: S608 - names come from the catalog of tables
                    search.look("tables", row["row"].encode())
    finally:
        await connection.close()


async def in_files(search: Search, home: Path) -> None:
    """Look into every file below `home`: logs of the services, and what Kafka, PostgreSQL and the others stored."""
    await asyncio.to_thread(_in_files, search, home)


def _in_files(search: Search, home: Path) -> None:
    for file in sorted(home.rglob("*")):
        if file.is_file() and not file.is_symlink() and file.relative_to(home).parts[0] not in NOT_OURS:
            place = "logs" if file.suffix == ".log" and file.parent.name == "logs" else "stored bytes"
            for piece in _pieces(file, search.longest):
                search.look(place, piece)


def _pieces(file: Path, overlap: int) -> Iterable[bytes]:
    try:
        with file.open("rb") as opened:
            before = b""
            while piece := opened.read(CHUNK_BYTES):
                yield before + piece
                before = piece[-overlap:]
    except FileNotFoundError:  # it was swept away since it was listed
        return


def in_texts(search: Search, texts: Mapping[str, Iterable[str]]) -> None:
    """Look into texts by place, such as tickets and mails."""
    for place, every in texts.items():
        for text in every:
            search.look(place, text.encode())
