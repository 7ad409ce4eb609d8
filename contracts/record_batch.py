"""Batches of records that were written before: what aiokafka's `send_batch` takes, without writing them again."""

import time
from collections.abc import Callable
from typing import Final

from contracts import records

MOST_BYTES: Final = 262_144
"""Of a batch with more than one record."""


class RecordBatch:
    """Records for one partition. Has of aiokafka's `BatchBuilder`, which spends its time on headers, what is called.

    A test holds it to the same bytes.
    """

    def __init__(self, checksum: Callable[[memoryview], int]) -> None:
        """Be empty. `checksum` is CRC-32C."""
        self._checksum = checksum
        self._records: list[bytes] = []
        self._size = records.HEAD.size
        self._producer = (-1, -1, -1)
        self._written: bytearray | None = None
        self._at = int(time.time() * 1000)

    def add(self, body: bytes) -> bool:
        """Take a record, unless that makes the batch larger than `MOST_BYTES`; a first one is always taken."""
        record = records.record(body, len(self._records))
        if self._records and self._size + len(record) > MOST_BYTES:
            return False
        self._records.append(record)
        self._size += len(record)
        return True

    def record_count(self) -> int:
        """Return how many records there are."""
        return len(self._records)

    def closed(self) -> bool:
        """Return that it waits for no more records: what is handed over is whole."""
        return True

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._producer = producer_id, producer_epoch, base_sequence

    def _build(self) -> bytearray:
        if self._written is None:
            self._written = records.batch(self._records, at=self._at, producer=self._producer, checksum=self._checksum)
        return self._written
