"""Producers that connect within a bound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer

START_SECONDS: Final = 10.0
"""aiokafka asks for the number of an idempotent producer until somebody answers: with a broker that dies between its
first answer and that one, whoever waited without a bound would hear of no stop."""


@asynccontextmanager
async def connected(kafka: str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    """Yield an idempotent producer to the brokers at `kafka` that waits for all replicas; it is stopped at the end.

    Raises:
        KafkaError: Kafka cannot be reached.
        TimeoutError: it has not answered everything after `START_SECONDS`.
    """
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, **options)
    try:
        await asyncio.wait_for(producer.start(), START_SECONDS)
        yield producer
    finally:
        await producer.stop()
