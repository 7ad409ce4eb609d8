"""Deliveries become durable: in Kafka, or, when Kafka does not take them in time, in the spool.

After several that Kafka did not take in a row it is left alone, and deliveries go straight to the spool; one now and
then tries Kafka, until it takes one again. So what is wrong with Kafka delays few answers.
"""

import logging
import time
from datetime import datetime
from typing import Final
from uuid import UUID

from contracts.raw import RecordHeaders
from services.gateway.door.raw_batch import Outcome
from services.gateway.door.raw_writer import RawWriter
from services.gateway.door.rules_breaker import Breaker
from services.gateway.door.spool import Spool
from services.gateway.door.store_spool import Spooled

log = logging.getLogger(__name__)

DURABLE: Final = frozenset({Outcome.WRITTEN, Outcome.SPOOLED})
"""What a sender is told 202 for."""


class Durable:
    """One topic's way to durability. Several share the spool; each has its own breaker, as each has its own leaders."""

    def __init__(self, *, writer: RawWriter, spool: Spool, breaker: Breaker) -> None:
        """Write through `writer`, else into `spool`."""
        self._writer = writer
        self._spool = spool
        self._breaker = breaker

    async def write(
        self, headers: RecordHeaders, value: bytes, *, raw_id: str, source: str, received_at: datetime
    ) -> Outcome:
        """Keep one record and return where it is, or why it is nowhere. Its headers have the same id and moment."""
        is_asked = self._breaker.admits(time.monotonic())
        if is_asked and await self._is_written(headers, value):
            return Outcome.WRITTEN
        record = Spooled(
            raw_id=UUID(raw_id),
            topic=self._writer.topic,
            source=source,
            received_at=received_at,
            headers=headers,
            value=value,
        )
        outcome = await self._spool.write(record)
        if outcome not in DURABLE and not is_asked and self._writer.is_connected:
            return Outcome.WRITTEN if await self._is_written(headers, value) else outcome
        return outcome

    async def _is_written(self, headers: RecordHeaders, value: bytes) -> bool:
        outcome = await self._writer.write(headers, value)
        if outcome is Outcome.WRITTEN:
            if self._breaker.succeeded():
                log.warning("kafka takes deliveries again", extra={"topic": self._writer.topic})
            return True
        if self._breaker.failed(time.monotonic()):
            reason = f"{self._breaker.failures} deliveries in a row: {outcome}"
            log.warning("deliveries go to the spool", extra={"topic": self._writer.topic, "reason": reason})
        return False
