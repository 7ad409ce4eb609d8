"""aiokafka's connections on uvloop: one that was closed under the writer is Kafka's error, as on asyncio (ADR 0068)."""

from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_SEND: Final = AIOKafkaConnection.send


def on_uvloop() -> None:
    """Have every connection to Kafka of this process say that it is broken in the words that aiokafka waits for.

    It takes an OSError for that; uvloop raises RuntimeError where somebody writes to a transport that is closed. Its
    background tasks end by that for good: of a client of Kafka that keeps no metadata nothing is ever answered.
    Source: aiokafka issue 1038 (open with 0.14), `conn.py`; uvloop 0.23, `UVStream.write`.
    """
    AIOKafkaConnection.send = _sent


def _sent(connection: Any, *args: Any, **options: Any) -> Any:
    try:
        return _SEND(connection, *args, **options)
    except RuntimeError as error:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"the connection is closed: {error}") from error
