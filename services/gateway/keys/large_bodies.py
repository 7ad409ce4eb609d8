"""Sealed bodies too large for a Kafka record: kept by the hash of the ciphertext before the record says so."""

import asyncio
import hashlib
import logging
from typing import Final

from chassis.errors import TRANSIENT, NeverWorks
from contracts.raw import blob_header
from services.gateway.keys.bodies import BlobStore, SealedRecord

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
PUT_SECONDS: Final = 2.0
"""Who sent it still waits for an answer; many vendors give 3 seconds for all of it."""


class LargeBodies:
    """Puts what does not fit into a record where it fits."""

    def __init__(self, blobs: BlobStore, *, from_bytes: int) -> None:
        """Keep sealed bodies over `from_bytes` in `blobs`."""
        self.from_bytes = from_bytes
        self._blobs = blobs
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def kept(self, record: SealedRecord, source: str) -> SealedRecord | None:
        """Return the record that stands for a large one; `None`: its body could not be kept now, so neither may it.

        The hash is of the ciphertext, in which a random number is mixed: it says nothing about the body.
        """
        blob = hashlib.sha256(record.value).hexdigest()
        try:
            async with asyncio.timeout(PUT_SECONDS), self._at_once:
                await self._blobs.put(blob, source, record.value)
        except (NeverWorks, *TRANSIENT) as error:
            log.warning("a large body is not kept", extra={"reason": str(error) or type(error).__name__})
            return None
        return SealedRecord([*record.headers, blob_header(blob)], b"")
