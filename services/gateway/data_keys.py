"""Data keys unwrapped and in memory: the ring that readers open bodies with, and the current key of each source."""

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.postgres import Connection
from services.gateway import store_keys
from services.gateway.bodies import BodyKey, Destroyed
from services.gateway.key_sealing import KeySealers, KeyUnavailable
from services.gateway.sealing import KEY_BYTES
from services.gateway.store_keys import StoredKey

FRESH_SECONDS: Final = 2.0
"""A key is looked up again after so long: so soon after it is destroyed nothing opens it any more."""

Connecting = Callable[[], AbstractAsyncContextManager[Connection]]
"""Opens or borrows a connection of the gateway's role."""


@dataclass(frozen=True, slots=True)
class _Held:
    key: BodyKey | Destroyed
    read_at: float


class KeyRing:
    """The keys that were needed so far. One per process, shared by all that open bodies."""

    def __init__(self, connecting: Connecting, sealers: KeySealers) -> None:
        """Look keys up through `connecting` and unwrap them with what wrapped them."""
        self._connecting = connecting
        self._sealers = sealers
        self._held: dict[str, _Held] = {}

    async def load(self, key_ids: Sequence[str]) -> None:
        """Make these keys known, and ask again whether they still exist if that was a while ago.

        Raises:
            KeyUnavailable: one is not known to the database, or cannot be unwrapped now.
            OSError, asyncpg.PostgresError: the database cannot be asked.
        """
        now = time.monotonic()
        due = [each for each in key_ids if each not in self._held or now - self._held[each].read_at > FRESH_SECONDS]
        if not due:
            return
        async with self._connecting() as connection:
            stored = await store_keys.by_id(connection, due)
        for key_id in due:
            if key_id not in stored:
                raise KeyUnavailable(
                    f"the data key {key_id} is not known: see docs/runbook.md, 'A data key is missing'"
                )
            self._held[key_id] = _Held(await self._unwrapped(stored[key_id]), now)

    def key(self, key_id: str) -> BodyKey | Destroyed:
        """Return a key that was loaded.

        Raises:
            KeyUnavailable: it was not.
        """
        held = self._held.get(key_id)
        if held is None:
            raise KeyUnavailable(f"the data key {key_id} was not loaded")
        return held.key

    async def _unwrapped(self, stored: StoredKey) -> BodyKey | Destroyed:
        if stored.wrapped is None:
            return Destroyed(stored.key_id, stored.source_id)
        held = self._held.get(stored.key_id)
        if held is not None and isinstance(held.key, BodyKey):
            return held.key
        return await unwrapped(stored, self._sealers)


async def unwrapped(stored: StoredKey, sealers: KeySealers) -> BodyKey:
    """Return a stored key, ready for use.

    Raises:
        KeyUnavailable: it is destroyed, or what wrapped it is away or not set up here.
    """
    sealer = sealers.get(stored.sealer)
    if stored.wrapped is None or sealer is None:
        raise KeyUnavailable(
            f"{stored.source_id}: its data key was wrapped by {stored.sealer}, which is not set up here"
        )
    key = await sealer.unwrap(stored.wrapped, source_id=stored.source_id, key_id=stored.key_id)
    return BodyKey(stored.key_id, stored.source_id, AESGCM(key))


async def minted(connection: Connection, source_ids: Collection[str], sealers: KeySealers, sealer: str) -> None:
    """Give each enabled one of these sources a current key if it has none; whoever is first wins.

    Raises:
        KeyUnavailable: what wraps new keys is away.
    """
    new = [await _new_key(source_id, sealers, sealer) for source_id in await store_keys.keyless(connection, source_ids)]
    if new:
        await store_keys.add(connection, new)


async def _new_key(source_id: str, sealers: KeySealers, sealer: str) -> StoredKey:
    key_id = str(uuid4())
    wrapped = await sealers[sealer].wrap(secrets.token_bytes(KEY_BYTES), source_id=source_id, key_id=key_id)
    return StoredKey(key_id=key_id, source_id=source_id, sealer=sealer, wrapped=wrapped)
