"""Kafka logs read from one offset to another, without a group: nobody's position moves."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from chassis.batch import Record
from chassis.errors import MayWorkLater, NeverWorks
from contracts.topics import Topic

POLL_MS: Final = 1000
RECORDS: Final = 2000
SILENT_POLLS: Final = 30


@dataclass(frozen=True, slots=True)
class Span:
    """A part of one partition: from `start` to before `end`."""

    start: int
    end: int


Spans = Mapping[TopicPartition, Span]


class Logs:
    """Reads logs of one cluster. Use as made by `opened`."""

    def __init__(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        """Read with `consumer`; ask `admin` for partitions, because a consumer knows only what it reads."""
        self._consumer = consumer
        self._admin = admin

    async def partitions(self, topics: Iterable[Topic]) -> list[TopicPartition]:
        """Return every partition of these topics.

        Raises:
            NeverWorks: a topic is not there.
        """
        described = await self._admin.describe_topics([each.name for each in topics])
        if missing := sorted(each["topic"] for each in described if each["error_code"]):
            raise NeverWorks(f"no such topic: {', '.join(missing)}; try: patchline topics apply")
        return sorted(
            TopicPartition(each["topic"], one["partition"]) for each in described for one in each["partitions"]
        )

    async def beginnings(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the first offset that each partition still has."""
        return dict(await self._consumer.beginning_offsets(partitions))

    async def ends(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset after each partition's last record."""
        return dict(await self._consumer.end_offsets(partitions))

    async def since(self, partitions: Sequence[TopicPartition], at: datetime) -> dict[TopicPartition, int]:
        """Return the offset of the first record that was written at `at` or later; the end where there is none."""
        milliseconds = int(at.timestamp() * 1000)
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
        ends = await self.ends(partitions)
        return {each: ends[each] if found.get(each) is None else found[each].offset for each in partitions}

    async def read(self, spans: Spans) -> AsyncIterator[list[Record]]:
        """Yield the records of these spans, some at a time; in order within a partition.

        Raises:
            MayWorkLater: the cluster hands nothing over for long.
        """
        open_spans = {each: span for each, span in spans.items() if span.start < span.end}
        if not open_spans:
            return
        self._consumer.assign(list(open_spans))
        for each, span in open_spans.items():
            self._consumer.seek(each, span.start)
        silent = 0
        while open_spans:
            found = await self._consumer.getmany(*open_spans, timeout_ms=POLL_MS, max_records=RECORDS)
            silent = 0 if found else silent + 1
            if silent > SILENT_POLLS:
                raise MayWorkLater(f"Kafka hands over nothing of {sorted(open_spans)}")
            batch = [one for each, some in found.items() for one in some if one.offset < spans[each].end]
            if batch:
                yield batch
            for each in list(open_spans):
                if await self._consumer.position(each) >= spans[each].end:
                    del open_spans[each]
                    self._consumer.pause(each)


@asynccontextmanager
async def opened(kafka: str) -> AsyncIterator[Logs]:
    """Yield logs of the cluster at `kafka`."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="none", max_partition_fetch_bytes=4_194_304
    )
    try:
        await admin.start()
        await consumer.start()
        yield Logs(consumer, admin)
    finally:
        await consumer.stop()
        await admin.close()


def header(record: Record, name: str) -> str | None:
    """Return one header of a record as text; `None`: it has none of that name."""
    return next((value.decode("latin-1") for key, value in record.headers if key == name), None)
