"""Kafka's logs from outside every consumer group: which partitions there are, where they start and end."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient


class Logs:
    """The logs of one cluster. `consumer` is in no group; whoever reads with it assigns and seeks."""

    def __init__(self, client: AIOKafkaClient, consumer: AIOKafkaConsumer) -> None:
        """Look through a client that knows the cluster and a consumer that is started."""
        self._client: Any = client
        self.consumer: Any = consumer

    async def places(self, topics: Sequence[str]) -> list[TopicPartition]:
        """Return every partition that these topics have by now; a topic that there is not has none."""
        cluster = await self._client.fetch_all_metadata()
        return [
            TopicPartition(name, number)
            for name in topics
            for number in sorted(cluster.partitions_for_topic(name) or ())
        ]

    async def starts(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offset of each log's first record, or the next one where it has none."""
        found: Mapping[TopicPartition, int] = await self.consumer.beginning_offsets(places)
        return found

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offset that each log's next record will have."""
        found: Mapping[TopicPartition, int] = await self.consumer.end_offsets(places)
        return found


@asynccontextmanager
async def opened(kafka: str) -> AsyncIterator[Logs]:
    """Yield the logs of the cluster at `kafka`.

    Raises:
        KafkaError: it cannot be reached.
    """
    client = AIOKafkaClient(bootstrap_servers=kafka)
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    try:
        await client.bootstrap()
        await consumer.start()
        yield Logs(client, consumer)
    finally:
        await consumer.stop()
        await client.close()
