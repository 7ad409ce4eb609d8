"""Raw bodies: packed when it pays, sealed under their source's data key, and opened again by whoever reads them.

A sealed body opens under its own headers only: moved to another delivery, source, vendor or time it is refused. To
read raw records: `delivery_of`, then `Bodies.opened` (or `load` and later `open`, where nothing can be awaited then).
"""

import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.errors import NeverWorks
from contracts.raw import (
    DEFLATE,
    IDENTITY,
    PLAIN,
    Channel,
    Encoding,
    RawDelivery,
    RecordHeaders,
    headers_of,
    shared_headers,
)

PACK_FROM_BYTES: Final = 1024
"""Smaller bodies are sealed as they are: packing them costs more than it saves."""

LARGEST_BODY_BYTES: Final = 16 * 1024 * 1024
"""What a body unpacks to at most: the largest that any door takes."""

SEALING_BYTES: Final = 29
"""By so much a sealed body is longer than what was sealed."""

LARGE_AT_ONCE: Final = 8
"""So many large bodies are held in memory at once; a batch with more is to be halved."""

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_PACKING_LEVEL: Final = 1
_BOUND_OF_SOURCE: Final = ("vendor", "source", "channel", "encoding", "key_id")
_BOUND_OF_DELIVERY: Final = ("raw_id", "received", "delivery")
"""What a body is sealed together with: all that its record says of it but the trace it belongs to."""


@dataclass(frozen=True, slots=True)
class BodyKey:
    """A source's data key, unwrapped."""

    key_id: str
    source: str
    cipher: AESGCM


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A data key that was destroyed: what it sealed never opens again."""

    key_id: str
    source: str


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A raw record as it is written, to Kafka or to the spool."""

    headers: RecordHeaders
    value: bytes


@dataclass(frozen=True, slots=True)
class Unopened:
    """A body that never opens, and why."""

    reason: str
    is_destroyed: bool = False


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the records of a source have in common when their bodies are packed one way."""

    headers: RecordHeaders
    bound: bytes


class BodySeal:
    """Seals the bodies that one source sends over one channel. Make one per key and keep it."""

    __slots__ = ("_as_it_is", "_cipher", "_packed", "key_id")

    def __init__(self, key: BodyKey, *, vendor: str, channel: Channel) -> None:
        """Seal with `key`."""

        def shared(encoding: Encoding) -> _Shared:
            headers = shared_headers(
                vendor=vendor, source=key.source, channel=channel, encoding=encoding, key_id=key.key_id
            )
            return _Shared(headers, _bound(headers, _BOUND_OF_SOURCE))

        self.key_id = key.key_id
        self._cipher = key.cipher
        self._as_it_is = shared(IDENTITY)
        self._packed = shared(DEFLATE)

    def record(self, own: RecordHeaders, body: bytes) -> SealedRecord:
        """Return the raw record of `body`; `own` are the headers of this delivery alone (`own_headers`)."""
        shared = self._as_it_is
        if len(body) >= PACK_FROM_BYTES:
            packed = zlib.compress(body, _PACKING_LEVEL)
            if len(packed) < len(body):
                shared, body = self._packed, packed
        nonce = os.urandom(_NONCE_BYTES)
        bound = shared.bound + _bound(own, _BOUND_OF_DELIVERY)
        return SealedRecord(own + shared.headers, _VERSION + nonce + self._cipher.encrypt(nonce, body, bound))


class Keys(Protocol):
    """Knows data keys by their id."""

    async def load(self, key_ids: Sequence[str]) -> None:
        """Make these keys known, outside any transaction. What is no key's id is left out.

        Raises:
            MayWorkLater: one is not known to the database yet, or cannot be unwrapped now.
        """
        ...

    def key(self, key_id: str) -> BodyKey | Destroyed:
        """Return a key that was loaded.

        Raises:
            KeyUnavailable: it was not.
        """
        ...


class BlobStore(Protocol):
    """Keeps sealed bodies that are too large for a record, by the SHA-256 of the sealed bytes."""

    async def put(self, blob: str, source: str, body: bytes) -> None:
        """Keep `body`; durable when this returns. A repeat is a no-op.

        Raises:
            MayWorkLater, OSError, asyncpg.PostgresError: it could not be kept now.
        """
        ...

    async def fetch(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return those of `blobs` that are there.

        Raises:
            MayWorkLater, OSError, asyncpg.PostgresError: it cannot be said now.
        """
        ...


