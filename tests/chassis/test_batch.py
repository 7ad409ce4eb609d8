"""What a record is recognised by, whom it is for, and how it is kept when it is refused."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from chassis.batch import Record, dead_letter, identity, is_for
from chassis.outbox import headers_of, shard_of, written

AT = datetime(2025, 1, 15, tzinfo=UTC)


def record(*headers: tuple[str, bytes], value: bytes | None = b"v", offset: int = 5) -> Record:
    return SimpleNamespace(topic="rmm.raw", partition=1, offset=offset, key=b"k", value=value, headers=headers)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (record(("ce_id", b"a")), record(("ce_id", b"a"), value=b"w"), True),
        (record(("ce_id", b"a")), record(("ce_id", b"b")), False),
        (record(("raw_id", b"a")), record(("raw_id", b"b")), False),
        (record(value=b"x"), record(value=b"x", offset=9), True),
        (record(value=b"x"), record(value=None), False),
        (record(("ce_id", b"\xff")), record(("ce_id", b"\xfe")), False),
    ],
)
def test_a_record_is_recognised_by_its_id_else_by_its_bytes(one: Record, other: Record, same: bool) -> None:  # noqa: FBT001
    assert (identity(one) == identity(other)) is same


@pytest.mark.parametrize(
    ("headers", "mine"),
    [((), True), ((("replay_group", b"mine"),), True), ((("replay_group", b"another"),), False)],
)
def test_a_replayed_record_is_for_one_group(headers: tuple[tuple[str, bytes], ...], mine: bool) -> None:  # noqa: FBT001
    assert is_for("mine", record(*headers)) is mine


def test_a_dead_letter_keeps_the_record_whole_and_says_why_and_where() -> None:
    letter = dead_letter(record(("x", b"\xff"), ("dlq_reason", b"old")), group="g", reason="no\x00good", at=AT)
    headers = dict(letter.headers)

    assert (letter.key, letter.value, headers["x"]) == (b"k", b"v", b"\xff")
    assert headers["dlq_reason"] == b"no\\0good"
    assert (headers["dlq_topic"], headers["dlq_partition"], headers["dlq_offset"]) == (b"rmm.raw", b"1", b"5")


def test_the_same_refusal_has_the_same_id_and_another_place_another() -> None:
    first, again, other = (dead_letter(record(offset=n), group="g", reason="r", at=AT) for n in (5, 5, 6))

    assert dict(first.headers)["dlq_id"] == dict(again.headers)["dlq_id"] != dict(other.headers)["dlq_id"]


def test_headers_of_any_bytes_survive_the_outbox() -> None:
    headers = [("a", bytes(range(256))), ("a", b""), ("ü", b"x")]

    assert headers_of(written(headers)) == headers


def test_a_key_stays_in_its_shard() -> None:
    assert [shard_of(key) for key in (b"a", b"a", None)] == [shard_of(b"a"), shard_of(b"a"), 0]
    assert all(0 <= shard_of(str(n).encode()) < 8 for n in range(100))
