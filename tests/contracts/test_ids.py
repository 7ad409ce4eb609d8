"""Ids never change: these values are what history and tickets were made with."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid5

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids

NOON = datetime(2025, 1, 14, 12, tzinfo=UTC)
RAW = UUID("0190f3f2-7c1a-7000-8000-000000000001")

PINNED = {
    "vendor": (ids.event_id_of_vendor("rmm/ninjaone/main", "9004411"), "839de640-5087-5839-b856-44e4ddc1a371"),
    "fields": (
        ids.event_id_of_fields("rmm/ninjaone/main", "patch.detected.v1", NOON, "4821", "KB5050009"),
        "cc5d7f9e-af87-580f-bcac-d52e02033428",
    ),
    "raw": (ids.event_id_of_raw(RAW, 0), "535c83df-a01a-558c-857c-3a24be7e48e3"),
    "fact": (ids.fact_id(RAW, "ticket.opened.v1", "s"), "2086c48e-a69e-5dfb-824e-66fbdf30d270"),
    "timer": (ids.timer_fact_id("s", "obligation.state_changed.v1", NOON), "0ef88601-80de-50dd-bfab-37a007913b47"),
    "tenant": (ids.tenant_id("Acme"), "0d027622-3cdf-5845-9d10-172b056ce6a2"),
    "asset": (ids.asset_id("rmm/ninjaone/main", "4821"), "c1bb2cd9-bd58-5ccb-906b-3f527e47ef34"),
    "requirement": (ids.requirement_id("Windows 11 24H2 x64", "cumulative"), "9c67d768-712b-559e-a90e-41ffb8d02c57"),
}


@pytest.mark.parametrize("name", PINNED)
def test_a_derived_id_is_what_it_has_always_been(name: str) -> None:
    made, pinned = PINNED[name]

    assert str(made) == pinned


def test_a_ticket_key_is_what_it_has_always_been() -> None:
    key = ids.ticket_key(ids.tenant_id("Acme"), "patch_failed", "subject", 2)

    assert key == "pl-patch_failed-d4b4ef9e-008e-53a5-9949-189c02ebb77e-g2"
    assert len(key) <= 80


def test_raw_ids_sort_by_their_making() -> None:
    made = [ids.new_raw_id() for _ in range(100)]

    assert made == sorted(made)
    assert all(each.version == 7 for each in made)


def test_a_separator_inside_a_name_makes_no_two_things_equal() -> None:
    assert ids.asset_id("a", 'b","c') != ids.asset_id('a","b', "c")


def test_a_moment_has_one_spelling_whatever_its_zone() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=-5)))

    assert ids.event_id_of_fields("s", "k", NOON) == ids.event_id_of_fields("s", "k", elsewhere)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        ids.moment(NOON.replace(tzinfo=None))


def test_the_subject_of_an_uncatalogued_patch_is_what_it_has_always_been() -> None:
    assert ids.uncatalogued_subject("Example Reader", "4.2") == '["Example Reader","4.2"]'
    assert ids.uncatalogued_subject(None, "KB5070001") == '["","KB5070001"]'


def test_a_long_subject_still_fits_a_name_and_stays_its_own() -> None:
    one, other = (ids.uncatalogued_subject("p" * 512, "i" * 511 + last) for last in "ab")

    assert one != other
    assert len(one) <= 512


@given(st.text(), st.text())
def test_an_id_is_the_uuid5_of_a_json_array(source: str, device: str) -> None:
    array = json.dumps(["asset", source, device], ensure_ascii=False, separators=(",", ":"))

    assert ids.asset_id(source, device) == uuid5(ids.NAMESPACE, array)


@given(st.uuids())
def test_an_id_is_spelled_as_python_spells_it_whoever_made_it(number: UUID) -> None:
    read = asyncpg.pgproto.pgproto.UUID(str(number))

    assert ids.spelled(number) == ids.spelled(read) == str(number)
    assert ids.fact_id(number, "t", "s") == ids.fact_id(read, "t", "s")
