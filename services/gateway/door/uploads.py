"""Bodies on their way in: read piece by piece, bounded in size, in time, and in what is held of all together."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chassis.health import Receive
from services.gateway.door import answers
from services.gateway.door.answers import Answer


@dataclass(frozen=True, slots=True)
class Uploads:
    """What a body may be: how large, how slow, and how much of all that still arrive is held at once."""

    largest_bytes: int = 1_048_576
    longest_seconds: float = 10.0
    held_bytes: int = 64 * 1024 * 1024


WEBHOOKS: Final = Uploads()
"""What a webhook may be."""


@dataclass(frozen=True, slots=True)
class Gone:
    """The sender hung up before its body was here."""


class Arriving:
    """The bodies that do not come in one piece. One for all doors of a process: what they hold is counted together."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._held_bytes = 0

    async def body(self, headers: Mapping[bytes, bytes], receive: Receive, uploads: Uploads) -> bytes | Answer | Gone:
        """Return the whole body of a request of which nothing was read yet, or what to answer instead."""
        message = await receive()
        first: bytes = message.get("body", b"")
        if message.get("more_body", False) or len(first) > uploads.largest_bytes:
            return await self.long_body(first, headers, receive, uploads)
        return Gone() if message["type"] == "http.disconnect" else first

    async def long_body(
        self, first: bytes, headers: Mapping[bytes, bytes], receive: Receive, uploads: Uploads
    ) -> bytes | Answer | Gone:
        """Return the whole of a body of which `first` is here."""
        if max(len(first), int(headers.get(b"content-length", b"0"))) > uploads.largest_bytes:
            return answers.too_large(uploads.largest_bytes)
        try:
            async with asyncio.timeout(uploads.longest_seconds):
                return await self._rest_of(first, receive, uploads)
        except TimeoutError:
            return answers.TOO_SLOW

    async def _rest_of(self, first: bytes, receive: Receive, uploads: Uploads) -> bytes | Answer | Gone:
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
                if size > uploads.largest_bytes:
                    return answers.too_large(uploads.largest_bytes)
                if self._held_bytes > uploads.held_bytes:
                    return answers.NOT_DURABLE
                if not message.get("more_body", False):
                    return b"".join(pieces)
        finally:
            self._held_bytes -= size
