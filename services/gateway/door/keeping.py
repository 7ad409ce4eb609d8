"""What is believed becomes a raw record: sealed, kept apart where it is large, durable before anyone is answered."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis import points
from chassis.telemetry import new_traceparent
from contracts.ids import new_raw_id_text
from contracts.raw import own_headers
from services.gateway.door.answers import NO_KEY
from services.gateway.door.durable import DURABLE
from services.gateway.door.verification import Verified
from services.gateway.door.ways import Ways
from services.gateway.keys.large_bodies import LargeBodies
from services.gateway.registry.sources import Source

_TRACEPARENT: Final = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a delivery, for the metrics; `raw_id` is `None` where it is nowhere."""

    outcome: str
    raw_id: str | None


class Keeping:
    """Keeps verified deliveries, whoever sent them and by whatever protocol."""

    def __init__(self, *, ways: Ways, large: LargeBodies, trace_ratio: float) -> None:
        """Store through `ways`, bodies that fit into no record through `large` before."""
        self._ways = ways
        self._large = large
        self._trace_ratio = trace_ratio

    async def keep(
        self,
        source: Source,
        verified: Verified,
        headers: Mapping[bytes, bytes],
        received: datetime,
        *,
        raw_id: str | None = None,
    ) -> Kept:
        """Make one delivery of `source` durable, under `raw_id` or a new one."""
        if source.seal is None:
            return Kept(NO_KEY, None)
        raw_id = raw_id or new_raw_id_text()
        own = own_headers(raw_id, received, delivery=verified.delivery, traceparent=self._traceparent(headers))
        record = source.seal.record(own, verified.body)
        if len(record.value) > self._large.from_bytes:
            kept = await self._large.kept(record, source.source_id)
            if kept is None:
                return Kept("blob_store_away", None)
            record = kept
        outcome = await self._ways.of(source).write(
            record.headers, record.value, raw_id=raw_id, source=source.source_id, received_at=received
        )
        if outcome in DURABLE:
            points.reached("accept after the acknowledgement")
            return Kept(outcome, raw_id)
        return Kept(outcome, None)

    def _traceparent(self, headers: Mapping[bytes, bytes]) -> str:
        given = headers.get(b"traceparent", b"")
        return given.decode() if _TRACEPARENT.fullmatch(given) else new_traceparent(self._trace_ratio)
