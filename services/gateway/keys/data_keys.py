"""Data keys unwrapped and in memory: the ring that readers open bodies with, and the current key of each source."""

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.postgres import Connection
from services.gateway.keys import store_keys
from services.gateway.keys.bodies import BodyKey, Destroyed
from services.gateway.keys.key_sealing import KeySealers, KeyUnavailable, StoredKey
from services.gateway.keys.sealing import KEY_BYTES

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

    def __init__(self, connecting: Connecting, sealers: KeySealers, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        """Look keys up through `connecting`, unwrap them with what wrapped them, believe that for `fresh_seconds`."""
        self._connecting = connecting
        self._fresh_seconds = fresh_seconds
        self._sealers = sealers
        self._held: dict[str, _Held] = {}

    async def load(self, key_ids: Sequence[str]) -> None:
        """Make these keys known, and ask again whether they still exist if that was a while ago.

        What is no key's id is left out: it comes from a header that anyone may have written.

        Raises:
            KeyUnavailable: one is not known to the database, or cannot be unwrapped now.
            OSError, asyncpg.PostgresError: the database cannot be asked.
        """
        now = time.monotonic()
        due = [
            each for each in key_ids if each not in self._held or now - self._held[each].read_at > self._fresh_seconds
        ]
        due = [each for each in due if is_key_id(each)]
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


def is_key_id(text: str) -> bool:
    """Return whether `text` is the id of a data key as it stands in our headers."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


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


class CurrentKeys:
    """The keys that seal new bodies, one for each source, kept unwrapped while they are current."""

    def __init__(self, sealers: KeySealers, sealer: str) -> None:
        """Unwrap with what wrapped a key; wrap new ones with `sealer`."""
        self._sealers = sealers
        self._sealer = sealer
        self._held: dict[str, BodyKey] = {}

    async def mint(self, connection: Connection, source_ids: Collection[str]) -> None:
        """Give each enabled one of these sources a key if it has none, or none that may seal; whoever is first wins.

        Raises:
            KeyUnavailable: what wraps new keys is away.
        """
        new = [await self._new_key(source_id) for source_id in await store_keys.keyless(connection, source_ids)]
        if new:
            await store_keys.add(connection, new)

    async def unwrapped(self, stored: Collection[StoredKey]) -> tuple[dict[str, BodyKey], list[str]]:
        """Return the keys by source, and a sentence for each that cannot be had now; forget all others."""
        by_source: dict[str, BodyKey] = {}
        missing: list[str] = []
        for each in stored:
            try:
                by_source[each.source_id] = self._held.get(each.key_id) or await unwrapped(each, self._sealers)
            except KeyUnavailable as error:
                missing.append(str(error))
        self._held = {each.key_id: each for each in by_source.values()}
        return by_source, missing

    async def of(self, connection: Connection, source_id: str) -> BodyKey:
        """Return the key of one source as it stands now, minted if it has none. Call outside any transaction.

        Raises:
            KeyUnavailable: it cannot be had now.
        """
        await self.mint(connection, [source_id])
        stored = (await store_keys.latest(connection, [source_id])).get(source_id)
        if stored is None:
            raise KeyUnavailable(f"{source_id}: it has no data key")
        if stored.key_id not in self._held:
            self._held[stored.key_id] = await unwrapped(stored, self._sealers)
        return self._held[stored.key_id]

    async def _new_key(self, source_id: str) -> StoredKey:
        key_id = str(uuid4())
        key = secrets.token_bytes(KEY_BYTES)
        wrapped = await self._sealers[self._sealer].wrap(key, source_id=source_id, key_id=key_id)
        return StoredKey(key_id=key_id, source_id=source_id, sealer=self._sealer, wrapped=wrapped)