class TooManyLarge(NeverWorks):
    """More large bodies than are held at once: with fewer records it works."""


class Bodies:
    """Opens the bodies of raw records. One for each reader: it holds the large bodies of one batch."""

    def __init__(self, keys: Keys, blobs: BlobStore) -> None:
        """Use `keys`, and fetch large bodies from `blobs`."""
        self._keys = keys
        self._blobs = blobs
        self._fetched: Mapping[str, bytes] = {}

    async def opened(self, deliveries: Sequence[RawDelivery]) -> list[RawDelivery | Unopened]:
        """Return each delivery with its body in clear, in order, or why it never opens.

        Raises:
            MayWorkLater: a key or a large body cannot be had now; none of them may be given up for that.
        """
        result: list[RawDelivery | Unopened] = []
        await self._keys.load(sorted({each.key_id for each in deliveries} - {PLAIN}))
        for each in deliveries:
            if each.blob is not None:
                self._fetched = await self._blobs.fetch([each.blob])
            result.append(self.open(each))
        self._fetched = {}
        return result

    async def load(self, records: Iterable[RecordHeaders]) -> None:
        """Fetch the keys and large bodies of records, in place of the large bodies of those before.

        Raises:
            MayWorkLater: one of them cannot be had now.
            TooManyLarge: halve the batch.
        """
        named = {(name, value) for headers in records for name, value in headers if name in {"key_id", "blob"}}
        wanted = sorted({value.decode("latin-1") for name, value in named if name == "blob"})
        if len(wanted) > LARGE_AT_ONCE:
            raise TooManyLarge(f"{len(wanted)} large bodies in one batch, at most {LARGE_AT_ONCE} are held at once")
        await self._keys.load(sorted({value.decode("latin-1") for name, value in named if name == "key_id"} - {PLAIN}))
        self._fetched = await self._blobs.fetch(wanted) if wanted else {}

    def open(self, delivery: RawDelivery) -> RawDelivery | Unopened:
        """Return a delivery that was loaded with its body in clear, or why it never opens.

        Raises:
            KeyUnavailable: its key was not loaded.
        """
        if delivery.key_id == PLAIN:
            return delivery
        key = self._keys.key(delivery.key_id)
        if isinstance(key, Destroyed):
            return Unopened(f"the key of its body was destroyed (patchline source destroy-key {key.source})", True)
        if key.source != delivery.source:
            return Unopened("its body is sealed with the key of another source")
        box = delivery.body if delivery.blob is None else self._fetched.get(delivery.blob)
        if box is None:
            return Unopened(f"its body was kept in the blob store under {delivery.blob} and is not there")
        return _opened(key, delivery, box)


def _opened(key: BodyKey, delivery: RawDelivery, box: bytes) -> RawDelivery | Unopened:
    nonce, ciphertext = box[1 : 1 + _NONCE_BYTES], box[1 + _NONCE_BYTES :]
    if box[:1] != _VERSION or len(box) < SEALING_BYTES:
        return Unopened("its body is no sealed body of this release")
    try:
        headers = headers_of(delivery)
        bound = _bound(headers, _BOUND_OF_SOURCE) + _bound(headers, _BOUND_OF_DELIVERY)
        body = key.cipher.decrypt(nonce, ciphertext, bound)
    except InvalidTag:
        return Unopened("its body or a header of it was changed after it was sealed")
    try:
        clear = _unpacked(body) if delivery.encoding == DEFLATE else body
    except NeverWorks as error:
        return Unopened(str(error))
    return replace(delivery, body=clear, encoding=IDENTITY, key_id=PLAIN, blob=None)


def _unpacked(packed: bytes) -> bytes:
    """Return what was packed.

    Raises:
        NeverWorks: it is not packed, or larger than any door takes.
    """
    unpacking = zlib.decompressobj()
    try:
        body = unpacking.decompress(packed, LARGEST_BODY_BYTES)
    except zlib.error as error:
        raise NeverWorks("its body is not packed as its header says") from error
    if not unpacking.eof:
        raise NeverWorks(f"its body is cut off, or unpacks to more than {LARGEST_BODY_BYTES} bytes")
    return body


def _bound(headers: RecordHeaders, names: Sequence[str]) -> bytes:
    """Return the values of those headers that are there, each after a NUL. None but the last of all can hold one."""
    value = dict(headers)
    return b"".join([b"\0" + value[name] for name in names if name in value])
