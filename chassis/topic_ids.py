"""The cluster's own id of each topic: a topic that is deleted and made anew has its name, but not its id."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any, ClassVar, Final
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

NO_ID: Final = UUID(int=0)


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]  # aiokafka ships no types
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


class _Answer(Response):  # type: ignore[misc]
    """Source: Kafka protocol guide, Metadata v10 (Kafka 2.8), the first that tells topic ids."""

    API_KEY: ClassVar[int] = 3
    API_VERSION: ClassVar[int] = 10
    _BROKER = (("node", Int32), ("host", CompactString()), ("port", Int32), ("rack", CompactString()))
    _PARTITION = (
        ("error_code", Int16),
        ("partition", Int32),
        ("leader", Int32),
        ("leader_epoch", Int32),
        ("replicas", CompactArray(Int32)),
        ("in_sync", CompactArray(Int32)),
        ("offline", CompactArray(Int32)),
    )
    _TOPIC = (
        ("error_code", Int16),
        ("name", CompactString()),
        ("id", _Uuid),
        ("is_internal", Boolean),
        ("partitions", CompactArray(*_PARTITION, ("tags", TaggedFields))),
        ("operations", Int32),
    )
    SCHEMA = Schema(
        ("throttle_ms", Int32),
        ("brokers", CompactArray(*_BROKER, ("tags", TaggedFields))),
        ("cluster", CompactString()),
        ("controller", Int32),
        ("topics", CompactArray(*_TOPIC, ("tags", TaggedFields))),
        ("operations", Int32),
        ("tags", TaggedFields),
    )


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY: ClassVar[int] = 3
    API_VERSION: ClassVar[int] = 10
    FLEXIBLE_VERSION: ClassVar[bool] = True
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("topics", CompactArray(("id", _Uuid), ("name", CompactString()), ("tags", TaggedFields))),
        ("may_create", Boolean),
        ("with_cluster_operations", Boolean),
        ("with_topic_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicIds(Request[_Question]):  # type: ignore[misc]
    API_KEY: ClassVar[int] = 3

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names)

    def build(self, struct: Any) -> Any:
        return struct([(NO_ID, name, {}) for name in self._names], False, False, False, {})


async def topic_ids(kafka: str, names: Iterable[str]) -> dict[str, UUID]:
    """Return the id of each topic that the cluster at `kafka` has; none where the broker is too old to tell.

    Raises:
        KafkaError: no broker answers.
    """
    client = AIOKafkaClient(bootstrap_servers=kafka)
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), _TopicIds(names))
    except (IncompatibleBrokerVersion, NotImplementedError):  # how aiokafka says that the broker is older
        return {}
    finally:
        await client.close()
    return {topic[1]: topic[2] for topic in answer.topics if topic[0] == 0 and topic[2] != NO_ID}
