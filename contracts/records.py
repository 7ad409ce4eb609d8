"""Kafka's records as bytes: what of a record no batch changes, many of them put together, and whole batches.

An outbox holds records so, and who carries them to Kafka copies them. Source: the Kafka protocol's message format 2
(KIP-98).
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from contracts.envelope import Message

PACK_RECORDS: Final = 250
PACK_BYTES: Final = 262_144
"""Of a pack with more than one record."""

HEAD: Final = struct.Struct(">qiibIhiqqqhii")
"""Of a batch: base offset, length of all behind it, leader's epoch, format, checksum of all behind it, attributes, last
offset, first and last moment in milliseconds, the producer's id, epoch and sequence, and how many records."""
_LENGTH_ENDS: Final = struct.calcsize(">qi")
_SUM_AT: Final = struct.calcsize(">qiib")
_SUM_ENDS: Final = struct.calcsize(">qiibI")
_NONE: Final = b"\x01"

Keyed = tuple[bytes, bytes]
"""The key of a record, empty if it has none, and the record's body."""


@lru_cache(maxsize=16_384)
def varint(number: int) -> bytes:
    """Return a number as Kafka writes lengths: zigzag, then seven bits to a byte, the lowest first."""
    left = (number << 1) ^ (number >> 63)
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


@lru_cache(maxsize=16_384)
def _head(name: str, length: int) -> bytes:
    """Return what stands before the bytes of a header: its name and their number."""
    encoded = name.encode()
    return b"".join((varint(len(encoded)), encoded, varint(length)))


def body(message: Message) -> bytes:
    """Return key, value and headers as they stand in a record."""
    key, value, headers = message.key, message.value, message.headers
    parts = [_NONE] if key is None else [varint(len(key)), key]
    parts += [_NONE] if value is None else [varint(len(value)), value]
    parts.append(varint(len(headers)))
    for name, each in headers:
        parts.append(_head(name, len(each)))
        parts.append(each)
    return b"".join(parts)


def message_of(written: bytes) -> Message:
    """Return the message of which `body` made these bytes."""
    key, at = _taken(written, 0)
    value, at = _taken(written, at)
    count, at = _number(written, at)
    headers = []
    for _ in range(count):
        name, at = _taken(written, at)
        each, at = _taken(written, at)
        headers.append(((name or b"").decode(), each or b""))
    return Message(key=key, headers=headers, value=value)


def _taken(written: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = _number(written, at)
    return (None, at) if size < 0 else (written[at : at + size], at + size)


def _number(written: bytes, at: int) -> tuple[int, int]:
    found, shift = 0, 0
    while written[at] & 0x80:
        found |= (written[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    found |= written[at] << shift
    return (found >> 1) ^ -(found & 1), at + 1


def packed(keyed: Sequence[Keyed]) -> bytes:
    """Return keys and bodies in one piece: all lengths, all keys, all bodies."""
    keys, bodies = [key for key, _ in keyed], [each for _, each in keyed]
    lengths = struct.pack(f"<{2 * len(keyed)}I", *map(len, keys), *map(len, bodies))
    return b"".join((lengths, *keys, *bodies))


def unpacked(pack: bytes, records: int) -> Iterator[Keyed]:
    """Yield the keys and bodies of so many records that `packed` put together, in their order."""
    lengths = struct.unpack_from(f"<{2 * records}I", pack)
    key_at = 8 * records
    at = key_at + sum(lengths[:records])
    for key_length, length in zip(lengths[:records], lengths[records:], strict=True):
        yield pack[key_at : key_at + key_length], pack[at : at + length]
        key_at += key_length
        at += length


def shard_of(key: bytes | None, shards: int) -> int:
    """Return in which of so many shards a key is."""
    return zlib.crc32(key or b"") % shards


def packs(messages: Iterable[Message], shards: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the messages as packs: the shard, how many, and the pack. A key's are in their order."""
    filling: list[list[Keyed]] = [[] for _ in range(shards)]
    sizes = [0] * shards
    for message in messages:
        shard, written = shard_of(message.key, shards), body(message)
        sizes[shard] += len(written)
        pack = filling[shard]
        if pack and (len(pack) == PACK_RECORDS or sizes[shard] > PACK_BYTES):
            yield shard, len(pack), packed(pack)
            pack = filling[shard] = []
            sizes[shard] = len(written)
        pack.append((message.key or b"", written))
    yield from ((shard, len(pack), packed(pack)) for shard, pack in enumerate(filling) if pack)


def record(body: bytes, number: int) -> bytes:
    """Return a record whole: the body of the batch's record of this number, from 0; all are of the batch's moment."""
    offset = varint(number)
    return b"%b\0\0%b%b" % (varint(2 + len(offset) + len(body)), offset, body)


def batch(
    records: Sequence[bytes], *, at: int, producer: tuple[int, int, int], checksum: Callable[[memoryview], int]
) -> bytearray:
    """Return a batch of whole records, not compressed; `at` is its moment, `checksum` CRC-32C."""
    written = bytearray().join((bytes(HEAD.size), *records))
    length, count = len(written) - _LENGTH_ENDS, len(records)
    HEAD.pack_into(written, 0, 0, length, -1, 2, 0, 0, count - 1, at, at, *producer, count)
    struct.pack_into(">I", written, _SUM_AT, checksum(memoryview(written)[_SUM_ENDS:]))
    return written
