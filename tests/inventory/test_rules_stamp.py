"""Stamps sort as the order of facts does, and survive storage, also that of an earlier release."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from contracts.order import OrderKey
from services.inventory.rules_fields import FIELDS
from services.inventory.rules_stamp import NEVER, packed, stamp, unpacked

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])
ORDERS = st.builds(OrderKey, st.datetimes(timezones=ZONES), st.uuids())
FEW_ORDERS = st.builds(
    OrderKey,
    st.sampled_from([datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]),
    st.integers(1, 3).map(lambda n: UUID(int=n)),
)


@given(ORDERS | FEW_ORDERS, ORDERS | FEW_ORDERS)
def test_stamps_compare_as_the_orders_do(one: OrderKey, other: OrderKey) -> None:
    assert (stamp(one) < stamp(other)) is (one < other)
    assert (stamp(one) == stamp(other)) is (one == other)
    assert stamp(one) > NEVER


@given(st.dictionaries(st.sampled_from(FIELDS), FEW_ORDERS.map(stamp)))
def test_what_is_packed_is_unpacked(stamps: dict) -> None:  # type: ignore[type-arg]  # drawn as declared above
    assert unpacked(packed(stamps)) == stamps


def test_an_asset_of_one_event_needs_few_bytes() -> None:
    only = stamp(OrderKey(datetime(2026, 1, 1, tzinfo=UTC), UUID(int=7)))

    assert len(packed(dict.fromkeys(FIELDS, only))) == 1 + len(FIELDS) + 24


def test_stamps_of_an_earlier_release_with_fewer_fields_are_read() -> None:
    only = stamp(OrderKey(datetime(2026, 1, 1, tzinfo=UTC), UUID(int=7)))
    earlier = bytes([2, 0, 255]) + only

    assert unpacked(earlier) == {FIELDS[0]: only}
