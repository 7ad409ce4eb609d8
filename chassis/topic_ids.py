"""The cluster's own id of each topic: a topic that is deleted and made anew has its name, but not its id."""

from collections.abc import Iterable
from io import BytesIO
from typing import Any, Final
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import AbstractType, Boolean, CompactArray, CompactString, Int16, Int32, Schema
from aiokafka.protocol.types import TaggedFields as Tags

NO_ID: Final = UUID(int=0)
_TEXT: Final = CompactString()
_NUMBERS: Final = CompactArray(Int32)


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]  # aiokafka ships no types
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_BROKERS: Final = CompactArray(("id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", Tags))
_STATE: Final = (("error", Int16), ("partition", Int32), ("leader", Int32), ("leader_epoch", Int32))
_COPIES: Final = (("replicas", _NUMBERS), ("in_sync", _NUMBERS), ("offline", _NUMBERS))
_PARTITIONS: Final = CompactArray(*_STATE, *_COPIES, ("tags", Tags))
_TOPIC: Final = (("error", Int16), ("name", _TEXT), ("id", _Uuid), ("is_internal", Boolean))
_TOPICS: Final = CompactArray(*_TOPIC, ("partitions", _PARTITIONS), ("operations", Int32), ("tags", Tags))
_CLUSTER: Final = (("throttle_ms", Int32), ("brokers", _BROKERS), ("cluster", _TEXT), ("controller", Int32))


class _Answer(Response):  # type: ignore[misc]
    """Source: Kafka protocol guide, Metadata v10 (Kafka 2.8), the first that tells topic ids."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(*_CLUSTER, ("topics", _TOPICS), ("operations", Int32), ("tags", Tags))


class _Question(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 10
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Answer
    _ASKED = CompactArray(("id", _Uuid), ("name", _TEXT), ("tags", Tags))
    _ALSO = (("may_create", Boolean), ("cluster_operations", Boolean), ("topic_operations", Boolean))
    SCHEMA = Schema(("topics", _ASKED), *_ALSO, ("tags", Tags))


class _TopicIds(Request[_Question]):  # type: ignore[misc]
    API_KEY = 3

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
