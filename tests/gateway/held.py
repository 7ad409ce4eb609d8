"""Keys and blobs in memory, for tests that are about the bodies and not about where those are kept."""

import os
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from contracts.raw import RawDelivery, delivery_of
from services.gateway.keys.bodies import Bodies, BodyKey, Destroyed
from services.gateway.keys.key_sealing import KeyUnavailable
from tests.builders import SOURCE


class HeldKeys:
    """Keys in memory."""

    def __init__(self, *keys: BodyKey | Destroyed) -> None:
        self._keys = {each.key_id: each for each in keys}

    async def load(self, key_ids: Sequence[str]) -> None:
        if missing := set(key_ids) - set(self._keys):
            raise KeyUnavailable(str(missing))

    def key(self, key_id: str) -> BodyKey | Destroyed:
        if key_id not in self._keys:
            raise KeyUnavailable(key_id)
        return self._keys[key_id]


class HeldBlobs:
    """Blobs in memory."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.source_by_blob: dict[str, str] = {}

    async def put(self, blob: str, source: str, body: bytes) -> None:
        self.held[blob] = body
        self.source_by_blob[blob] = source

    async def fetch(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        return {each: self.held[each] for each in blobs if each in self.held}


class BlobsAway(HeldBlobs):
    """A blob store that cannot be reached."""

    async def put(self, blob: str, source: str, body: bytes) -> None:
        raise OSError(f"no route to the blob store for {blob} of {source}, {len(body)} bytes")


def body_key(source: str = SOURCE) -> BodyKey:
    return BodyKey(str(uuid4()), source, AESGCM(os.urandom(32)))


def opened(record: Any, *keys: BodyKey) -> RawDelivery:
    """Return the delivery in a raw record with its body in clear."""
    delivery = Bodies(HeldKeys(*keys), HeldBlobs()).open(delivery_of(record.headers, record.value))
    assert isinstance(delivery, RawDelivery), delivery
    return delivery
