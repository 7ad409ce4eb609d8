"""Every record of a batch is in exactly one fate, under a source and an hour that PostgreSQL takes."""

from collections.abc import Iterable
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from chassis.batch import REPLAY_GROUP, Fate, decoded
from chassis.flow import Line, tallied
from contracts.envelope import decode
from contracts.errors import UndecodableEvent
from contracts.events import rmm
from tests.builders import HOUR, NOON, KafkaRecord, of_device, record_of


def seen(device: str = "d1", source: str = "rmm/a/b") -> KafkaRecord:
    return record_of(of_device(rmm.DeviceOnline(device=device), source=source))


def test_what_a_handler_does_not_name_was_applied_and_what_it_names_is_what_it_says() -> None:
    records = [seen("d1"), seen("d2"), seen("d3"), KafkaRecord(value=b"", headers=[]), seen("d4")]
    batch = decoded(records[:4], decode, NOON + HOUR)  # the last one is for another group
    batch.count(batch.items[1], Fate.DUPLICATE)
    batch.refuse(batch.items[2], "never works")

    counts, again = tallied(batch, records)

    assert {line.fate: count for line, count in counts.items()} == dict.fromkeys(
        (Fate.APPLIED, Fate.DUPLICATE, Fate.DEAD_LETTERED, Fate.UNREADABLE, Fate.ELSEWHERE), 1
    )
    assert not again
    assert counts[Line("rmm.events", "rmm/a/b", NOON, Fate.APPLIED)] == 1
    assert counts[Line("rmm.events", "", NOON + HOUR, Fate.UNREADABLE)] == 1


def test_a_replayed_record_is_counted_as_coming_again() -> None:
    record = seen()
    replayed = KafkaRecord(value=record.value, headers=[*record.headers, (REPLAY_GROUP, b"inventory")])

    counts, again = tallied(decoded([record, replayed], decode, NOON), [record, replayed])

    assert (counts.total(), again.total()) == (2, 1)


def test_a_moment_outside_of_all_calendars_stops_nothing() -> None:
    for moment in (b"0001-01-01T00:30:00+14:00", b"9999-12-31T23:30:00-14:00"):
        record = KafkaRecord(value=b"", headers=[("source", b"rmm/a/b"), ("received", moment)])

        counts, _ = tallied(decoded([record], _refused, NOON), [record])

        assert counts.total() == 1


def _refused(_headers: Iterable[tuple[str, bytes]], _value: bytes | None) -> str:
    raise UndecodableEvent("no")


@given(
    source=st.binary(max_size=400),
    received=st.one_of(st.binary(max_size=40), st.datetimes().map(lambda at: at.isoformat().encode())),
    name=st.sampled_from(["source", "ce_source"]),
)
def test_whatever_an_unreadable_record_says_of_itself_can_be_kept(source: bytes, received: bytes, name: str) -> None:
    record = KafkaRecord(value=b"", headers=[(name, source), ("received", received)])

    counts, _ = tallied(decoded([record], _refused, NOON), [record])

    [line] = counts
    assert "\x00" not in line.source
    assert len(line.source) <= 200
    line.source.encode()
    assert line.hour.tzinfo is UTC
    assert line.hour == datetime.fromtimestamp(line.hour.timestamp() // 3600 * 3600, UTC)
