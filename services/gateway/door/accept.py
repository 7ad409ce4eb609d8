"""The door: one ASGI app that reads bytes, checks who sent them, makes them durable, and only then says 202.

Nothing is parsed here. What is not believed leaves no trace but a count.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from chassis import points
from chassis.clock import Clock
from chassis.health import Receive, Scope, Send
from chassis.telemetry import METERS, Count, new_traceparent
from contracts.ids import new_raw_id_text
from contracts.raw import own_headers
from services.gateway.door import answers, verification
from services.gateway.door.answers import Answer
from services.gateway.door.durable import DURABLE
from services.gateway.door.known_sources import KnownSources
from services.gateway.door.verification import Refused
from services.gateway.door.ways import Ways
from services.gateway.keys.large_bodies import LargeBodies
from services.gateway.registry.sources import Source

_WEBHOOK_PATH: Final = re.compile(r"/webhooks/rmm/[^/]+/[^/]+(?:/bulk)?")
_TRACEPARENT: Final = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Uploads:
    """What a body may be: how large, how slow, and how much of all that still arrive is held at once."""

    largest_bytes: int = 1_048_576
    longest_seconds: float = 10.0
    held_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Gone:
    """The sender hung up before its body was here."""


class Door:
    """Accepts deliveries. An ASGI app; `count` tells the metrics what it answered."""

    def __init__(
        self,
        *,
        sources: KnownSources,
        ways: Ways,
        large: LargeBodies,
        clock: Clock,
        trace_ratio: float,
        uploads: Uploads = Uploads(),
    ) -> None:
        """Believe `sources`, store through `ways`, bodies that fit into no record through `large` before."""
        self._sources = sources
        self._ways = ways
        self._large = large
        self._clock = clock
        self._trace_ratio = trace_ratio
        self._uploads = uploads
        self._held_bytes = 0
        self._answered: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self._answer_to(scope, receive)
        if isinstance(answer, Answer):
            await send(answer.start)
            await send(answer.body)

    def count(self) -> None:
        """Add what was answered since the last call to the metrics."""
        answered, self._answered = self._answered, Counter()
        for (vendor, outcome), amount in answered.items():
            METERS.add(Count.DELIVERIES, amount, vendor=vendor, outcome=outcome)

    async def _answer_to(self, scope: Scope, receive: Receive) -> Answer | Gone:
        path: str = scope["path"]
        by_path = self._sources.by_path
        source = by_path.get(path) if by_path is not None else None
        if source is None and not _WEBHOOK_PATH.fullmatch(path):
            return answers.NOT_FOUND
        if scope["method"] != "POST":
            return answers.WRONG_METHOD
        if by_path is None:
            return self._counted(source, "not_ready", answers.NOT_READY)
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        message = await receive()
        first: bytes = message.get("body", b"")
        body: bytes | Answer | Gone = first
        if message.get("more_body", False) or len(first) > self._uploads.largest_bytes:
            body = await self._long_body(first, headers, receive)
        elif message["type"] == "http.disconnect":
            body = Gone()
        match body:
            case bytes():
                return await self._accepted(source, headers, body)
            case Answer():
                return self._counted(source, "not_read", body)
            case Gone():
                return body
            case _:
                assert_never(body)

    async def _accepted(self, source: Source | None, headers: Mapping[bytes, bytes], body: bytes) -> Answer:
        received = self._clock()
        scheme = verification.NOBODY if source is None else source.scheme
        verdict = verification.verdict(scheme, headers, body, now=received)
        if source is None:
            return self._counted(None, "unknown", answers.NOT_BELIEVED)
        if isinstance(verdict, Refused):
            return self._counted(source, verdict, answers.NOT_BELIEVED)
        raw_id = new_raw_id_text()
        if source.seal is None:
            return self._counted(source, "no_key", answers.NOT_READY)
        own = own_headers(raw_id, received, delivery=verdict.delivery, traceparent=self._traceparent(headers))
        record = source.seal.record(own, verdict.body)
        if len(record.value) > self._large.from_bytes:
            kept = await self._large.kept(record, source.source_id)
            if kept is None:
                return self._counted(source, "blob_store_away", answers.NOT_DURABLE)
            record = kept
        outcome = await self._ways.of(source).write(
            record.headers, record.value, raw_id=raw_id, source=source.source_id, received_at=received
        )
        if outcome in DURABLE:
            points.reached("accept after the acknowledgement")
            return self._counted(source, outcome, answers.accepted(raw_id))
        return self._counted(source, outcome, answers.NOT_DURABLE)

    def _traceparent(self, headers: Mapping[bytes, bytes]) -> str:
        given = headers.get(b"traceparent", b"")
        return given.decode() if _TRACEPARENT.fullmatch(given) else new_traceparent(self._trace_ratio)

    async def _long_body(self, first: bytes, headers: Mapping[bytes, bytes], receive: Receive) -> bytes | Answer | Gone:
        """Return the whole of a body that does not come in one piece."""
        if max(len(first), int(headers.get(b"content-length", b"0"))) > self._uploads.largest_bytes:
            return answers.TOO_LARGE
        try:
            async with asyncio.timeout(self._uploads.longest_seconds):
                return await self._rest_of(first, receive)
        except TimeoutError:
            return answers.TOO_SLOW

    async def _rest_of(self, first: bytes, receive: Receive) -> bytes | Answer | Gone:
        pieces: list[bytes] = [first]
        size = len(first)
        self._held_bytes += size
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return Gone()
                piece: bytes = message.get("body", b"")
                pieces.append(piece)
                size += len(piece)
                self._held_bytes += len(piece)
                if size > self._uploads.largest_bytes:
                    return answers.TOO_LARGE
                if self._held_bytes > self._uploads.held_bytes:
                    return answers.NOT_DURABLE
                if not message.get("more_body", False):
                    return b"".join(pieces)
        finally:
            self._held_bytes -= size

    def _counted(self, source: Source | None, outcome: str, answer: Answer) -> Answer:
        """Count an answer. A vendor's name is counted only where it is one of ours: a path can hold any."""
        self._answered["unknown" if source is None else source.vendor, outcome] += 1
        return answer
