"""A connection to Kafka that uvloop closed under the writer is Kafka's error: the client goes on (ADR 0068)."""

import asyncio

import pytest
import uvloop
from aiokafka.client import AIOKafkaClient

from chassis import kafka_wire

ANSWERED_SECONDS = 15


def test_a_client_keeps_its_metadata_when_a_connection_is_closed_under_it(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the mend the first question ends the task that asks, and the second is never answered."""
    kafka_wire.on_uvloop()
    kafka_wire.on_uvloop()

    async def kept() -> bool:
        client = AIOKafkaClient(bootstrap_servers=kafka)
        await client.bootstrap()
        try:
            connection = await client._get_conn(next(iter(client.cluster.brokers())).nodeId)
            connection._writer.transport.abort()
            with monkeypatch.context() as unheard:
                unheard.setattr(connection, "connected", lambda: True)
                async with asyncio.timeout(ANSWERED_SECONDS):
                    await client.force_metadata_update()
            async with asyncio.timeout(ANSWERED_SECONDS):
                return bool(await client.force_metadata_update())
        finally:
            await client.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(kept())
