"""What is added to a log's tail is never a batch that a broker could have written whole."""

import random
from pathlib import Path

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from faults.torn import last_batch, tear


def batch(first_offset: int, *values: bytes) -> bytes:
    """Return a batch as a broker keeps it."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=False,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=100_000,
    )
    for number, value in enumerate(values):
        builder.append(number, 0, b"key", value, [])
    return first_offset.to_bytes(8) + bytes(builder.build())[8:]


LOG = batch(0, b"one", b"two") + batch(2, b"three" * 50)


def test_the_last_batch_of_a_log_is_the_one_that_ends_it() -> None:
    assert last_batch(LOG) == batch(2, b"three" * 50)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_torn_holds_no_whole_batch_after_what_was_acknowledged(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(LOG)

    torn = tear(path, random.Random(seed))

    content = path.read_bytes()
    assert content.startswith(LOG)
    assert content[len(LOG) :] == torn.added != b""
    end = last_batch(content)
    assert end == last_batch(LOG) or not DefaultRecordBatch(end).validate_crc()
    assert not torn.is_cut_off


def test_a_log_whose_torn_tail_was_cut_off_is_told_from_one_where_it_stayed(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(LOG)
    torn = tear(path, random.Random(1))

    path.write_bytes(LOG + batch(3, b"four" * 2000))

    assert torn.is_cut_off
