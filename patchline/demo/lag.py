"""How far every consumer group of the product is behind, as any operator may ask Kafka."""

from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError


class Lag:
    """Asks the cluster; use as an async context manager."""

    def __init__(self, kafka: str) -> None:
        """Ask the cluster at `kafka`."""
        self._admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)

    async def __aenter__(self) -> Self:
        """Connect."""
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._consumer.stop()
        await self._admin.close()

    async def records(self) -> int | None:
        """Return how many records all groups together have not handled; `None` where Kafka cannot tell now."""
        behind: dict[tuple[str, TopicPartition], int] = {}
        try:
            for group, _ in await self._admin.list_consumer_groups():
                for partition, committed in (await self._admin.list_consumer_group_offsets(group)).items():
                    behind[group, partition] = committed.offset
            ends = await self._consumer.end_offsets(list({partition for _, partition in behind}))
        except KafkaError:
            return None
        return sum(max(int(ends[partition]) - offset, 0) for (_, partition), offset in behind.items())
