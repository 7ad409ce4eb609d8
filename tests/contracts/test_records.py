"""Records as bytes: what goes in comes out, and a batch is byte for byte what aiokafka writes."""

from collections.abc import Sequence

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c
from hypothesis import given
from hypothesis import strategies as st

from contracts import records
from contracts.envelope import Message

AT = 1_764_590_400_000
PRODUCER = (7, 3, 41)

MESSAGES = st.builds(
    Message,
    key=st.none() | st.binary(max_size=40),
    headers=st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=200)), max_size=12),
    value=st.none() | st.binary(max_size=300),
)


def of_aiokafka(messages: Sequence[Message]) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, *PRODUCER, 10_000_000)
    for number, each in enumerate(messages):
        builder.append(number, AT, each.key, each.value, each.headers)
    return bytes(builder.build())


def of_ours(messages: Sequence[Message]) -> bytes:
    whole = [records.record(records.body(each), number) for number, each in enumerate(messages)]
    return bytes(records.batch(whole, at=AT, producer=PRODUCER, checksum=calc_crc32c))


@given(st.lists(MESSAGES, min_size=1, max_size=8))
def test_a_batch_is_what_aiokafka_writes(messages: list[Message]) -> None:
    assert of_ours(messages) == of_aiokafka(messages)


def test_a_batch_of_many_and_of_large_records_is_what_aiokafka_writes() -> None:
    many = [Message(key=b"k", headers=[("n", str(number).encode())], value=b"") for number in range(300)]
    large = [Message(key=None, headers=[], value=bytes(1_310_000)), many[0]]

    assert of_ours(many) == of_aiokafka(many)
    assert of_ours(large) == of_aiokafka(large)


@given(MESSAGES)
def test_a_body_tells_its_message(message: Message) -> None:
    assert records.message_of(records.body(message)) == message


@given(st.lists(MESSAGES, max_size=40))
def test_packs_hold_every_message_once_and_a_keys_in_their_order(messages: list[Message]) -> None:
    packs = list(records.packs(messages, 8))

    found = [
        (shard, records.message_of(body)) for shard, count, pack in packs for _, body in records.unpacked(pack, count)
    ]
    assert {shard for shard, _ in found} == {records.shard_of(each.key, 8) for each in messages}
    for shard in range(8):
        expected = [each for each in messages if records.shard_of(each.key, 8) == shard]
        assert [each for in_shard, each in found if in_shard == shard] == expected


@pytest.mark.parametrize(
    ("sizes", "packed"),
    [
        pytest.param([10] * records.PACK_RECORDS, [records.PACK_RECORDS], id="as many as go into one"),
        pytest.param([10] * (records.PACK_RECORDS + 1), [records.PACK_RECORDS, 1], id="one more"),
        pytest.param([100_000] * 5, [2, 2, 1], id="large ones"),
        pytest.param([10, 1_310_000, 10], [1, 1, 1], id="one too large for any is alone"),
    ],
)
def test_a_pack_is_bounded_by_number_and_by_bytes(sizes: Sequence[int], packed: Sequence[int]) -> None:
    messages = [Message(key=b"k", headers=[], value=bytes(size)) for size in sizes]

    assert [count for _, count, _ in records.packs(messages, 8)] == packed


@pytest.mark.parametrize("number", [0, 1, -1, 63, 64, 8191, 8192, 1_310_720])
def test_a_number_is_written_as_kafka_does(number: int) -> None:
    headers = [("h", bytes(max(number, 0)))]

    assert records.message_of(records.body(Message(key=None, headers=headers, value=None))).headers == headers
    assert records.varint(number)[-1] < 0x80
