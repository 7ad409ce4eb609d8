"""Keeps what no rule can read: sealed to the offline key, in PostgreSQL alone, before anyone is answered."""

import asyncio
import hmac
import logging
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from chassis.errors import TRANSIENT
from services.gateway.exposures import store_quarantine
from services.gateway.exposures.fingerprint import FingerprintKey, read_fingerprint_key
from services.gateway.exposures.offline_key import OfflineKey, read_public
from services.gateway.exposures.store_quarantine import Quarantined

log = logging.getLogger(__name__)

BUDGET_SECONDS: Final = 2.0
"""How long it may take until the sender is told to come again. Senders of exposures wait three seconds at least."""

AT_ONCE: Final = 4
"""So many are kept at once: a feed that sends nothing but what cannot be read takes no more connections."""


class Quarantine:
    """One per process. It connects when there is something to keep, which is seldom."""

    def __init__(self, *, dsn: str, key: OfflineKey, digest_key: FingerprintKey) -> None:
        """Seal to `key` and keep in the database at `dsn`; the same body of a source is kept once."""
        self._dsn = dsn
        self._key = key
        self._digest_key = digest_key
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def keep(
        self, *, raw_id: str, source: str, body: bytes, received_at: datetime, reason: str, unread: int | None = None
    ) -> bool:
        """Keep one delivery and return whether it is durable."""
        one = self.sealed(
            raw_id=raw_id, source=source, body=body, received_at=received_at, reason=reason, unread=unread
        )
        try:
            async with asyncio.timeout(BUDGET_SECONDS), self._turns:
                await self._add(one)
        except TRANSIENT as error:
            log.warning("a delivery could not be quarantined", extra={"source": source, "reason": type(error).__name__})
            return False
        log.warning("a delivery is quarantined", extra={"source": source, "raw_id": raw_id, "reason": reason})
        return True

    def sealed(
        self, *, raw_id: str, source: str, body: bytes, received_at: datetime, reason: str, unread: int | None
    ) -> Quarantined:
        """Return one delivery as it is kept: for who has a transaction of their own."""
        return Quarantined(
            raw_id=UUID(raw_id),
            source=source,
            digest=hmac.digest(self._digest_key, b"quarantine\0" + body, "sha256"),
            received_at=received_at,
            unread=unread,
            reason=reason,
            key_id=self._key.key_id,
            sealed=self._key.sealed(body),
        )

    async def _add(self, one: Quarantined) -> None:
        connection = await asyncpg.connect(self._dsn, command_timeout=BUDGET_SECONDS)
        try:
            await store_quarantine.add(connection, one)
        finally:
            connection.terminate()


def quarantine_of(dsn: str, key_file: Path | None, *, fingerprints: Path | None) -> Quarantine | None:
    """Return the quarantine in the database at `dsn`; `None`: one of the two keys is not set.

    Raises:
        WrongSetting: a key file holds something else.
    """
    if key_file is None or fingerprints is None:
        return None
    return Quarantine(dsn=dsn, key=read_public(key_file), digest_key=read_fingerprint_key(fingerprints))
